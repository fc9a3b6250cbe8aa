//! Why a configuration or a unit is refused.

use thiserror::Error;

/// Why this room does not take a configuration or a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Well-formed as far as it was read, but made with something that is not decoded here.
    #[error("not decoded here: {0}")]
    UnsupportedCodec(Unsupported),
    /// Its pictures do not fit the memory that the decoder has.
    #[error("its pictures do not fit the decoder's memory")]
    NoDecoderMemory,
    /// Not what ITU-T H.264 or ISO/IEC 14496-15 allows.
    #[error("malformed content")]
    ContentRejected,
}

/// What a stream uses that is not decoded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// Another codec than H.264.
    #[error("codec")]
    Codec,
    /// A profile other than Baseline, Main, High and their intra and high-depth relatives: scalable,
    /// multi-view and Extended streams.
    #[error("profile")]
    Profile,
    /// A level that ITU-T H.264 table A-1 does not name.
    #[error("level")]
    Level,
    /// Chroma other than 4:2:0.
    #[error("chroma format")]
    ChromaFormat,
    /// More than 8 bits a sample.
    #[error("bit depth")]
    BitDepth,
    /// Lossless coding (`qpprime_y_zero_transform_bypass_flag`).
    #[error("lossless coding")]
    Lossless,
    /// Slice groups (flexible macroblock ordering).
    #[error("slice groups")]
    SliceGroups,
    /// Slices out of raster order (arbitrary slice ordering).
    #[error("slice order")]
    SliceOrder,
    /// Redundant coded pictures.
    #[error("redundant pictures")]
    RedundantPictures,
    /// Field pictures, and frames of field macroblocks (MBAFF).
    #[error("interlaced coding")]
    Interlaced,
    /// Picture order by cycles of reference frames (`pic_order_cnt_type` 1).
    #[error("picture order")]
    PictureOrder,
    /// Weights that B slices state, in place of none or of those that follow from their distance.
    #[error("stated weights in B slices")]
    Weights,
    /// Long-term reference pictures.
    #[error("long-term references")]
    LongTerm,
    /// A picture that makes numbering start anew without being an IDR picture.
    #[error("reset of numbering")]
    Reset,
    /// One offset of the quantiser for each of the chroma planes.
    #[error("chroma quantisers")]
    ChromaQuantiser,
    /// Slices of one picture that state different deblocking.
    #[error("deblocking by slice")]
    Deblocking,
    /// Slice data partitions.
    #[error("data partitioning")]
    DataPartitioning,
    /// SP and SI slices.
    #[error("switching pictures")]
    SwitchingPictures,
    /// More slices a picture than [`MAX_SLICES`](crate::MAX_SLICES).
    #[error("number of slices")]
    Slices,
}

/// A unit was refused as a whole.
///
/// One answer for every reason: at level High the host learns of a unit only whether it was accepted,
/// since a more detailed answer about content under a ciphertext that the host chose would be a
/// decryption oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("content rejected")]
pub struct ContentRejected {
    reason: Refusal,
}

impl ContentRejected {
    pub(crate) const fn new(reason: Refusal) -> Self {
        Self { reason }
    }

    /// The reason, for tests and for a log that the host cannot read. Never for an answer to the host.
    #[must_use]
    pub const fn reason(&self) -> Refusal {
        self.reason
    }
}

/// Why [`Decoder::decode`](crate::Decoder::decode) took no picture from a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The unit is not decoded.
    #[error(transparent)]
    Rejected(#[from] ContentRejected),
    /// The sink failed; nothing is wrong with the content.
    #[error(transparent)]
    Sink(#[from] crate::SinkFailed),
}
