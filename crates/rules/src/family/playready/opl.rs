//! Output protection levels: the values a licence may carry for each kind of output, and what the
//! ranges around them demand.

use super::CompressedAudio;
use crate::form::numbers;
use crate::{AnalogVideo, CgmsA, CompressedVideo, DigitalAudio, DigitalVideo, Hdcp};

numbers! {
    /// Analogue television. 201 and 300 are outside Microsoft's list; they work by the range "above
    /// 200: never".
    AnalogOpl as Int, "100, 150, 200, 201 or 300" {
        /// Passes without protection.
        L100 = 100,
        /// CGMS-A "copy never" where it can be asserted.
        L150 = 150,
        /// Only with CGMS-A "copy never".
        L200 = 200,
        /// Never passes.
        L201 = 201,
        /// Never passes.
        L300 = 300,
    }
}

impl AnalogOpl {
    pub(super) const fn demand(self) -> AnalogVideo {
        match self {
            Self::L100 => AnalogVideo::AllowAny,
            Self::L150 => AnalogVideo::CgmsBestEffort(CgmsA::CopyNever),
            Self::L200 => AnalogVideo::CgmsRequired(CgmsA::CopyNever),
            Self::L201 | Self::L300 => AnalogVideo::Block,
        }
    }
}

numbers! {
    /// Uncompressed digital video.
    UncompressedVideoOpl as Int, "100, 250, 270, 300 or 301" {
        /// Passes without protection.
        L100 = 100,
        /// HDCP where the output has it.
        L250 = 250,
        /// HDCP, or a small picture.
        L270 = 270,
        /// Only under HDCP.
        L300 = 300,
        /// Never passes.
        L301 = 301,
    }
}

impl UncompressedVideoOpl {
    /// The HDCP type restriction wants 271 or more, and is moot where nothing passes.
    pub(super) const fn takes_hdcp_type(self) -> bool {
        matches!(self, Self::L300 | Self::L301)
    }

    pub(super) const fn demand(self, hdcp: Hdcp) -> DigitalVideo {
        match self {
            Self::L100 => DigitalVideo::AllowAny,
            Self::L250 => DigitalVideo::HdcpBestEffort(hdcp),
            Self::L270 => DigitalVideo::HdcpOrConstrain(hdcp),
            Self::L300 => DigitalVideo::HdcpRequired(hdcp),
            Self::L301 => DigitalVideo::Block,
        }
    }
}

numbers! {
    /// Compressed digital video, which never passes.
    CompressedVideoOpl as Int, "400 or 500" {
        /// Never passes.
        L400 = 400,
        /// Never passes.
        L500 = 500,
    }
}

impl CompressedVideoOpl {
    pub(super) const fn demand(self) -> CompressedVideo {
        match self {
            Self::L400 | Self::L500 => CompressedVideo::Block,
        }
    }
}

numbers! {
    /// Uncompressed digital audio, read by the overview's table.
    UncompressedAudioOpl as Int, "100, 150, 200, 250, 300 or 301" {
        /// Passes.
        L100 = 100,
        /// Passes.
        L150 = 150,
        /// Passes.
        L200 = 200,
        /// HDCP, or SCMS set to "copy never".
        L250 = 250,
        /// Only under HDCP.
        L300 = 300,
        /// Never passes.
        L301 = 301,
    }
}

impl UncompressedAudioOpl {
    pub(super) const fn demand(self) -> DigitalAudio {
        match self {
            Self::L100 | Self::L150 | Self::L200 => DigitalAudio::AllowAny,
            Self::L250 => DigitalAudio::HdcpOrScms,
            Self::L300 => DigitalAudio::HdcpRequired,
            Self::L301 => DigitalAudio::Block,
        }
    }
}

numbers! {
    /// Compressed digital audio. The values are documented; two tables contradict each other about
    /// what those above 100 mean.
    CompressedAudioOpl as Int, "100, 150, 200, 250 or 300" {
        /// Passes.
        L100 = 100,
        /// Above 100.
        L150 = 150,
        /// Above 100.
        L200 = 200,
        /// Above 100.
        L250 = 250,
        /// Above 100.
        L300 = 300,
    }
}

impl CompressedAudioOpl {
    pub(super) const fn demand(self, reading: CompressedAudio) -> DigitalAudio {
        match (self, reading) {
            (Self::L100, _) => DigitalAudio::AllowAny,
            (_, CompressedAudio::Block) => DigitalAudio::Block,
            (_, CompressedAudio::Hdcp) => DigitalAudio::HdcpRequired,
        }
    }
}
