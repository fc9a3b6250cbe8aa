//! ISO base media files (ISO/IEC 14496-12) with Common Encryption (ISO/IEC 23001-7): from bytes to
//! samples with their protection, and back to a file that players take as never encrypted.
//!
//! What it promises:
//! * Streaming over [`Read`](std::io::Read) and [`Write`](std::io::Write), fragmented and progressive
//!   files. An input need seek only where the file wants it: `moov` behind the media data, or tables in
//!   odd places.
//! * Memory is bounded by the largest piece plus 8 MB, whatever the file's size. A piece is a fragment
//!   (`moof` with its `mdat`), or in a progressive file the `moov`, whose tables are used where they lie,
//!   or a sample of more than 4 MB.
//! * Samples keep the keys, IVs and patterns of their own groups (`seig`), in `moov` and in fragments.
//! * Nothing is allocated because a length field asks for it, only for bytes that have arrived.
//! * What is not understood is a typed [`MediaError`] with box, offset, found and expected; never a
//!   guess, never a panic.
//!
//! Whom it distrusts: every byte of the file. Sizes, counts and offsets are checked against each other
//! before a sample is handed out; all arithmetic is checked.
//!
//! ```no_run
//! use keybearer_media::{BatchLimit, ClearWriter, MediaReader, Part};
//! # fn decrypt(_: &keybearer_media::Batch<'_>, _: &mut [u8]) {}
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reader = MediaReader::open(std::fs::File::open("protected.mp4")?)?;
//! let mut writer = ClearWriter::start(std::fs::File::create("clear.mp4")?, &reader)?;
//! while let Some(part) = reader.next_part()? {
//!     match part {
//!         Part::Other(bytes) => writer.write_other(bytes)?,
//!         Part::Fragment(fragment) => {
//!             let (tracks, media) = fragment.split();
//!             for track in tracks {
//!                 for batch in track.batches(BatchLimit::default()) {
//!                     decrypt(&batch, media); // each sample in place, at `sample.range()`
//!                 }
//!             }
//!             writer.write_fragment(fragment)?;
//!         }
//!     }
//! }
//! writer.finish()?;
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod auxiliary;
mod boxes;
mod clear;
mod cursor;
mod division;
mod error;
mod fourcc;
mod fragment;
mod groups;
mod input;
mod layout;
mod limits;
mod memory;
mod movie;
mod progressive;
mod protection;
mod pssh;
mod reader;
mod rewrite;
mod run;
mod sample;
mod sample_entry;
mod segment;
mod tables;
#[cfg(test)]
mod testing;
mod tree;

pub use clear::{ClearWriter, clear_init};
pub use error::{Expected, MediaError, Unsupported};
pub use fourcc::FourCc;
pub use fragment::Fragment;
pub use keybearer_cenc::{Pattern, Scheme, Subsample};
pub use limits::{
    MAX_FRAGMENT_BYTES, MAX_INIT_BYTES, MAX_MOOF_BYTES, MAX_MOOV_BYTES, MAX_PSSH_BYTES,
};
pub use memory::{FragmentMemory, NoMemory, PAGE};
pub use movie::{Presentation, Track, TrackKind};
pub use protection::{Iv, IvSource, KeyId, Protection, TrackEncryption};
pub use pssh::Pssh;
pub use reader::{MediaReader, Part};
pub use sample::{Batch, BatchLimit, Batches, Sample, TrackFragment};
pub use sample_entry::{PictureSize, SampleEntry};
pub use segment::{FragmentInPlace, Segment};
pub use tree::{BoxNode, BoxTree, Detail};
