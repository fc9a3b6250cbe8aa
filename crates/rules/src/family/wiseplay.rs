//! WisePlay.

use super::family;
use crate::form::{numbers, words};
use crate::{
    DigitalVideo, Hdcp, HdcpVersion, Level, MinSecurity, OutputPolicy, Persistence, PictureLimit,
    Type1Version,
};

numbers! {
    /// The least security level of a device. There is no level below 1, and no value that bars
    /// everyone.
    WisePlayLevel as Int, "1, 2 or 3" {
        /// Software.
        Software = 1,
        /// Hardware, that is a trusted execution environment.
        Hardware = 2,
        /// Enhanced hardware.
        Enhanced = 3,
    }
}

numbers! {
    /// What an external display needs.
    OutputControl as Int, "0, 1, 2 or 3" {
        /// Nothing.
        Unrestricted = 0,
        /// HDCP 1.4 or later. The canonical policy does not tell the versions 1.x apart.
        Hdcp1 = 1,
        /// HDCP 2.2 or later.
        Hdcp2 = 2,
        /// No external display is good enough. From one vendor's public list; in no column.
        Forbidden = 3,
    }
}

words! {
    /// Whether a licence may be kept.
    LicenseType, "PERSISTENT or NONPERSISTENT" {
        /// It may be stored.
        Persistent = "PERSISTENT",
        /// It ends with its session.
        NonPersistent = "NONPERSISTENT",
    }
}

use LicenseType::{NonPersistent, Persistent};

family! {
    /// The rules of WisePlay.
    WisePlayRules {
        /// The least level of the device.
        security_level: WisePlayLevel = "securityLevel" [
            WisePlayLevel::Software, WisePlayLevel::Software, WisePlayLevel::Hardware,
            WisePlayLevel::Enhanced, WisePlayLevel::Software
        ];
        /// What an external display needs.
        output_control: OutputControl = "outputControl" [
            OutputControl::Unrestricted, OutputControl::Unrestricted, OutputControl::Hdcp1,
            OutputControl::Hdcp2, OutputControl::Hdcp2
        ];
        /// Whether the licence may be kept.
        license_type: LicenseType = "licenseType"
            [Persistent, Persistent, NonPersistent, NonPersistent, Persistent];
    }
}

impl WisePlayRules {
    /// What the rules demand of the device and its outputs.
    #[must_use]
    pub fn policy(&self) -> OutputPolicy {
        OutputPolicy {
            min_security: MinSecurity::AtLeast(match self.security_level {
                WisePlayLevel::Software => Level::Low,
                WisePlayLevel::Hardware => Level::Medium,
                WisePlayLevel::Enhanced => Level::High,
            }),
            digital_video: match self.output_control {
                OutputControl::Unrestricted => DigitalVideo::AllowAny,
                OutputControl::Hdcp1 => DigitalVideo::HdcpRequired(Hdcp::Type0(HdcpVersion::V1)),
                OutputControl::Hdcp2 => DigitalVideo::HdcpRequired(Hdcp::Type1(Type1Version::V2_2)),
                OutputControl::Forbidden => DigitalVideo::Block,
            },
            max_res_analog: PictureLimit::Unlimited,
            max_res_uncompressed_digital: PictureLimit::Unlimited,
            max_res_compressed_digital: PictureLimit::Unlimited,
            max_res_device: PictureLimit::Unlimited,
            persistence: match self.license_type {
                Persistent => Persistence::Allowed,
                NonPersistent => Persistence::Forbidden,
            },
            ..OutputPolicy::UNSPECIFIED
        }
    }
}
