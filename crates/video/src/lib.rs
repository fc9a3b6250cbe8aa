//! Content processing of level High: from a decrypted access unit to pictures at a protected sink.
//!
//! The decoder application hands over one access unit at a time and how large a picture may be now;
//! what comes back says whether the unit was accepted and which pictures went to the [`Sink`], never a
//! sample of one.
//!
//! Promises:
//!
//! * No byte reaches the H.264 decoder before this room has parsed it as far as it can do harm: every
//!   parameter set and slice header is read here first, within the ranges of ITU-T H.264, and what
//!   that decoder does not implement is refused rather than decoded into something else.
//! * Memory is bounded before it is taken: a sequence parameter set whose pictures do not fit the
//!   [`Budget`] is refused, and the reference pictures that the stream asks to keep are counted here,
//!   because the decoder itself keeps as many as it is told to.
//! * Time is bounded by the size of a unit and of its picture: at most [`MAX_SLICES`] slices, lists
//!   of at most 32 entries, one picture a unit.
//! * Malformed content has one answer, [`ContentRejected`]; the unit is void as a whole, and decoding
//!   goes on at the next IDR picture by itself.
//! * The same bits give the same pictures on every machine: integers only.
//!
//! Limits, stated openly:
//!
//! * Progressive frames of 4:2:0 at 8 bits, Baseline, Main and High. What else there is in these
//!   profiles and is not decoded has its name in [`Unsupported`] and is refused.
//! * Damage inside slice data that still parses gives a wrong picture, as on any player: H.264 has no
//!   checksum.
//! * Decoding starts at an IDR picture only; a recovery point is not enough.
//!
//! Distrusts: every byte of the decoder configuration record and of the units. The caller and the sink
//! are trusted.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "tests stop at what they did not expect"
    )
)]

extern crate alloc;

mod bits;
mod budget;
mod decoder;
#[cfg(feature = "digest-sink")]
mod digest;
mod engine;
mod level;
mod nal;
mod order;
mod pps;
mod record;
mod references;
mod refusal;
mod scale;
mod sets;
mod sink;
mod slice;
mod sps;

pub use budget::Budget;
pub use decoder::{Accepted, Codec, Configured, Decoder, Format, MAX_SLICES, Presented};
#[cfg(feature = "digest-sink")]
pub use digest::DigestSink;
pub use refusal::{ContentRejected, DecodeError, Refusal, Unsupported};
pub use scale::{ChromaSiting, Scaler};
pub use sink::{Picture, Plane, Sink, SinkFailed};
