//! Widevine.
//!
//! Two scales run in opposite directions: 1 is the best device level and 5 the best policy level.
//! HDCP codes are not ordered: 6 to 10 are weaker than 2 to 5.

use super::family;
use super::prm::secure_from;
use crate::form::{Form, RuleValue, numbers, words};
use crate::{
    AnalogVideo, CgmsA, DigitalVideo, Hdcp, HdcpVersion, Level, MinSecurity, OutputPolicy,
    PictureLimit, Type1Version,
};

numbers! {
    /// The least security level of a device; the smaller, the stricter.
    WidevineLevel as Int, "0, 1, 2, 3, 4 or 5" {
        /// No device reaches it: no licence can be had.
        Nobody = 0,
        /// L1.
        L1 = 1,
        /// L2 or better.
        L2 = 2,
        /// L3 or better.
        L3 = 3,
        /// Not a level of Widevine's; behaves as L3, which is inferred.
        L4 = 4,
        /// Any device, also one whose level is not known.
        Any = 5,
    }
}

numbers! {
    /// The robustness that the client has to give the key; the larger, the stricter.
    WidevinePolicyLevel as Int, "1, 2, 3, 4 or 5" {
        /// Cryptography in software: what every client does.
        SoftwareCrypto = 1,
        /// Decoding in software too.
        SoftwareDecode = 2,
        /// Cryptography in hardware.
        HardwareCrypto = 3,
        /// Decoding in hardware.
        HardwareDecode = 4,
        /// Everything in hardware.
        HardwareAll = 5,
    }
}

numbers! {
    /// HDCP by the codes of the licence protocol.
    ///
    /// The tables use 0, 1 and 5; that 5 is version 2.3 follows from the protocol's numbering.
    WidevineHdcp as Int, "0 to 10 or 255" {
        /// Not required.
        None = 0,
        /// 1.x.
        V1 = 1,
        /// 2.0.
        V2_0 = 2,
        /// 2.1.
        V2_1 = 3,
        /// 2.2. Content stream type 1 is inferred, and the stricter reading.
        V2_2 = 4,
        /// 2.3. Inferred; content stream type 1.
        V2_3 = 5,
        /// 1.0. Inferred from a newer list, in which it does not appear itself.
        V1_0 = 6,
        /// 1.1. Inferred from a newer list, as the next three.
        V1_1 = 7,
        /// 1.2.
        V1_2 = 8,
        /// 1.3.
        V1_3 = 9,
        /// 1.4.
        V1_4 = 10,
        /// In a rule: no digital output may be used. In a request: there is none, which satisfies
        /// any rule.
        NoDigitalOutput = 255,
    }
}

impl WidevineHdcp {
    /// What the code asks of a link; `None` for no HDCP and for no output.
    ///
    /// The canonical policy does not tell the versions 1.x apart, so a rule that names one of them
    /// is met by any.
    #[must_use]
    pub const fn hdcp(self) -> Option<Hdcp> {
        match self {
            Self::None | Self::NoDigitalOutput => None,
            Self::V1 | Self::V1_0 | Self::V1_1 | Self::V1_2 | Self::V1_3 | Self::V1_4 => {
                Some(Hdcp::Type0(HdcpVersion::V1))
            }
            Self::V2_0 => Some(Hdcp::Type0(HdcpVersion::V2_0)),
            Self::V2_1 => Some(Hdcp::Type0(HdcpVersion::V2_1)),
            Self::V2_2 => Some(Hdcp::Type1(Type1Version::V2_2)),
            Self::V2_3 => Some(Hdcp::Type1(Type1Version::V2_3)),
        }
    }

    /// The place among the versions; the codes have no order of their own.
    const fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            // Some version 1.x: the least of them.
            Self::V1 | Self::V1_0 => 1,
            Self::V1_1 => 2,
            Self::V1_2 => 3,
            Self::V1_3 => 4,
            Self::V1_4 => 5,
            Self::V2_0 => 6,
            Self::V2_1 => 7,
            Self::V2_2 => 8,
            Self::V2_3 => 9,
            Self::NoDigitalOutput => 10,
        }
    }

    /// Whether a device of which `self` is the highest version meets the rule `wanted`. One without
    /// a digital output meets every rule; a rule against digital output is met by nothing else.
    #[must_use]
    pub const fn meets(self, wanted: Self) -> bool {
        self.rank() >= wanted.rank()
    }
}

words! {
    /// The copy control of analogue outputs.
    CgmsFlag, "CGMS_NONE, COPY_FREE, COPY_ONCE or COPY_NEVER" {
        /// None is required.
        None = "CGMS_NONE",
        /// Copying is not restricted.
        CopyFree = "COPY_FREE",
        /// One generation of copies.
        CopyOnce = "COPY_ONCE",
        /// No copies.
        CopyNever = "COPY_NEVER",
    }
}

/// How exposed a device is to known weaknesses.
///
/// The words are not public: these are neutral stand-ins. Any other word is
/// [`Unknown`](Self::Unknown), below every other as a limit and above every other as a finding, so
/// that nothing passes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VulnerabilityLevel {
    /// None known.
    None,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
    /// A word without public meaning.
    Unknown,
}

impl VulnerabilityLevel {
    const NAMED: [(Self, &'static str); 5] = [
        (Self::None, "none"),
        (Self::Low, "low"),
        (Self::Medium, "medium"),
        (Self::High, "high"),
        (Self::Critical, "critical"),
    ];

    const fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Low => 1,
            Self::Medium => 2,
            Self::High => 3,
            Self::Critical => 4,
            Self::Unknown => 5,
        }
    }

    /// Whether a device of this level stays within the limit `most`.
    #[must_use]
    pub const fn within(self, most: Self) -> bool {
        !matches!(most, Self::Unknown) && self.rank() <= most.rank()
    }
}

impl RuleValue for VulnerabilityLevel {
    const EXPECTED: &'static str = "none, low, medium, high or critical, or - for no limit";

    fn form(self) -> Form<'static> {
        let named = Self::NAMED.iter().find(|(level, _)| *level == self);
        Form::Word(named.map_or("UNKNOWN", |(_, name)| name))
    }

    fn read(form: Form<'_>) -> Option<Self> {
        let Form::Word(word) = form else {
            return None;
        };
        let named = Self::NAMED.iter().find(|(_, name)| *name == word);
        Some(named.map_or(Self::Unknown, |(level, _)| *level))
    }
}

use WidevinePolicyLevel::SoftwareCrypto;

family! {
    /// The rules of Widevine.
    WidevineRules {
        /// The least level of the device.
        minimum_security_level: WidevineLevel = "minimumSecurityLevel" [
            WidevineLevel::Any, WidevineLevel::L3, WidevineLevel::L3, WidevineLevel::L1,
            WidevineLevel::L3
        ];
        /// The robustness the client has to give the key.
        policy_security_level: WidevinePolicyLevel = "policySecurityLevel" [
            SoftwareCrypto, SoftwareCrypto, SoftwareCrypto, WidevinePolicyLevel::HardwareDecode,
            SoftwareCrypto
        ];
        /// HDCP on digital outputs.
        hdcp: WidevineHdcp = "hdcp" [
            WidevineHdcp::None, WidevineHdcp::None, WidevineHdcp::V1, WidevineHdcp::V2_3,
            WidevineHdcp::V2_3
        ];
        /// Analogue outputs have to be switched off.
        disable_analog_output: bool = "disableAnalogOutput" [false, false, true, true, true];
        /// A revoked device gets a licence nonetheless, unless it is revoked for good.
        override_device_revocation: bool = "overrideDeviceRevocation"
            [true, false, false, false, false];
        /// A desktop browser whose platform is not verified gets a licence nonetheless. One that was
        /// tampered with does not, which is inferred.
        allow_unverified_platform: bool = "allowUnverifiedPlatform"
            [true, false, false, false, false];
        /// A desktop browser needs secure storage verified by software.
        require_l3_secure_storage: bool = "requireL3SecureStorage"
            [false, false, false, false, false];
        /// The most exposed device that gets a licence, in SDK mode. Unknown, see the type.
        max_device_vulnerability_level: Option<VulnerabilityLevel> = "maxDeviceVulnerabilityLevel"
            [None, None, None, None, None];
        /// A device of unknown exposure gets a licence, in SDK mode; unset means it does.
        allow_unspecified_device_vulnerability_level: Option<bool> =
            "allowUnspecifiedDeviceVulnerabilityLevel" [None, None, None, None, None];
        /// The copy control of analogue outputs.
        cgms_flag: CgmsFlag = "cgmsFlag" [
            CgmsFlag::None, CgmsFlag::CopyNever, CgmsFlag::None, CgmsFlag::None, CgmsFlag::None
        ];
    }
}

impl WidevineRules {
    /// What the rules demand of the device and its outputs: the stricter of both levels.
    ///
    /// Policy level 1 is what every client does and demands nothing of its own; else the column
    /// "Test" would bar the devices it is for.
    #[must_use]
    pub fn policy(&self) -> OutputPolicy {
        let device = match self.minimum_security_level {
            WidevineLevel::Any => MinSecurity::AtLeast(Level::None),
            WidevineLevel::L3 | WidevineLevel::L4 => MinSecurity::AtLeast(Level::Low),
            WidevineLevel::L2 => MinSecurity::AtLeast(Level::Medium),
            WidevineLevel::L1 => MinSecurity::AtLeast(Level::High),
            WidevineLevel::Nobody => MinSecurity::Deny,
        };
        let client = MinSecurity::AtLeast(match self.policy_security_level {
            SoftwareCrypto => Level::None,
            WidevinePolicyLevel::SoftwareDecode => Level::Low,
            WidevinePolicyLevel::HardwareCrypto => Level::Medium,
            WidevinePolicyLevel::HardwareDecode | WidevinePolicyLevel::HardwareAll => Level::High,
        });
        let min_security = device.max(client);
        let cgms_a = match self.cgms_flag {
            CgmsFlag::None => None,
            CgmsFlag::CopyFree => Some(CgmsA::CopyFree),
            CgmsFlag::CopyOnce => Some(CgmsA::CopyOnce),
            CgmsFlag::CopyNever => Some(CgmsA::CopyNever),
        };
        OutputPolicy {
            min_security,
            digital_video: match (self.hdcp, self.hdcp.hdcp()) {
                (WidevineHdcp::NoDigitalOutput, _) => DigitalVideo::Block,
                (_, Some(hdcp)) => DigitalVideo::HdcpRequired(hdcp),
                (_, None) => DigitalVideo::AllowAny,
            },
            analog_video: match (self.disable_analog_output, cgms_a) {
                (true, _) => AnalogVideo::Block,
                (false, Some(cgms_a)) => AnalogVideo::CgmsRequired(cgms_a),
                (false, None) => AnalogVideo::AllowAny,
            },
            max_res_analog: PictureLimit::Unlimited,
            max_res_uncompressed_digital: PictureLimit::Unlimited,
            max_res_compressed_digital: PictureLimit::Unlimited,
            max_res_device: PictureLimit::Unlimited,
            secure_media_path: secure_from(min_security),
            ..OutputPolicy::UNSPECIFIED
        }
    }
}
