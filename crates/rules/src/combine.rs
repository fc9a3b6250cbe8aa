//! Several policies in one: the licence's, the key's, a root licence's.
//!
//! Field by field the stricter one holds, and what one leaves unspecified loosens nothing. Two
//! fields cannot be taken by themselves: the cap on uncompressed pictures, which is a limit where
//! type 1 is not demanded and the only way out where it is, and sound, for which the demand on video
//! stands in where the rules say nothing of it.

use crate::decide::Allowance;
use crate::policy::OutputPolicy;
use crate::values::{DigitalAudio, PictureLimit};
use crate::video::{AnalogVideo, CgmsA, DigitalVideo, Hdcp, HdcpVersion, Type1Version};

impl OutputPolicy {
    /// A policy that allows nothing which either forbids.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let digital_video = self.digital_video.stricter(other.digital_video);
        // Sound that may leave under HDCP takes the version from video, which names none when closed.
        let versions = [self, other].map(|policy| policy.digital_video.hdcp());
        let version_lost = digital_video.hdcp().is_none() && versions != [None, None];
        let audio = |one: DigitalAudio, two: DigitalAudio| {
            let both_silent = (one, two) == (DigitalAudio::Unspecified, DigitalAudio::Unspecified);
            match self.audio(one).max(other.audio(two)) {
                DigitalAudio::HdcpOrScms | DigitalAudio::HdcpRequired if version_lost => {
                    DigitalAudio::Block
                }
                _ if both_silent => DigitalAudio::Unspecified,
                strictest => strictest,
            }
        };
        Self {
            min_security: self.min_security.max(other.min_security),
            digital_video,
            compressed_digital_video: self
                .compressed_digital_video
                .max(other.compressed_digital_video),
            digital_audio_uncompressed: audio(
                self.digital_audio_uncompressed,
                other.digital_audio_uncompressed,
            ),
            digital_audio_compressed: audio(
                self.digital_audio_compressed,
                other.digital_audio_compressed,
            ),
            analog_video: self.analog_video.stricter(other.analog_video),
            agc: self.agc || other.agc,
            color_stripe: self.color_stripe || other.color_stripe,
            max_res_analog: self.max_res_analog.stricter(other.max_res_analog),
            max_res_uncompressed_digital: self.fallback(other, digital_video),
            max_res_compressed_digital: self
                .max_res_compressed_digital
                .stricter(other.max_res_compressed_digital),
            max_res_device: self.max_res_device.stricter(other.max_res_device),
            airplay: self.airplay.max(other.airplay),
            av_adapter: self.av_adapter.max(other.av_adapter),
            export_dtcp: self.export_dtcp.max(other.export_dtcp),
            recording: self.recording.max(other.recording),
            watermark: self.watermark.max(other.watermark),
            persistence: self.persistence.max(other.persistence),
            secure_media_path: self.secure_media_path.max(other.secure_media_path),
            trusted_outputs: self.trusted_outputs.max(other.trusted_outputs),
        }
    }

    /// The cap on uncompressed pictures beside the combined `demand`.
    fn fallback(&self, other: &Self, demand: DigitalVideo) -> PictureLimit {
        let (one, two) = (
            self.max_res_uncompressed_digital,
            other.max_res_uncompressed_digital,
        );
        if !matches!(demand, DigitalVideo::HdcpRequired(Hdcp::Type1(_))) {
            return one.stricter(two);
        }
        match self.below_type_1().min(other.below_type_1()) {
            Allowance::UpTo(pixels) => PictureLimit::Pixels(pixels),
            // Type 1 is demanded and there is no fallback that both would allow.
            Allowance::Nothing | Allowance::Any => PictureLimit::Unlimited,
        }
    }

    /// What the policy allows on the weakest link with HDCP at all.
    fn below_type_1(&self) -> Allowance {
        let cap = match self.max_res_uncompressed_digital {
            PictureLimit::Pixels(pixels) => Allowance::UpTo(pixels),
            PictureLimit::Unspecified | PictureLimit::Unlimited => Allowance::Any,
        };
        let weakest = Hdcp::Type0(HdcpVersion::V1);
        match self.digital_video {
            DigitalVideo::HdcpOrConstrain(wanted) if !weakest.meets(wanted) => {
                match PictureLimit::CONSTRAINED {
                    PictureLimit::Pixels(pixels) => cap.min(Allowance::UpTo(pixels)),
                    PictureLimit::Unspecified | PictureLimit::Unlimited => Allowance::Nothing,
                }
            }
            DigitalVideo::HdcpRequired(wanted) if !weakest.meets(wanted) => match (wanted, cap) {
                (Hdcp::Type1(_), Allowance::UpTo(_)) => cap,
                _ => Allowance::Nothing,
            },
            DigitalVideo::Block => Allowance::Nothing,
            _ => cap,
        }
    }

    /// What is demanded of sound: what the rules say of it, or what they say of video.
    pub(crate) const fn audio(&self, stated: DigitalAudio) -> DigitalAudio {
        match (stated, self.digital_video) {
            (
                DigitalAudio::Unspecified,
                DigitalVideo::HdcpOrConstrain(_) | DigitalVideo::HdcpRequired(_),
            ) => DigitalAudio::HdcpRequired,
            (DigitalAudio::Unspecified, DigitalVideo::Block) => DigitalAudio::Block,
            (stated, _) => stated,
        }
    }
}

impl Hdcp {
    /// The least that meets both.
    fn both(self, other: Self) -> Self {
        let version = self.version().max(other.version());
        match (self, other) {
            (Self::Type0(_), Self::Type0(_)) => Self::Type0(version),
            _ => Self::Type1(match version {
                HdcpVersion::V2_3 => Type1Version::V2_3,
                _ => Type1Version::V2_2,
            }),
        }
    }
}

impl DigitalVideo {
    /// The stricter kind, with the HDCP that meets both.
    fn stricter(self, other: Self) -> Self {
        let hdcp = match (self.hdcp(), other.hdcp()) {
            (Some(one), Some(two)) => Some(one.both(two)),
            (one, two) => one.or(two),
        };
        match (self.max(other), hdcp) {
            (Self::HdcpBestEffort(_), Some(hdcp)) => Self::HdcpBestEffort(hdcp),
            (Self::HdcpOrConstrain(_), Some(hdcp)) => Self::HdcpOrConstrain(hdcp),
            (Self::HdcpRequired(_), Some(hdcp)) => Self::HdcpRequired(hdcp),
            (strictest, _) => strictest,
        }
    }
}

impl AnalogVideo {
    /// The stricter kind, with the copy control that meets both.
    fn stricter(self, other: Self) -> Self {
        let cgms_a: Option<CgmsA> = self.cgms_a().max(other.cgms_a());
        match (self.max(other), cgms_a) {
            (Self::CgmsBestEffort(_), Some(state)) => Self::CgmsBestEffort(state),
            (Self::CgmsRequired(_), Some(state)) => Self::CgmsRequired(state),
            (strictest, _) => strictest,
        }
    }
}
