//! FairPlay Streaming.

use super::family;
use super::prm::HdcpType;
use crate::form::numbers;
use crate::{DigitalVideo, OutputPolicy, Permission, PictureLimit};

numbers! {
    /// The HDCP that the device enforces on digital outputs: constants of the server kit.
    FairPlayHdcp as Hex,
        "0xEF72894CA7895B78 (none), 0x40791AC78BD5C571 (type 0) or 0x285A0863BBA8E1D3 (type 1)" {
        /// HDCP is not required.
        NotRequired = 0xEF72_894C_A789_5B78,
        /// Type 0.
        Type0 = 0x4079_1AC7_8BD5_C571,
        /// Type 1.
        Type1 = 0x285A_0863_BBA8_E1D3,
    }
}

use FairPlayHdcp::{NotRequired, Type0, Type1};

family! {
    /// The rules of FairPlay.
    FairPlayRules {
        /// AirPlay receivers may play.
        airplay_allowed: bool = "airPlayAllowed" [true, true, true, false, false];
        /// Digital AV adapters may play.
        digital_av_adapter: bool = "digitalAvAdapter" [true, true, true, true, true];
        /// The device has to declare that it enforces HDCP.
        hdcp_strict_enforcement: bool = "hdcpStrictEnforcement" [false, false, true, true, true];
        /// The HDCP that it enforces.
        hdcp_level: FairPlayHdcp = "hdcpLevel" [NotRequired, NotRequired, Type0, Type1, Type1];
    }
}

impl FairPlayRules {
    /// False for HDCP of a type without strict enforcement (UR-24).
    #[must_use]
    pub const fn is_consistent(&self) -> bool {
        self.hdcp_strict_enforcement || matches!(self.hdcp_level, NotRequired)
    }

    /// What the rules demand of the outputs; they say nothing of the device.
    #[must_use]
    pub fn policy(&self) -> OutputPolicy {
        OutputPolicy {
            digital_video: match self.hdcp_level {
                NotRequired => DigitalVideo::AllowAny,
                Type0 => DigitalVideo::HdcpRequired(HdcpType::Type0.hdcp()),
                Type1 => DigitalVideo::HdcpRequired(HdcpType::Type1.hdcp()),
            },
            max_res_analog: PictureLimit::Unlimited,
            max_res_uncompressed_digital: PictureLimit::Unlimited,
            max_res_compressed_digital: PictureLimit::Unlimited,
            max_res_device: PictureLimit::Unlimited,
            airplay: Permission::allow_if(self.airplay_allowed),
            av_adapter: Permission::allow_if(self.digital_av_adapter),
            ..OutputPolicy::UNSPECIFIED
        }
    }
}
