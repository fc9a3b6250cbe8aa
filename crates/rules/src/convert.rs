//! From the generic rules to those of a DRM.
//!
//! Only the security levels 0 to 2 of this conversion are public; the rest is inferred, and checked
//! against every column of every table. It serves explicit generic rules: the built-in profiles have
//! columns of their own, five cells of which differ from what comes out here.

use crate::family::Drm;
use crate::family::fairplay::{FairPlayHdcp, FairPlayRules};
use crate::family::generic::{GenericLevel, GenericRules};
use crate::family::playready::{
    AgcAndColorStrip, AnalogOpl, CompressedAudioOpl, CompressedVideoOpl, PlayReadyHdcpType,
    PlayReadyLevel, PlayReadyRules, UncompressedAudioOpl, UncompressedVideoOpl,
};
use crate::family::prm::{HdcpType, PrmLevel, PrmRules};
use crate::family::tvkey::{TvKeyCapping, TvKeyHdcpType, TvKeyRules};
use crate::family::widevine::{
    CgmsFlag, WidevineHdcp, WidevineLevel, WidevinePolicyLevel, WidevineRules,
};
use crate::family::wiseplay::{LicenseType, OutputControl, WisePlayLevel, WisePlayRules};
use crate::rules::Rules;

/// What the generic rules say of uncompressed digital video, in one word.
enum Digital {
    Unprotected,
    Hdcp(HdcpType),
    Closed,
}

impl GenericRules {
    const fn digital(&self) -> Digital {
        match (self.unprotected_digital_output, self.hdcp) {
            (true, _) => Digital::Unprotected,
            (false, true) => Digital::Hdcp(self.hdcp_type),
            (false, false) => Digital::Closed,
        }
    }

    /// The same for a DRM; for the generic set the rules themselves.
    #[must_use]
    pub fn convert(&self, drm: Drm) -> Rules {
        match drm {
            Drm::Prm => self.prm().into(),
            Drm::PlayReady => self.playready().into(),
            Drm::FairPlay => self.fairplay().into(),
            Drm::Widevine => self.widevine().into(),
            Drm::TvKeyCloud => self.tvkey().into(),
            Drm::WisePlay => self.wiseplay().into(),
            Drm::Generic => (*self).into(),
        }
    }

    /// For PRM: the level, and every other rule that both have as it is.
    #[must_use]
    pub const fn prm(&self) -> PrmRules {
        PrmRules {
            min_level: match self.min_level {
                GenericLevel::Test => PrmLevel::Test,
                GenericLevel::SoftwareCrypto => PrmLevel::SoftwareCrypto,
                GenericLevel::HardwareCrypto => PrmLevel::HardwareCrypto,
                GenericLevel::HardwareDecode => PrmLevel::HardwareDecode,
                GenericLevel::Certified => PrmLevel::Certified,
            },
            analog_capping_resolution: self.analog_capping_resolution,
            digital_only: self.digital_only,
            hdcp: self.hdcp,
            hdcp_type: self.hdcp_type,
            image_constraint: self.image_constraint,
            uncompressed_digital_capping_resolution: self.uncompressed_digital_capping_resolution,
            device_capping_resolution: self.device_capping_resolution,
            unprotected_analog_output: self.unprotected_analog_output,
            unprotected_digital_output: self.unprotected_digital_output,
            watermarking_enabled: self.watermarking_enabled,
            secure_media_path_activation: None,
        }
    }

    /// For PlayReady, which has no level between software and TEE.
    #[must_use]
    pub const fn playready(&self) -> PlayReadyRules {
        let unprotected = self.unprotected_digital_output;
        PlayReadyRules {
            minimum_security_level: match self.min_level {
                GenericLevel::Test => PlayReadyLevel::Test,
                GenericLevel::SoftwareCrypto | GenericLevel::HardwareCrypto => {
                    PlayReadyLevel::Hardened
                }
                GenericLevel::HardwareDecode | GenericLevel::Certified => PlayReadyLevel::Tee,
            },
            hdcp_type: match (unprotected, self.hdcp_type) {
                (true, _) => None,
                (false, HdcpType::Type0) => Some(PlayReadyHdcpType::Type0),
                (false, HdcpType::Type1) => Some(PlayReadyHdcpType::Type1),
            },
            digital_video_only: self.digital_only,
            agc_and_color_strip: AgcAndColorStrip::Neither,
            minimum_analog_television: match (self.digital_only, self.unprotected_analog_output) {
                (true, _) => AnalogOpl::L300,
                (false, true) => AnalogOpl::L100,
                (false, false) => AnalogOpl::L200,
            },
            uncompressed_video: match self.digital() {
                Digital::Unprotected => UncompressedVideoOpl::L100,
                Digital::Hdcp(_) => UncompressedVideoOpl::L300,
                Digital::Closed => UncompressedVideoOpl::L301,
            },
            compressed_video: CompressedVideoOpl::L500,
            uncompressed_audio: match unprotected {
                true => UncompressedAudioOpl::L100,
                false => UncompressedAudioOpl::L300,
            },
            compressed_audio: match unprotected {
                true => CompressedAudioOpl::L100,
                false => CompressedAudioOpl::L300,
            },
            dtcp_export: false,
        }
    }

    /// For FairPlay, which cannot close digital outputs: the adapter is closed in their stead.
    #[must_use]
    pub const fn fairplay(&self) -> FairPlayRules {
        FairPlayRules {
            airplay_allowed: self.airplay_output,
            digital_av_adapter: self.hdcp || self.unprotected_digital_output,
            hdcp_strict_enforcement: !self.unprotected_digital_output,
            hdcp_level: match (self.unprotected_digital_output, self.hdcp_type) {
                (true, _) => FairPlayHdcp::NotRequired,
                (false, HdcpType::Type0) => FairPlayHdcp::Type0,
                (false, HdcpType::Type1) => FairPlayHdcp::Type1,
            },
        }
    }

    /// For Widevine.
    #[must_use]
    pub const fn widevine(&self) -> WidevineRules {
        let testing = matches!(self.min_level, GenericLevel::Test);
        WidevineRules {
            minimum_security_level: match self.min_level {
                GenericLevel::Test => WidevineLevel::Any,
                GenericLevel::SoftwareCrypto => WidevineLevel::L3,
                GenericLevel::HardwareCrypto => WidevineLevel::L2,
                GenericLevel::HardwareDecode | GenericLevel::Certified => WidevineLevel::L1,
            },
            policy_security_level: match self.min_level {
                GenericLevel::Test | GenericLevel::SoftwareCrypto => {
                    WidevinePolicyLevel::SoftwareCrypto
                }
                GenericLevel::HardwareCrypto => WidevinePolicyLevel::HardwareCrypto,
                GenericLevel::HardwareDecode => WidevinePolicyLevel::HardwareDecode,
                GenericLevel::Certified => WidevinePolicyLevel::HardwareAll,
            },
            hdcp: match self.digital() {
                Digital::Unprotected => WidevineHdcp::None,
                Digital::Hdcp(HdcpType::Type0) => WidevineHdcp::V1,
                Digital::Hdcp(HdcpType::Type1) => WidevineHdcp::V2_3,
                Digital::Closed => WidevineHdcp::NoDigitalOutput,
            },
            disable_analog_output: self.digital_only,
            override_device_revocation: testing,
            allow_unverified_platform: testing,
            require_l3_secure_storage: false,
            max_device_vulnerability_level: None,
            allow_unspecified_device_vulnerability_level: None,
            cgms_flag: match (self.digital_only, self.unprotected_analog_output) {
                (false, false) => CgmsFlag::CopyNever,
                _ => CgmsFlag::None,
            },
        }
    }

    /// For TVkey Cloud, whose strictest column has no HDCP tokens.
    #[must_use]
    pub const fn tvkey(&self) -> TvKeyRules {
        let secure = matches!(
            self.min_level,
            GenericLevel::HardwareDecode | GenericLevel::Certified
        );
        TvKeyRules {
            export_protection: !self.unprotected_digital_output,
            redistribution_control: secure,
            protected_buffer_indicator: secure,
            hdcp_uncompressed_token: self.hdcp && !secure,
            hdcp_compressed_token: self.hdcp && !secure,
            hdcp_type: TvKeyHdcpType::Type0,
            uncompressed_digital_capping_resolution: TvKeyCapping::NO_RESTRICTION,
            compressed_digital_capping_resolution: TvKeyCapping::NO_RESTRICTION,
        }
    }

    /// For WisePlay, which has no level for testing.
    #[must_use]
    pub const fn wiseplay(&self) -> WisePlayRules {
        WisePlayRules {
            security_level: match self.min_level {
                GenericLevel::Test | GenericLevel::SoftwareCrypto => WisePlayLevel::Software,
                GenericLevel::HardwareCrypto => WisePlayLevel::Hardware,
                GenericLevel::HardwareDecode | GenericLevel::Certified => WisePlayLevel::Enhanced,
            },
            output_control: match self.digital() {
                Digital::Unprotected => OutputControl::Unrestricted,
                Digital::Hdcp(HdcpType::Type0) => OutputControl::Hdcp1,
                Digital::Hdcp(HdcpType::Type1) => OutputControl::Hdcp2,
                Digital::Closed => OutputControl::Forbidden,
            },
            license_type: match self.min_level {
                GenericLevel::Test | GenericLevel::SoftwareCrypto => LicenseType::Persistent,
                _ => LicenseType::NonPersistent,
            },
        }
    }
}
