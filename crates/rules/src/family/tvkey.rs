//! TVkey Cloud. Nothing of what the rules mean is public: every meaning here is inferred from
//! names, from the generic rules and from the columns.

use super::family;
use super::prm::HdcpType;
use crate::form::{Form, RuleValue, numbers};
use crate::{
    CompressedVideo, DigitalVideo, OutputPolicy, Permission, PictureLimit, Recording,
    SecureMediaPath,
};

numbers! {
    /// The HDCP type, moot where the tokens are FALSE.
    TvKeyHdcpType as Int, "0 or 1" {
        /// Any HDCP.
        Type0 = 0,
        /// 2.2 or later.
        Type1 = 1,
    }
}

/// A cap on the picture, as a code of four bits. Only 15, no restriction, is inferred; what 0 to 14
/// mean is not known, so they close their output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TvKeyCapping(u8);

impl TvKeyCapping {
    /// 15: no restriction.
    pub const NO_RESTRICTION: Self = Self(15);

    /// The cap of a code, 0 to 15.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0..=15 => Some(Self(code)),
            _ => None,
        }
    }

    /// The code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    const fn is_known(self) -> bool {
        self.0 == Self::NO_RESTRICTION.0
    }
}

impl RuleValue for TvKeyCapping {
    const EXPECTED: &'static str = "0 to 15";

    fn form(self) -> Form<'static> {
        Form::Int(self.0.into())
    }

    fn read(form: Form<'_>) -> Option<Self> {
        match form {
            Form::Int(code) => u8::try_from(code).ok().and_then(Self::from_code),
            _ => None,
        }
    }
}

use TvKeyCapping as Cap;
use TvKeyHdcpType::Type0;

family! {
    /// The rules of TVkey Cloud.
    TvKeyRules {
        /// What leaves the TV has to stay protected.
        export_protection: bool = "exportProtection" [false, false, true, true, false];
        /// Recording and forwarding are restricted.
        redistribution_control: bool = "redistributionControl" [false, false, false, true, false];
        /// Decoded pictures stay in protected buffers.
        protected_buffer_indicator: bool = "protectedBufferIndicator"
            [false, false, false, true, false];
        /// Uncompressed output under HDCP is authorised. A permission, because the strictest column
        /// has FALSE.
        hdcp_uncompressed_token: bool = "hdcpUncompressedToken" [true, true, true, false, true];
        /// Compressed output under HDCP is authorised.
        hdcp_compressed_token: bool = "hdcpCompressedToken" [true, true, true, false, true];
        /// The HDCP type.
        hdcp_type: TvKeyHdcpType = "hdcpType" [Type0, Type0, Type0, Type0, Type0];
        /// A cap on uncompressed digital output.
        uncompressed_digital_capping_resolution: TvKeyCapping =
            "uncompressedDigitalCappingResolution" [
                Cap::NO_RESTRICTION, Cap::NO_RESTRICTION, Cap::NO_RESTRICTION,
                Cap::NO_RESTRICTION, Cap::NO_RESTRICTION
            ];
        /// A cap on compressed digital output.
        compressed_digital_capping_resolution: TvKeyCapping =
            "compressedDigitalCappingResolution" [
                Cap::NO_RESTRICTION, Cap::NO_RESTRICTION, Cap::NO_RESTRICTION,
                Cap::NO_RESTRICTION, Cap::NO_RESTRICTION
            ];
    }
}

impl TvKeyRules {
    /// What the rules demand of the outputs; they say nothing of the device's level.
    #[must_use]
    pub fn policy(&self) -> OutputPolicy {
        let hdcp = match self.hdcp_type {
            Type0 => HdcpType::Type0.hdcp(),
            TvKeyHdcpType::Type1 => HdcpType::Type1.hdcp(),
        };
        let protected = self.export_protection;
        OutputPolicy {
            digital_video: match (protected, self.hdcp_uncompressed_token) {
                _ if !self.uncompressed_digital_capping_resolution.is_known() => {
                    DigitalVideo::Block
                }
                (false, _) => DigitalVideo::AllowAny,
                (true, true) => DigitalVideo::HdcpRequired(hdcp),
                (true, false) => DigitalVideo::Block,
            },
            compressed_digital_video: match (protected, self.hdcp_compressed_token) {
                _ if !self.compressed_digital_capping_resolution.is_known() => {
                    CompressedVideo::Block
                }
                (false, _) => CompressedVideo::AllowAny,
                (true, true) => CompressedVideo::HdcpRequired,
                (true, false) => CompressedVideo::Block,
            },
            max_res_analog: PictureLimit::Unlimited,
            max_res_uncompressed_digital: PictureLimit::Unlimited,
            max_res_compressed_digital: PictureLimit::Unlimited,
            max_res_device: PictureLimit::Unlimited,
            export_dtcp: Permission::allow_if(!protected),
            recording: match self.redistribution_control {
                true => Recording::Restricted,
                false => Recording::Unrestricted,
            },
            secure_media_path: match self.protected_buffer_indicator {
                true => SecureMediaPath::Required,
                false => SecureMediaPath::Optional,
            },
            ..OutputPolicy::UNSPECIFIED
        }
    }
}
