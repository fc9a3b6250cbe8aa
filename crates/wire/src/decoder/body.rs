//! Requests and answers of the decoder, in the order of its command table.

pub use crate::body::Empty;

use crate::body::MAX_SUBSAMPLE_RECORDS;
use crate::field::{Blob, List, body};
use crate::limits::SAMPLE_RECORD;

/// Bytes of a decoder configuration record at most: an `avcC` with more parameter sets than a stream
/// has use for (ISO/IEC 14496-15 section 5.3.3.1).
pub const MAX_CONFIGURATION: usize = 16 * 1024;
/// Pictures that one answer may tell of at most. At most 16 wait for their turn (ITU-T H.264 section
/// A.3.1, MaxDpbFrames), a unit brings one more, and what a rejected unit still let out is told with
/// the next one that is accepted.
pub const MAX_PRESENTED: usize = 34;

body! {
    /// Binds the decoder; what it was bound to before is given up.
    Attach {
        /// A ticket that the key TA has issued for a protected session; good once.
        0 => ticket: [u8; 16],
    }
}

body! {
    /// What the track is made of.
    Configure<'a> {
        /// Code of the sample entry without protection, such as `avc1` (ISO/IEC 14496-15).
        0 => codec: [u8; 4],
        /// The decoder configuration record, for H.264 the content of `avcC`.
        1 => record: Blob<'a, MAX_CONFIGURATION>,
    }
}

body! {
    /// The configuration is taken. The record is the host's own, so that these tell it nothing new.
    Configured {
        /// Width of the picture in pixels, as displayed; absent: all parameter sets come in band.
        0 => width: Option<u32>,
        /// Height of the picture in pixels, as displayed.
        1 => height: Option<u32>,
    }
}

body! {
    /// How an access unit is protected; the fields are those of [`crate::body::Decrypt`].
    Protection<'a> {
        /// Key id.
        0 => key_id: [u8; 16],
        /// Licence to use; absent: the newest whose status is usable.
        1 => license: Option<[u8; 16]>,
        /// Protection scheme, a `Scheme` number.
        2 => scheme: u8,
        /// Size of the per-sample initialisation vector: 8 or 16, or 0 with a constant one.
        3 => iv_size: u8,
        /// Constant initialisation vector, 8 or 16 bytes.
        4 => constant_iv: Option<Blob<'a, 16>>,
        /// `crypt_byte_block` of the pattern.
        5 => crypt_blocks: u8,
        /// `skip_byte_block` of the pattern.
        6 => skip_blocks: u8,
        /// The one sample record, see [`crate::SampleTable`].
        7 => sample: [u8; SAMPLE_RECORD],
        /// Its subsample records.
        8 => subsamples: Blob<'a, MAX_SUBSAMPLE_RECORDS>,
    }
}

body! {
    /// One access unit, whose bytes are the call's media: NAL units with their lengths, as the
    /// configuration record says.
    Decode<'a> {
        /// Presentation time in the host's own units. It names the picture in the answers and decides
        /// nothing: the order of pictures is the stream's.
        0 => time: u64,
        /// Milliseconds that the unit lasts, by the container.
        1 => duration_ms: u32,
        /// How it is protected; absent: it is clear, as in a track's clear lead.
        2 => protection: Option<Protection<'a>>,
    }
}

body! {
    /// The unit is accepted.
    Presented {
        /// The times of the pictures that this command let out, in the order of their presentation.
        0 => times: List<u64, MAX_PRESENTED>,
        /// Most pixels of a picture that the key's policy allows now; larger ones were scaled down.
        /// Absent: it states no limit.
        1 => largest: Option<u64>,
        /// Sequence number of the key session's statuses, see [`crate::body::StatusReport::sequence`];
        /// absent when no key was asked.
        2 => sequence: Option<u64>,
        /// SHA-256 of each picture's samples (luma, Cb, Cr), in test builds only.
        3 => digests: Option<List<[u8; 32], MAX_PRESENTED>>,
    }
}

body! {
    /// Presents what waits; drops it where the key TA allowed it more than
    /// [`MAX_MEDIA_DURATION_MS`](crate::limits::MAX_MEDIA_DURATION_MS) ago.
    Flush {}
}

body! {
    /// Drops what waits.
    Skip {}
}

body! {
    /// Ends the decoder.
    Die {}
}

#[cfg(test)]
mod tests;
