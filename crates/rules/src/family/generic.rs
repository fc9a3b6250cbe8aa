//! The generic rules: one set for all DRMs, deprecated and still accepted in tokens.

use super::family;
use super::prm::{CappingResolution, HdcpType};
use crate::form::numbers;
use crate::{OutputPolicy, Permission};

numbers! {
    /// The least security level of a device, whatever its DRM.
    GenericLevel as Int, "0, 1, 2, 3 or 4" {
        /// A device for testing, or better.
        Test = 0,
        /// Cryptography secured by software.
        SoftwareCrypto = 1,
        /// Cryptography secured by hardware.
        HardwareCrypto = 2,
        /// Cryptography and decoding secured by hardware. What each DRM makes of it is inferred.
        HardwareDecode = 3,
        /// The same, and certified. What each DRM makes of it is inferred; the canonical policy has
        /// no such step, so it counts as [`Self::HardwareDecode`] there.
        Certified = 4,
    }
}

use CappingResolution::NoRestrictions;

family! {
    /// The generic rules. All but the level and AirPlay mean what the rules of the same name mean in
    /// [`PrmRules`](super::prm::PrmRules).
    GenericRules {
        /// The least level of the device.
        min_level: GenericLevel = "minLevel" [
            GenericLevel::Test, GenericLevel::SoftwareCrypto, GenericLevel::SoftwareCrypto,
            GenericLevel::HardwareDecode, GenericLevel::SoftwareCrypto
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
        /// Analogue pictures are scaled down.
        image_constraint: bool = "imageConstraint" [false, false, false, false, false];
        /// A cap where type 1 is wanted and only type 0 is reached.
        uncompressed_digital_capping_resolution: CappingResolution =
            "uncompressedDigitalCappingResolution"
            [NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions];
        /// A cap on every output.
        device_capping_resolution: CappingResolution = "deviceCappingResolution"
            [NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions, NoRestrictions];
        /// Analogue video may be unprotected.
        unprotected_analog_output: bool = "unprotectedAnalogOutput"
            [true, true, false, false, false];
        /// Digital video may be unprotected; the HDCP rules are then ignored.
        unprotected_digital_output: bool = "unprotectedDigitalOutput"
            [true, true, false, false, false];
        /// The device may embed a watermark.
        watermarking_enabled: bool = "watermarkingEnabled" [true, true, true, true, true];
        /// AirPlay receivers may show the picture.
        airplay_output: bool = "airplayOutput" [true, true, true, false, false];
    }
}

impl GenericRules {
    /// What the rules demand of the device and its outputs: what PRM's of the same names do, and what
    /// they say of AirPlay.
    #[must_use]
    pub fn policy(&self) -> OutputPolicy {
        OutputPolicy {
            airplay: Permission::allow_if(self.airplay_output),
            ..self.prm().policy()
        }
    }
}
