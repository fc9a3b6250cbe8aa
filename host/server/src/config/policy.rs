//! The canonical output policy in the words of the rule tables.
//!
//! A field left out is unspecified. A combination that the rules room has no value for (a version
//! of HDCP without a demand for HDCP, stream type 1 below 2.2) is refused, never bent.

use std::num::NonZeroU32;

use keybearer_rules::{
    AnalogVideo, CgmsA, CompressedVideo, DigitalAudio, DigitalVideo, Hdcp, HdcpVersion, Level,
    MinSecurity, OutputPolicy, Permission, Persistence, PictureLimit, Recording, SecureMediaPath,
    TrustedOutputs, Watermark,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::text::{Text, TextForm};
use crate::names::{Name, Named, words};

/// `digital_video` without its HDCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum VideoKind {
    AllowAny,
    HdcpBestEffort,
    HdcpOrConstrain,
    HdcpRequired,
    Block,
}

/// `analog_video` without its CGMS-A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnalogKind {
    AllowAny,
    CgmsBestEffort,
    CgmsRequired,
    Block,
}

words! {
    VideoKind, "rule for digital video":
        AllowAny = "allow_any", HdcpBestEffort = "hdcp_best_effort",
        HdcpOrConstrain = "hdcp_or_constrain", HdcpRequired = "hdcp_required", Block = "block";
    AnalogKind, "rule for analogue video":
        AllowAny = "allow_any", CgmsBestEffort = "cgms_best_effort",
        CgmsRequired = "cgms_required", Block = "block";
}

impl TextForm for MinSecurity {
    const EXPECTED: &'static str = "none, low, medium, high or deny";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "deny" => Some(Self::Deny),
            level => Level::from_word(level).map(Self::AtLeast),
        }
    }

    fn form(&self) -> String {
        self.to_string()
    }
}

/// A limit on the picture: a number of pixels, or `"none"`.
#[derive(Clone, Copy, Debug)]
struct Limit(PictureLimit);

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            PictureLimit::Pixels(pixels) => pixels.serialize(serializer),
            other => other.to_string().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a number of pixels above 0, or \"none\""
        )]
        enum Form {
            Pixels(NonZeroU32),
            Word(String),
        }

        match Form::deserialize(deserializer)? {
            Form::Pixels(pixels) => Ok(Self(PictureLimit::Pixels(pixels))),
            Form::Word(word) if word == "none" => Ok(Self(PictureLimit::Unlimited)),
            Form::Word(word) => Err(de::Error::custom(format_args!(
                "{word:?} found, expected a number of pixels above 0, or \"none\""
            ))),
        }
    }
}

macro_rules! form {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        /// A policy as it stands in a file; every field may be left out.
        #[derive(Debug, Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct PolicyForm {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] $field: Option<$type>,)+
        }
    };
}

form! {
    min_security: Text<MinSecurity>,
    digital_video: Name<VideoKind>,
    /// With a `digital_video` that asks for HDCP; 1.x where it is left out.
    hdcp_min: Name<HdcpVersion>,
    /// 0 or 1; 0 where it is left out.
    hdcp_stream_type: u8,
    compressed_digital_video: Name<CompressedVideo>,
    digital_audio_uncompressed: Name<DigitalAudio>,
    digital_audio_compressed: Name<DigitalAudio>,
    analog_video: Name<AnalogKind>,
    /// With an `analog_video` that asks for CGMS-A, and then not left out.
    cgms_a: Name<CgmsA>,
    agc: bool,
    color_stripe: bool,
    max_res_analog: Limit,
    max_res_uncompressed_digital: Limit,
    max_res_compressed_digital: Limit,
    max_res_device: Limit,
    airplay: Name<Permission>,
    av_adapter: Name<Permission>,
    export_dtcp: Name<Permission>,
    recording: Name<Recording>,
    watermark: Name<Watermark>,
    persistence: Name<Persistence>,
    secure_media_path: Name<SecureMediaPath>,
    trusted_outputs: Name<TrustedOutputs>,
}

impl PolicyForm {
    /// The policy, or what is wrong with it.
    pub(crate) fn policy(&self) -> Result<OutputPolicy, &'static str> {
        let unspecified = OutputPolicy::UNSPECIFIED;
        let limit = |limit: Option<Limit>| limit.map_or(PictureLimit::Unspecified, |limit| limit.0);
        let permission =
            |word: Option<Name<Permission>>| word.map_or(Permission::Unspecified, |word| word.0);
        let audio = |word: Option<Name<DigitalAudio>>| {
            word.map_or(DigitalAudio::Unspecified, |word| word.0)
        };
        Ok(OutputPolicy {
            min_security: self
                .min_security
                .map_or(MinSecurity::Unspecified, |level| level.0),
            digital_video: self.digital_video()?,
            compressed_digital_video: self
                .compressed_digital_video
                .map_or(unspecified.compressed_digital_video, |word| word.0),
            digital_audio_uncompressed: audio(self.digital_audio_uncompressed),
            digital_audio_compressed: audio(self.digital_audio_compressed),
            analog_video: self.analog_video()?,
            agc: self.agc.unwrap_or(false),
            color_stripe: self.color_stripe.unwrap_or(false),
            max_res_analog: limit(self.max_res_analog),
            max_res_uncompressed_digital: limit(self.max_res_uncompressed_digital),
            max_res_compressed_digital: limit(self.max_res_compressed_digital),
            max_res_device: limit(self.max_res_device),
            airplay: permission(self.airplay),
            av_adapter: permission(self.av_adapter),
            export_dtcp: permission(self.export_dtcp),
            recording: self.recording.map_or(unspecified.recording, |word| word.0),
            watermark: self.watermark.map_or(unspecified.watermark, |word| word.0),
            persistence: self
                .persistence
                .map_or(unspecified.persistence, |word| word.0),
            secure_media_path: self
                .secure_media_path
                .map_or(unspecified.secure_media_path, |word| word.0),
            trusted_outputs: self
                .trusted_outputs
                .map_or(unspecified.trusted_outputs, |word| word.0),
        })
    }

    fn digital_video(&self) -> Result<DigitalVideo, &'static str> {
        let kind = self.digital_video.map(|word| word.0);
        let demand = match kind {
            Some(VideoKind::HdcpBestEffort) => DigitalVideo::HdcpBestEffort,
            Some(VideoKind::HdcpOrConstrain) => DigitalVideo::HdcpOrConstrain,
            Some(VideoKind::HdcpRequired) => DigitalVideo::HdcpRequired,
            None | Some(VideoKind::AllowAny | VideoKind::Block) => {
                if self.hdcp_min.is_some() || self.hdcp_stream_type.is_some() {
                    return Err(
                        "policy: hdcp_min or hdcp_stream_type without a digital_video \
                                that asks for HDCP",
                    );
                }
                return Ok(match kind {
                    Some(VideoKind::AllowAny) => DigitalVideo::AllowAny,
                    Some(_) => DigitalVideo::Block,
                    None => DigitalVideo::Unspecified,
                });
            }
        };
        let version = self.hdcp_min.map_or(HdcpVersion::V1, |version| version.0);
        let stream_type = self.hdcp_stream_type.unwrap_or(0);
        match (Hdcp::from_parts(version, stream_type), stream_type) {
            (Some(hdcp), _) => Ok(demand(hdcp)),
            (None, 1) => Err("policy: hdcp_stream_type 1 needs hdcp_min 2.2 or 2.3"),
            (None, _) => Err("policy: hdcp_stream_type is 0 or 1"),
        }
    }

    fn analog_video(&self) -> Result<AnalogVideo, &'static str> {
        match (
            self.analog_video.map(|word| word.0),
            self.cgms_a.map(|word| word.0),
        ) {
            (None, None) => Ok(AnalogVideo::Unspecified),
            (Some(AnalogKind::AllowAny), None) => Ok(AnalogVideo::AllowAny),
            (Some(AnalogKind::Block), None) => Ok(AnalogVideo::Block),
            (Some(AnalogKind::CgmsBestEffort), Some(state)) => {
                Ok(AnalogVideo::CgmsBestEffort(state))
            }
            (Some(AnalogKind::CgmsRequired), Some(state)) => Ok(AnalogVideo::CgmsRequired(state)),
            (Some(AnalogKind::CgmsBestEffort | AnalogKind::CgmsRequired), None) => {
                Err("policy: analog_video asks for CGMS-A, so cgms_a must say which")
            }
            (None | Some(AnalogKind::AllowAny | AnalogKind::Block), Some(_)) => {
                Err("policy: cgms_a without an analog_video that asks for it")
            }
        }
    }

    /// The form that reads as `policy`.
    pub(crate) fn of(policy: &OutputPolicy) -> Self {
        let limit =
            |limit: PictureLimit| (limit != PictureLimit::Unspecified).then_some(Limit(limit));
        let hdcp = policy.digital_video.hdcp();
        Self {
            min_security: (policy.min_security != MinSecurity::Unspecified)
                .then_some(Text(policy.min_security)),
            digital_video: video_kind(policy.digital_video).map(Name),
            hdcp_min: hdcp.map(|hdcp| Name(hdcp.version())),
            hdcp_stream_type: hdcp.map(Hdcp::stream_type),
            compressed_digital_video: stated(
                policy.compressed_digital_video,
                CompressedVideo::Unspecified,
            ),
            digital_audio_uncompressed: stated(
                policy.digital_audio_uncompressed,
                DigitalAudio::Unspecified,
            ),
            digital_audio_compressed: stated(
                policy.digital_audio_compressed,
                DigitalAudio::Unspecified,
            ),
            analog_video: analog_kind(policy.analog_video).map(Name),
            cgms_a: policy.analog_video.cgms_a().map(Name),
            agc: policy.agc.then_some(true),
            color_stripe: policy.color_stripe.then_some(true),
            max_res_analog: limit(policy.max_res_analog),
            max_res_uncompressed_digital: limit(policy.max_res_uncompressed_digital),
            max_res_compressed_digital: limit(policy.max_res_compressed_digital),
            max_res_device: limit(policy.max_res_device),
            airplay: stated(policy.airplay, Permission::Unspecified),
            av_adapter: stated(policy.av_adapter, Permission::Unspecified),
            export_dtcp: stated(policy.export_dtcp, Permission::Unspecified),
            recording: stated(policy.recording, Recording::Unspecified),
            watermark: stated(policy.watermark, Watermark::Unspecified),
            persistence: stated(policy.persistence, Persistence::Unspecified),
            secure_media_path: stated(policy.secure_media_path, SecureMediaPath::Unspecified),
            trusted_outputs: stated(policy.trusted_outputs, TrustedOutputs::Optional),
        }
    }
}

/// A field's word, unless it says no more than a field left out.
fn stated<T: Named>(value: T, silent: T) -> Option<Name<T>> {
    (value != silent).then_some(Name(value))
}

const fn video_kind(video: DigitalVideo) -> Option<VideoKind> {
    match video {
        DigitalVideo::Unspecified => None,
        DigitalVideo::AllowAny => Some(VideoKind::AllowAny),
        DigitalVideo::HdcpBestEffort(_) => Some(VideoKind::HdcpBestEffort),
        DigitalVideo::HdcpOrConstrain(_) => Some(VideoKind::HdcpOrConstrain),
        DigitalVideo::HdcpRequired(_) => Some(VideoKind::HdcpRequired),
        DigitalVideo::Block => Some(VideoKind::Block),
    }
}

const fn analog_kind(video: AnalogVideo) -> Option<AnalogKind> {
    match video {
        AnalogVideo::Unspecified => None,
        AnalogVideo::AllowAny => Some(AnalogKind::AllowAny),
        AnalogVideo::CgmsBestEffort(_) => Some(AnalogKind::CgmsBestEffort),
        AnalogVideo::CgmsRequired(_) => Some(AnalogKind::CgmsRequired),
        AnalogVideo::Block => Some(AnalogKind::Block),
    }
}
