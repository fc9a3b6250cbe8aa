//! Strict deterministic CBOR (RFC 8949 section 4.2.1).
//!
//! Messages, sealed records and commands have exactly one encoding here, so that a digest or a
//! signature over the bytes is one over the meaning. The decoder distrusts every byte it is given:
//! it refuses, each with an [`Error`] of its own, wide integers and lengths, indefinite lengths,
//! tags, floats, simple values other than false, true and null, duplicate and unordered keys, keys
//! that nobody asked for, text that is not UTF-8, nesting over [`MAX_DEPTH`], sizes over their caps
//! and bytes after the item. It allocates only in [`Decoder::list`] and borrows everything else.
//!
//! Map keys are integers, as in COSE and CWT, and stand in the order of their encoded bytes: 0, 1,
//! 2 and so on, then -1, -2 and so on. Readers ask for keys in that order and writers write them
//! in it; counts are the crate's own business on both sides.
//!
//! ```
//! use keybearer_cbor::{Decoder, decode, encode};
//!
//! let bytes = encode(64, |e| {
//!     e.map(|m| {
//!         m.entry(1, |e| e.uint(7))?;
//!         m.entry(-1, |e| e.text("seven"))
//!     })
//! })?;
//! let (number, name) = decode(&bytes, 64, |d| {
//!     d.map(|m| Ok((m.required(1, Decoder::uint)?, m.required(-1, |d| d.text(16))?)))
//! })?;
//! assert_eq!((number, name), (7, "seven"));
//! # Ok::<(), keybearer_cbor::Error>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod decode;
mod encode;
mod error;
mod head;
#[cfg(test)]
mod tests;

pub use decode::{ArrayDecoder, Decoder, Kind, MapDecoder, decode};
pub use encode::{Encoder, MapEncoder, encode, encode_secret};
pub use error::Error;

use core::cmp::Ordering;

/// The most arrays and maps inside one another. A byte string that wraps another item starts anew.
pub const MAX_DEPTH: usize = 8;

/// The order of two map keys: that of their encoded bytes (RFC 8949 section 4.2.1).
///
/// Non-negative keys come first, ascending; then the negative ones, from -1 downwards.
#[must_use]
pub fn key_order(a: i64, b: i64) -> Ordering {
    // The complement of a negative key is the argument of its head.
    (a < 0, if a < 0 { !a } else { a }).cmp(&(b < 0, if b < 0 { !b } else { b }))
}
