//! What is taken at most. Each bounds memory where a few bytes of a file could ask for much: together
//! they keep everything besides the bytes of a fragment, or of a progressive file's `moov` and piece,
//! below 8 MB, and are far above what real files need. What stands beside a fragment in the worst case:
//! its tables (36 bytes a sample and 8 a subsample: 4.4 MB), its key groups, and its `pssh` boxes.

use crate::cursor::to_u64;
use crate::{FourCc, MediaError};

/// Most bytes of everything before `moov`, together.
pub const MAX_INIT_BYTES: u64 = 3 << 20;
/// Most bytes of `moov`: those of a progressive file with some ten hours. It counts as a piece of the
/// file, being held as long as its tables are needed.
pub const MAX_MOOV_BYTES: u64 = 64 << 20;
/// Most bytes of one `moof`: 20 bytes for each of the most samples.
pub const MAX_MOOF_BYTES: u64 = 2 << 20;
/// Most bytes of all `pssh` boxes in one `moov` or `moof`, together. Real ones have some kilobytes.
pub const MAX_PSSH_BYTES: usize = 128 << 10;
/// Most bytes of one fragment.
pub const MAX_FRAGMENT_BYTES: u64 = 1 << 30;
/// Sample entries of all tracks.
pub(crate) const MAX_ENTRIES: usize = 1024;
/// Descriptions of `seig` groups in one fragment, and in `moov`: a key each ten seconds for a day.
pub(crate) const MAX_GROUPS: usize = 10_000;
/// Runs of samples with one `seig` group each, in one track of a progressive file.
pub(crate) const MAX_GROUP_RUNS: usize = 100_000;
/// Chunks of a track that do not lie in the file in their own order: each must be remembered.
pub(crate) const MAX_UNORDERED_CHUNKS: usize = 20_000;
/// Bytes of a piece of a progressive file or of a large fragment, unless one sample has more. As much as
/// processors keep at hand: what is read in one go is decrypted and written before it is out of reach.
pub(crate) const PIECE_BYTES: u64 = 1 << 20;
/// Samples of a piece.
pub(crate) const PIECE_SAMPLES: usize = 8192;
/// `pssh` boxes in one `moov` or `moof`.
pub(crate) const MAX_PSSH: usize = 1024;
/// `traf` boxes in one fragment.
pub(crate) const MAX_TRACK_FRAGMENTS: usize = 1024;
/// `trun` boxes in one fragment.
pub(crate) const MAX_RUNS: usize = 10_000;
/// Samples in one fragment, over all tracks: two seconds even of uncompressed sound.
pub(crate) const MAX_SAMPLES: usize = 100_000;
/// Subsamples in one fragment, over all tracks.
pub(crate) const MAX_SUBSAMPLES: usize = 100_000;

/// Refuses a number above its limit; the other arguments are for the error.
pub(crate) fn within(
    found: usize,
    limit: usize,
    field: &'static str,
    kind: FourCc,
    offset: u64,
) -> Result<(), MediaError> {
    if found <= limit {
        return Ok(());
    }
    let (found, limit) = (to_u64(found), to_u64(limit));
    Err(MediaError::TooLarge {
        kind,
        offset,
        field,
        found,
        limit,
    })
}
