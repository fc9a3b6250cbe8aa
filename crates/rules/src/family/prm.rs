//! PRM and software PRM, which share one table.
//!
//! `hdcp` and `watermarkingEnabled` are permissions: they authorise and never oblige. The decision
//! tables for digital and analogue video are those of the generic rules too.

use core::num::NonZeroU32;

use super::family;
use crate::form::{Form, RuleValue, numbers, words};
use crate::{
    AnalogVideo, CgmsA, DigitalVideo, Hdcp, HdcpVersion, Level, MinSecurity, OutputPolicy,
    PictureLimit, SecureMediaPath, Type1Version, Watermark,
};

numbers! {
    /// The least security level of a PRM device. Ascending, compared as opaque integers.
    PrmLevel as Int, "0, 1000, 2000, 3000, 4000 or 10000" {
        /// A device for testing, or better.
        Test = 0,
        /// Cryptography secured by software.
        SoftwareCrypto = 1000,
        /// Cryptography secured by hardware.
        HardwareCrypto = 2000,
        /// Cryptography and decoding secured by hardware. Inferred: the public list stops before it.
        HardwareDecode = 3000,
        /// The same, and certified. Inferred from generic level 4; the canonical policy has no such
        /// step, so outside a PRM request it counts as [`Self::HardwareDecode`].
        Certified = 4000,
        /// No device reaches it: no licence can be had.
        Nobody = 10000,
    }
}

words! {
    /// How far HDCP may be negotiated down.
    HdcpType, "TYPE_0 or TYPE_1" {
        /// To any version.
        Type0 = "TYPE_0",
        /// Not at all: 2.2 or later, content stream type 1.
        Type1 = "TYPE_1",
    }
}

impl HdcpType {
    /// What it asks of a link.
    #[must_use]
    pub const fn hdcp(self) -> Hdcp {
        match self {
            Self::Type0 => Hdcp::Type0(HdcpVersion::V1),
            Self::Type1 => Hdcp::Type1(Type1Version::V2_2),
        }
    }
}

/// A cap on the picture of one way out.
///
/// The documents name `NO_RESTRICTIONS` and keep the other tokens to themselves. A number of pixels
/// stands in for them, neutral and our own; any other word is [`Unknown`](Self::Unknown) and closes
/// the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CappingResolution {
    /// The picture need not be scaled down.
    NoRestrictions,
    /// At most so many pixels.
    Pixels(NonZeroU32),
    /// A token without public meaning.
    Unknown,
}

impl RuleValue for CappingResolution {
    const EXPECTED: &'static str = "NO_RESTRICTIONS or a number of pixels above 0";

    fn form(self) -> Form<'static> {
        match self {
            Self::NoRestrictions => Form::Word("NO_RESTRICTIONS"),
            Self::Pixels(pixels) => Form::Int(pixels.get().into()),
            Self::Unknown => Form::Word("UNKNOWN"),
        }
    }

    fn read(form: Form<'_>) -> Option<Self> {
        match form {
            Form::Word("NO_RESTRICTIONS") => Some(Self::NoRestrictions),
            Form::Word(_) => Some(Self::Unknown),
            Form::Int(pixels) => {
                let pixels = u32::try_from(pixels).ok().and_then(NonZeroU32::new)?;
                Some(Self::Pixels(pixels))
            }
            Form::Unset | Form::Bool(_) | Form::Hex(_) => None,
        }
    }
}

impl CappingResolution {
    const fn limit(self) -> PictureLimit {
        match self {
            Self::Pixels(pixels) => PictureLimit::Pixels(pixels),
            // An unknown cap closes its way out by another field, since no size is small enough.
            Self::NoRestrictions | Self::Unknown => PictureLimit::Unlimited,
        }
    }
}

/// Whether the secure media path is demanded whatever the level says.
///
/// The tokens are lost: `TRUE` and `FALSE` are inferred. Any word is taken as the stricter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecureMediaPathActivation {
    /// It is.
    On,
    /// It is not.
    Off,
    /// A token without public meaning: counts as [`Self::On`].
    Unknown,
}

impl RuleValue for SecureMediaPathActivation {
    const EXPECTED: &'static str = "TRUE or FALSE, or - to let the level decide";

    fn form(self) -> Form<'static> {
        match self {
            Self::On => Form::Bool(true),
            Self::Off => Form::Bool(false),
            Self::Unknown => Form::Word("UNKNOWN"),
        }
    }

    fn read(form: Form<'_>) -> Option<Self> {
        match form {
            Form::Bool(true) => Some(Self::On),
            Form::Bool(false) => Some(Self::Off),
            Form::Word(_) => Some(Self::Unknown),
            Form::Unset | Form::Int(_) | Form::Hex(_) => None,
        }
    }
}

use CappingResolution::NoRestrictions;

family! {
    /// The rules of PRM and software PRM.
    PrmRules {
        /// The least level of the device.
        min_level: PrmLevel = "minLevel" [
            PrmLevel::Test, PrmLevel::SoftwareCrypto, PrmLevel::SoftwareCrypto,
            PrmLevel::HardwareDecode, PrmLevel::SoftwareCrypto
        ];
        /// A cap on analogue outputs.
        analog_capping_resolution: CappingResolution = "analogCappingResolution"
            [NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions];
        /// No analogue video at all.
        digital_only: bool = "digitalOnly" [false, false, true, true, true];
        /// Digital output under HDCP is authorised.
        hdcp: bool = "hdcp" [true, true, true, true, true];
        /// How far HDCP may be negotiated down.
        hdcp_type: HdcpType = "hdcpType" [
            HdcpType::Type0, HdcpType::Type0, HdcpType::Type0, HdcpType::Type1, HdcpType::Type1
        ];
        /// Analogue pictures are scaled down. That this means PlayReady's 520,000 pixels is
        /// inferred.
        image_constraint: bool = "imageConstraint" [false, false, false, false, false];
        /// A cap where type 1 is wanted and only type 0 is reached. `NO_RESTRICTIONS` can be read
        /// as "no cap" and as "no way out"; the second, strict reading holds here.
        uncompressed_digital_capping_resolution: CappingResolution =
            "uncompressedDigitalCappingResolution"
            [NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions];
        /// A cap on every output, the built-in panel included.
        device_capping_resolution: CappingResolution = "deviceCappingResolution"
            [NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions];
        /// Analogue video may be unprotected. What protects it otherwise, CGMS-A "copy never", is
        /// inferred.
        unprotected_analog_output: bool = "unprotectedAnalogOutput"
            [true, true, false, false, false];
        /// Digital video may be unprotected; the HDCP rules are then ignored.
        unprotected_digital_output: bool = "unprotectedDigitalOutput"
            [true, true, false, false, false];
        /// The device may embed a watermark.
        watermarking_enabled: bool = "watermarkingEnabled" [true, true, true, true, true];
        /// Overrides what the level says of the secure media path. Unknown, see the type.
        secure_media_path_activation: Option<SecureMediaPathActivation> =
            "secureMediaPathActivation" [None, None, None, None, None];
    }
}

impl PrmRules {
    /// What the rules demand of the device and its outputs. The device counts as secure from level
    /// 3000 on, which is inferred.
    #[must_use]
    pub fn policy(&self) -> OutputPolicy {
        let min_security = match self.min_level {
            PrmLevel::Test => MinSecurity::AtLeast(Level::None),
            PrmLevel::SoftwareCrypto => MinSecurity::AtLeast(Level::Low),
            PrmLevel::HardwareCrypto => MinSecurity::AtLeast(Level::Medium),
            PrmLevel::HardwareDecode | PrmLevel::Certified => MinSecurity::AtLeast(Level::High),
            PrmLevel::Nobody => MinSecurity::Deny,
        };
        let digital_video = match (self.unprotected_digital_output, self.hdcp) {
            (true, _) => DigitalVideo::AllowAny,
            (false, true) => DigitalVideo::HdcpRequired(self.hdcp_type.hdcp()),
            (false, false) => DigitalVideo::Block,
        };
        let analog_video = match (self.digital_only, self.unprotected_analog_output) {
            _ if self.analog_capping_resolution == CappingResolution::Unknown => AnalogVideo::Block,
            (true, _) => AnalogVideo::Block,
            (false, true) => AnalogVideo::AllowAny,
            (false, false) => AnalogVideo::CgmsRequired(CgmsA::CopyNever),
        };
        let constraint = match self.image_constraint {
            true => PictureLimit::CONSTRAINED,
            false => PictureLimit::Unlimited,
        };
        // The cap is a fallback below type 1 and says nothing where type 1 is not wanted. An unknown
        // one gives no fallback, which is what no limit means there.
        let falls_back = matches!(digital_video, DigitalVideo::HdcpRequired(Hdcp::Type1(_)));
        let uncompressed_cap = match falls_back {
            true => self.uncompressed_digital_capping_resolution.limit(),
            false => PictureLimit::Unlimited,
        };
        let min_security = match self.device_capping_resolution {
            // Every way out is closed, so there is nothing left to grant.
            CappingResolution::Unknown => MinSecurity::Deny,
            _ => min_security,
        };
        let secure_media_path = match self.secure_media_path_activation {
            None => secure_from(min_security),
            Some(SecureMediaPathActivation::Off) => SecureMediaPath::Optional,
            Some(SecureMediaPathActivation::On | SecureMediaPathActivation::Unknown) => {
                SecureMediaPath::Required
            }
        };
        OutputPolicy {
            min_security,
            digital_video,
            analog_video,
            max_res_analog: self.analog_capping_resolution.limit().stricter(constraint),
            max_res_uncompressed_digital: uncompressed_cap,
            max_res_compressed_digital: PictureLimit::Unlimited,
            max_res_device: self.device_capping_resolution.limit(),
            watermark: match self.watermarking_enabled {
                true => Watermark::Permitted,
                false => Watermark::Forbidden,
            },
            secure_media_path,
            ..OutputPolicy::UNSPECIFIED
        }
    }
}

/// Where the rules leave the secure media path to the level, it is demanded from High on.
pub(super) fn secure_from(min_security: MinSecurity) -> SecureMediaPath {
    match min_security >= MinSecurity::AtLeast(Level::High) {
        true => SecureMediaPath::Required,
        false => SecureMediaPath::Optional,
    }
}
