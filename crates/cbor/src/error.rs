//! Why bytes are not the item that was expected.

/// What is wrong with an input, or with a request to encode.
///
/// Each malformation has its own value, so that a test can name the one it provokes. A value
/// carries map keys, which are public, and never content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends where an item or the rest of its head should stand.
    #[error("input ends inside an item")]
    Truncated,
    /// A string, array or map declares more than the input can still hold.
    #[error("declared length exceeds the input")]
    LengthBeyondInput,
    /// An integer, length or simple value is not in its shortest form (RFC 8949 section 4.2.1).
    #[error("integer or length is not in its shortest form")]
    NonMinimal,
    /// An indefinite length, or the break that would end one (RFC 8949 section 3.2).
    #[error("indefinite length")]
    Indefinite,
    /// Additional information 28 to 30, which RFC 8949 section 3 reserves.
    #[error("reserved additional information")]
    ReservedInfo,
    /// A map has this key twice.
    #[error("map key {0} appears twice")]
    DuplicateKey(i64),
    /// This map key comes after one that it should precede (RFC 8949 section 4.2.1).
    #[error("map key {0} is out of order")]
    UnorderedKey(i64),
    /// The schema has no such key, and it lies outside the map's extension range.
    #[error("unknown map key {0}")]
    UnknownKey(i64),
    /// A key that the schema requires is absent.
    #[error("map key {0} is missing")]
    MissingKey(i64),
    /// A map key is not an integer, or not one that fits 64 bits with a sign.
    #[error("map key is not a 64-bit integer")]
    KeyType,
    /// Bytes follow the one item that was expected.
    #[error("bytes after the item")]
    TrailingBytes,
    /// A tag (major type 6).
    #[error("tag")]
    Tag,
    /// A floating-point number.
    #[error("floating-point number")]
    Float,
    /// `undefined`, or a simple value other than false, true and null.
    #[error("simple value other than false, true and null")]
    Simple,
    /// A null where the schema does not ask for one.
    #[error("null where none is expected")]
    UnexpectedNull,
    /// A text string that is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
    /// More than [`MAX_DEPTH`](crate::MAX_DEPTH) arrays and maps inside one another.
    #[error("nested too deeply")]
    Depth,
    /// A message or string over the size that the schema caps it at.
    #[error("larger than its cap")]
    SizeCap,
    /// Another type than the schema asks for.
    #[error("item of another type than expected")]
    Type,
    /// An integer or a fixed length outside what the schema asks for.
    #[error("integer or length outside its range")]
    Range,
    /// An array with another number of items than the schema asks for, or a reader or writer that
    /// did not handle exactly one item where one belongs.
    #[error("wrong number of items")]
    Count,
    /// A well-formed value that the schema does not know; for the callers of this crate.
    #[error("value unknown to the schema")]
    Value,
    /// Memory could not be had.
    #[error("out of memory")]
    Memory,
}
