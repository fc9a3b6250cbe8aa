//! What can be wrong with a protected sample.

use crate::Scheme;

/// Why a sample was refused. None of these depends on a key or on content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CencError {
    /// The initialization vector has a size no scheme knows (section 9.1).
    #[error("the initialization vector has {found} bytes, expected 8 or 16")]
    IvSize {
        /// Bytes found.
        found: usize,
    },
    /// A pattern count does not fit the four bits it has in `tenc` (section 8.2).
    #[error("pattern {crypt}:{skip} is out of range, expected counts of 0 to 15")]
    PatternRange {
        /// `crypt_byte_block` found.
        crypt: u8,
        /// `skip_byte_block` found.
        skip: u8,
    },
    /// A scheme without patterns came with one (sections 10.1 and 10.2).
    #[error("scheme {scheme} came with pattern {crypt}:{skip}, expected none (0:0)")]
    PatternNotAllowed {
        /// The scheme: `cenc` or `cbc1`.
        scheme: Scheme,
        /// `crypt_byte_block` found.
        crypt: u8,
        /// `skip_byte_block` found.
        skip: u8,
    },
    /// The pattern skips blocks and encrypts none: the parameters contradict "protected".
    #[error("pattern 0:{skip} encrypts nothing, expected at least one encrypted block")]
    PatternEncryptsNothing {
        /// `skip_byte_block` found.
        skip: u8,
    },
    /// The subsample table does not cover the sample exactly (section 7.2).
    #[error("the subsample table covers {covered} bytes, expected the sample's {sample}")]
    SubsampleTotal {
        /// Clear and protected bytes of all entries.
        covered: u64,
        /// Size of the sample in bytes.
        sample: u64,
    },
    /// The entries of a subsample table add up to more than 64 bits hold.
    #[error("the subsample table's sizes overflow 64 bits, expected the sample's {sample} bytes")]
    SubsampleOverflow {
        /// Size of the sample in bytes.
        sample: u64,
    },
    /// A `cbc1` protected range ends within a cipher block (section 10.2).
    #[error("a cbc1 protected range has {protected} bytes, expected a multiple of 16")]
    PartialBlock {
        /// `BytesOfProtectedData` found.
        protected: u64,
    },
    /// A range was begun before the one before it was fed completely.
    #[error("a range was begun with {missing} bytes of the last one missing, expected none")]
    RangeUnfinished {
        /// Bytes of the open range still to come.
        missing: u64,
    },
    /// A piece reaches beyond its range.
    #[error("a piece has {piece} bytes, expected at most the {remaining} left in its range")]
    PieceTooLong {
        /// Bytes in the piece.
        piece: u64,
        /// Bytes left in the open range.
        remaining: u64,
    },
    /// A piece other than its range's last ends within a cipher block.
    #[error("a piece within a range has {piece} bytes, expected a multiple of 16")]
    PieceAlignment {
        /// Bytes in the piece.
        piece: u64,
    },
}
