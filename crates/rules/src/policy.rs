//! The policy itself: its fields, its encoding, and what it demands.

use core::fmt;

use keybearer_cbor::{Decoder, Encoder, Error};

use crate::level::{Level, MinSecurity};
use crate::values::{
    CompressedVideo, DigitalAudio, Permission, Persistence, PictureLimit, Recording,
    SecureMediaPath, TrustedOutputs, Watermark,
};
use crate::video::{
    AnalogVideo, AnalogVideoKind, CgmsA, DigitalVideo, DigitalVideoKind, HdcpVersion,
};

/// Keys of the encoded map. Never changed, only retired; a name is that of the rule tables.
mod key {
    pub(super) const MIN_SECURITY: i64 = 1;
    pub(super) const DIGITAL_VIDEO: i64 = 2;
    pub(super) const HDCP_MIN: i64 = 3;
    pub(super) const HDCP_STREAM_TYPE: i64 = 4;
    pub(super) const COMPRESSED_DIGITAL_VIDEO: i64 = 5;
    pub(super) const DIGITAL_AUDIO_UNCOMPRESSED: i64 = 6;
    pub(super) const DIGITAL_AUDIO_COMPRESSED: i64 = 7;
    pub(super) const ANALOG_VIDEO: i64 = 8;
    pub(super) const CGMS_A: i64 = 9;
    pub(super) const AGC: i64 = 10;
    pub(super) const COLOR_STRIPE: i64 = 11;
    pub(super) const MAX_RES_ANALOG: i64 = 12;
    pub(super) const MAX_RES_UNCOMPRESSED_DIGITAL: i64 = 13;
    pub(super) const MAX_RES_COMPRESSED_DIGITAL: i64 = 14;
    pub(super) const MAX_RES_DEVICE: i64 = 15;
    pub(super) const AIRPLAY: i64 = 16;
    pub(super) const AV_ADAPTER: i64 = 17;
    pub(super) const EXPORT_DTCP: i64 = 18;
    pub(super) const RECORDING: i64 = 19;
    pub(super) const WATERMARK: i64 = 20;
    pub(super) const PERSISTENCE: i64 = 21;
    pub(super) const SECURE_MEDIA_PATH: i64 = 22;
    pub(super) const TRUSTED_OUTPUTS: i64 = 23;
}

/// What a content key demands of the device and its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputPolicy {
    /// The least security level.
    pub min_security: MinSecurity,
    /// Uncompressed video on digital outputs, with the HDCP it asks for.
    pub digital_video: DigitalVideo,
    /// Compressed video on digital outputs.
    pub compressed_digital_video: CompressedVideo,
    /// Uncompressed audio on digital outputs.
    pub digital_audio_uncompressed: DigitalAudio,
    /// Compressed audio on digital outputs.
    pub digital_audio_compressed: DigitalAudio,
    /// Video on analogue outputs, with the CGMS-A it asks for.
    pub analog_video: AnalogVideo,
    /// Automatic gain control on analogue outputs.
    pub agc: bool,
    /// Colour stripes on analogue outputs.
    pub color_stripe: bool,
    /// The largest picture on analogue outputs.
    pub max_res_analog: PictureLimit,
    /// The largest uncompressed picture on digital outputs.
    pub max_res_uncompressed_digital: PictureLimit,
    /// The largest compressed picture on digital outputs.
    pub max_res_compressed_digital: PictureLimit,
    /// The largest picture the device may decode.
    pub max_res_device: PictureLimit,
    /// AirPlay receivers.
    pub airplay: Permission,
    /// Digital AV adapters.
    pub av_adapter: Permission,
    /// Export under DTCP.
    pub export_dtcp: Permission,
    /// Recording.
    pub recording: Recording,
    /// Watermarks.
    pub watermark: Watermark,
    /// Stored licences.
    pub persistence: Persistence,
    /// A media path closed to the operating system.
    pub secure_media_path: SecureMediaPath,
    /// What the server asks for by itself; [`trusted_outputs_required`] has what counts.
    ///
    /// [`trusted_outputs_required`]: Self::trusted_outputs_required
    pub trusted_outputs: TrustedOutputs,
}

impl OutputPolicy {
    /// The policy of rules that say nothing.
    pub const UNSPECIFIED: Self = Self {
        min_security: MinSecurity::Unspecified,
        digital_video: DigitalVideo::Unspecified,
        compressed_digital_video: CompressedVideo::Unspecified,
        digital_audio_uncompressed: DigitalAudio::Unspecified,
        digital_audio_compressed: DigitalAudio::Unspecified,
        analog_video: AnalogVideo::Unspecified,
        agc: false,
        color_stripe: false,
        max_res_analog: PictureLimit::Unspecified,
        max_res_uncompressed_digital: PictureLimit::Unspecified,
        max_res_compressed_digital: PictureLimit::Unspecified,
        max_res_device: PictureLimit::Unspecified,
        airplay: Permission::Unspecified,
        av_adapter: Permission::Unspecified,
        export_dtcp: Permission::Unspecified,
        recording: Recording::Unspecified,
        watermark: Watermark::Unspecified,
        persistence: Persistence::Unspecified,
        secure_media_path: SecureMediaPath::Unspecified,
        trusted_outputs: TrustedOutputs::Optional,
    };

    /// The longest encoding, in bytes: 23 keys and codes of a byte each, but four limits of five.
    pub const MAX_ENCODED: usize = 63;

    /// The least level that a device needs, or `None` when no level will do.
    ///
    /// A secure media path is what only [`Level::High`] has.
    #[must_use]
    pub fn least_level(&self) -> Option<Level> {
        let path = match self.secure_media_path {
            SecureMediaPath::Required => Level::High,
            SecureMediaPath::Unspecified | SecureMediaPath::Optional => Level::None,
        };
        match self.min_security {
            MinSecurity::Unspecified => Some(path),
            MinSecurity::AtLeast(least) => Some(least.max(path)),
            MinSecurity::Deny => None,
        }
    }

    /// Whether only a trusted monitor's report of the outputs counts.
    ///
    /// A secure media path is worth nothing when the host may describe where it ends.
    #[must_use]
    pub fn trusted_outputs_required(&self) -> bool {
        self.trusted_outputs == TrustedOutputs::Required
            || self.secure_media_path == SecureMediaPath::Required
    }

    /// Whether nothing at all is demanded of outputs, so that no report of them is needed.
    ///
    /// A demand is whatever a report could decide or an output would have to do, best efforts
    /// included. The level, the largest picture decoded, watermarks and stored licences concern no
    /// output.
    #[must_use]
    pub fn demands_nothing(&self) -> bool {
        // Taken apart without `..`, so that a new field cannot be forgotten here.
        let Self {
            min_security: _,
            digital_video,
            compressed_digital_video,
            digital_audio_uncompressed,
            digital_audio_compressed,
            analog_video,
            agc,
            color_stripe,
            max_res_analog,
            max_res_uncompressed_digital,
            max_res_compressed_digital,
            max_res_device: _,
            airplay,
            av_adapter,
            export_dtcp,
            recording,
            watermark: _,
            persistence: _,
            secure_media_path: _,
            trusted_outputs: _,
        } = *self;
        !self.trusted_outputs_required()
            && digital_video <= DigitalVideo::AllowAny
            && compressed_digital_video <= CompressedVideo::AllowAny
            && digital_audio_uncompressed <= DigitalAudio::AllowAny
            && digital_audio_compressed <= DigitalAudio::AllowAny
            && analog_video <= AnalogVideo::AllowAny
            && !agc
            && !color_stripe
            && !max_res_analog.is_pixels()
            && !max_res_uncompressed_digital.is_pixels()
            && !max_res_compressed_digital.is_pixels()
            && airplay <= Permission::Allow
            && av_adapter <= Permission::Allow
            && export_dtcp <= Permission::Allow
            && recording <= Recording::Unrestricted
    }

    /// Writes the policy as one integer map with every field.
    ///
    /// # Errors
    /// What the encoder reports.
    pub fn encode(&self, encoder: &mut Encoder) -> Result<(), Error> {
        let hdcp = self.digital_video.hdcp();
        encoder.map(|m| {
            m.entry(key::MIN_SECURITY, |e| self.min_security.encode(e))?;
            m.entry(key::DIGITAL_VIDEO, |e| self.digital_video.kind().encode(e))?;
            m.entry(key::HDCP_MIN, |e| match hdcp {
                Some(hdcp) => hdcp.version().encode(e),
                None => e.uint(0),
            })?;
            m.entry(key::HDCP_STREAM_TYPE, |e| match hdcp {
                Some(hdcp) => e.uint(hdcp.stream_type().into()),
                None => e.null(),
            })?;
            m.entry(key::COMPRESSED_DIGITAL_VIDEO, |e| {
                self.compressed_digital_video.encode(e)
            })?;
            m.entry(key::DIGITAL_AUDIO_UNCOMPRESSED, |e| {
                self.digital_audio_uncompressed.encode(e)
            })?;
            m.entry(key::DIGITAL_AUDIO_COMPRESSED, |e| {
                self.digital_audio_compressed.encode(e)
            })?;
            m.entry(key::ANALOG_VIDEO, |e| self.analog_video.kind().encode(e))?;
            m.entry(key::CGMS_A, |e| match self.analog_video.cgms_a() {
                Some(cgms_a) => cgms_a.encode(e),
                None => e.uint(0),
            })?;
            m.entry(key::AGC, |e| e.bool(self.agc))?;
            m.entry(key::COLOR_STRIPE, |e| e.bool(self.color_stripe))?;
            m.entry(key::MAX_RES_ANALOG, |e| self.max_res_analog.encode(e))?;
            m.entry(key::MAX_RES_UNCOMPRESSED_DIGITAL, |e| {
                self.max_res_uncompressed_digital.encode(e)
            })?;
            m.entry(key::MAX_RES_COMPRESSED_DIGITAL, |e| {
                self.max_res_compressed_digital.encode(e)
            })?;
            m.entry(key::MAX_RES_DEVICE, |e| self.max_res_device.encode(e))?;
            m.entry(key::AIRPLAY, |e| self.airplay.encode(e))?;
            m.entry(key::AV_ADAPTER, |e| self.av_adapter.encode(e))?;
            m.entry(key::EXPORT_DTCP, |e| self.export_dtcp.encode(e))?;
            m.entry(key::RECORDING, |e| self.recording.encode(e))?;
            m.entry(key::WATERMARK, |e| self.watermark.encode(e))?;
            m.entry(key::PERSISTENCE, |e| self.persistence.encode(e))?;
            m.entry(key::SECURE_MEDIA_PATH, |e| self.secure_media_path.encode(e))?;
            m.entry(key::TRUSTED_OUTPUTS, |e| self.trusted_outputs.encode(e))
        })
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// [`Error::MissingKey`] for a field that is absent, [`Error::Value`] for a value or a
    /// combination that means nothing, and what the decoder reports.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        // The fields are written in the order of their keys, which is the order of evaluation.
        decoder.map(|m| {
            Ok(Self {
                min_security: m.required(key::MIN_SECURITY, MinSecurity::decode)?,
                digital_video: DigitalVideo::from_parts(
                    m.required(key::DIGITAL_VIDEO, DigitalVideoKind::decode)?,
                    m.required(key::HDCP_MIN, |d| or_none(d, HdcpVersion::from_code))?,
                    m.required(key::HDCP_STREAM_TYPE, |d| d.nullable(Decoder::u8))?,
                )?,
                compressed_digital_video: m
                    .required(key::COMPRESSED_DIGITAL_VIDEO, CompressedVideo::decode)?,
                digital_audio_uncompressed: m
                    .required(key::DIGITAL_AUDIO_UNCOMPRESSED, DigitalAudio::decode)?,
                digital_audio_compressed: m
                    .required(key::DIGITAL_AUDIO_COMPRESSED, DigitalAudio::decode)?,
                analog_video: AnalogVideo::from_parts(
                    m.required(key::ANALOG_VIDEO, AnalogVideoKind::decode)?,
                    m.required(key::CGMS_A, |d| or_none(d, CgmsA::from_code))?,
                )?,
                agc: m.required(key::AGC, Decoder::bool)?,
                color_stripe: m.required(key::COLOR_STRIPE, Decoder::bool)?,
                max_res_analog: m.required(key::MAX_RES_ANALOG, PictureLimit::decode)?,
                max_res_uncompressed_digital: m
                    .required(key::MAX_RES_UNCOMPRESSED_DIGITAL, PictureLimit::decode)?,
                max_res_compressed_digital: m
                    .required(key::MAX_RES_COMPRESSED_DIGITAL, PictureLimit::decode)?,
                max_res_device: m.required(key::MAX_RES_DEVICE, PictureLimit::decode)?,
                airplay: m.required(key::AIRPLAY, Permission::decode)?,
                av_adapter: m.required(key::AV_ADAPTER, Permission::decode)?,
                export_dtcp: m.required(key::EXPORT_DTCP, Permission::decode)?,
                recording: m.required(key::RECORDING, Recording::decode)?,
                watermark: m.required(key::WATERMARK, Watermark::decode)?,
                persistence: m.required(key::PERSISTENCE, Persistence::decode)?,
                secure_media_path: m.required(key::SECURE_MEDIA_PATH, SecureMediaPath::decode)?,
                trusted_outputs: m.required(key::TRUSTED_OUTPUTS, TrustedOutputs::decode)?,
            })
        })
    }

    /// Shows every field by its table name and value, in the order of the tables.
    ///
    /// # Errors
    /// Whatever `show` returns, at once.
    pub fn fields<E>(
        &self,
        mut show: impl FnMut(&'static str, &dyn fmt::Display) -> Result<(), E>,
    ) -> Result<(), E> {
        let hdcp = self.digital_video.hdcp();
        let (version, stream_type) = (hdcp.map(|h| h.version()), hdcp.map(|h| h.stream_type()));
        show("min_security", &self.min_security)?;
        show("digital_video", &self.digital_video.kind())?;
        show("hdcp_min", or_none_name(&version))?;
        show("hdcp_stream_type", or_none_name(&stream_type))?;
        show("compressed_digital_video", &self.compressed_digital_video)?;
        show(
            "digital_audio_uncompressed",
            &self.digital_audio_uncompressed,
        )?;
        show("digital_audio_compressed", &self.digital_audio_compressed)?;
        show("analog_video", &self.analog_video.kind())?;
        show("cgms_a", or_none_name(&self.analog_video.cgms_a()))?;
        show("agc", &self.agc)?;
        show("color_stripe", &self.color_stripe)?;
        show("max_res_analog", &self.max_res_analog)?;
        show(
            "max_res_uncompressed_digital",
            &self.max_res_uncompressed_digital,
        )?;
        show(
            "max_res_compressed_digital",
            &self.max_res_compressed_digital,
        )?;
        show("max_res_device", &self.max_res_device)?;
        show("airplay", &self.airplay)?;
        show("av_adapter", &self.av_adapter)?;
        show("export_dtcp", &self.export_dtcp)?;
        show("recording", &self.recording)?;
        show("watermark", &self.watermark)?;
        show("persistence", &self.persistence)?;
        show("secure_media_path", &self.secure_media_path)?;
        show("trusted_outputs", &self.trusted_outputs)
    }
}

/// Reads a code, of which 0 stands for none.
fn or_none<T>(
    decoder: &mut Decoder<'_>,
    from_code: impl FnOnce(u8) -> Option<T>,
) -> Result<Option<T>, Error> {
    match decoder.u8()? {
        0 => Ok(None),
        code => from_code(code).map(Some).ok_or(Error::Value),
    }
}

/// How the tables write a value that does not apply.
fn or_none_name<T: fmt::Display>(value: &Option<T>) -> &dyn fmt::Display {
    match value {
        Some(value) => value,
        None => &"none",
    }
}
