//! The memory that decoding a sequence takes, reckoned from its parameter set before the decoder is
//! given a byte: an allocation that fails ends a trusted application.
//!
//! The constants are what a counting allocator measures over a grid of sizes, reference counts and
//! reorder depths (the test `memory` of this crate), and a tenth is added to the whole.

use crate::refusal::Refusal;
use crate::sps::Sps;

/// Bytes that do not depend on the picture: parameter sets of both this room and the decoder, slice
/// headers with their lists, and tables.
const FIXED: usize = 160 * 1_024;

/// Bytes a macroblock for the picture being decoded: its samples twice, what the decoder remembers of
/// each macroblock, and a slice of [`SLICE_BYTES`] a macroblock twice.
const PICTURE: usize = 1_800;

/// Bytes a macroblock of samples.
const SAMPLES: usize = 384;

/// Bytes a macroblock of the motion that the decoder keeps with a reference picture.
const MOTION: usize = 168;

/// Bytes that each picture takes beside its samples and motion.
const FRAME: usize = 1_024;

/// Bytes a column of macroblocks for scaling: a window and a sum for each column of samples.
const COLUMN: usize = 16 * 48;

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
    let macroblocks = size(sps.macroblocks())?;
    // Each reference picture has a margin of one macroblock all around it.
    let margins =
        size(sps.columns.checked_add(2)?)?.checked_mul(size(sps.rows.checked_add(2)?)?)?;
    let reference = SAMPLES
        .checked_mul(margins)?
        .checked_add(MOTION.checked_mul(macroblocks)?)?
        .checked_add(FRAME)?;
    let waiting = SAMPLES.checked_mul(macroblocks)?.checked_add(FRAME)?;
    let bytes = PICTURE
        .checked_mul(macroblocks)?
        .checked_add(COLUMN.checked_mul(size(sps.columns)?)?)?
        .checked_add(reference.checked_mul(size(sps.references.max(1))?)?)?
        // One more than wait: the one that has just been decoded and pushes another out.
        .checked_add(waiting.checked_mul(size(sps.reorder.checked_add(1)?)?)?)?
        .checked_add(FIXED)?;
    bytes.checked_add(bytes.checked_div(10)?)
}
