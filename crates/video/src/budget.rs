//! The memory that decoding a sequence takes, reckoned from its parameter set before the decoder is
//! given a byte: an allocation that fails ends a trusted application.
//!
//! The constants stand above what `tests/memory.rs` measures over a grid of sizes, reference counts
//! and reorder depths, by a tenth at least.

use crate::refusal::Refusal;
use crate::sps::Sps;

/// Bytes that do not depend on the picture: parameter sets of both this room and the decoder, slice
/// headers with their lists, and the tables of a slice.
const FIXED: usize = 160 * 1_024;

/// Bytes a macroblock for the picture being decoded: its samples twice, what the decoder remembers of
/// each macroblock, twice for pictures of several slices, a slice of [`SLICE_BYTES`] a macroblock
/// four times, and the scaled picture.
const PICTURE: usize = 6_400;

/// Bytes a macroblock for each reference picture: samples and motion.
const REFERENCE: usize = 740;

/// Bytes a macroblock for each picture that waits to be shown: its samples.
const WAITING: usize = 384;

/// Bytes a column of macroblocks for scaling: a window and a sum for each column of samples.
const COLUMN: usize = 16 * 26;

/// The most bytes that a macroblock takes in a slice: 3,200 bits (ITU-T H.264 clause A.3.1).
pub(crate) const SLICE_BYTES: usize = 400;

/// The memory that belongs to the decoder alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    heap: usize,
}

impl Budget {
    /// A budget of that many bytes of heap: what the application has, less what it takes itself for
    /// the access unit and its own affairs. The bookkeeping of an allocator on large blocks is
    /// allowed for; fragmentation by others is not.
    #[must_use]
    pub const fn of_heap(bytes: usize) -> Self {
        Self { heap: bytes }
    }

    /// The bytes that decoding `sps` takes, if they are there.
    pub(crate) fn reserve(self, sps: &Sps) -> Result<usize, Refusal> {
        footprint(sps)
            .filter(|&bytes| bytes <= self.heap)
            .ok_or(Refusal::NoDecoderMemory)
    }
}

/// `None` if it is more than can be counted.
fn footprint(sps: &Sps) -> Option<usize> {
    let size = |value: u32| usize::try_from(value).ok();
    let references = REFERENCE.checked_mul(size(sps.references.max(1))?)?;
    // One more than wait: the one that has just been decoded and pushes another out.
    let waiting = WAITING.checked_mul(size(sps.reorder.checked_add(1)?)?)?;
    let macroblock = PICTURE.checked_add(references)?.checked_add(waiting)?;
    macroblock
        .checked_mul(size(sps.macroblocks())?)?
        .checked_add(COLUMN.checked_mul(size(sps.columns)?)?)?
        .checked_add(FIXED)
}

#[cfg(test)]
mod tests;
