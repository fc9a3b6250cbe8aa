//! PlayReady. Output protection levels are numbers with ranges (Microsoft, "Output protection
//! levels"); the values that a licence may carry are in the submodule.

mod opl;

pub use opl::{
    AnalogOpl, CompressedAudioOpl, CompressedVideoOpl, UncompressedAudioOpl, UncompressedVideoOpl,
};

use super::family;
use super::prm::{HdcpType, secure_from};
use crate::form::numbers;
use crate::{
    AnalogVideo, Hdcp, HdcpVersion, Level, MinSecurity, OutputPolicy, Permission, PictureLimit,
};

numbers! {
    /// The least security level of a client. There is no step between software and TEE, so a
    /// demand for "medium" cannot be told apart from one for "low".
    PlayReadyLevel as Int, "150, 2000, 3000 or 5000" {
        /// Clients for testing.
        Test = 150,
        /// Hardened clients, in software or hardware.
        Hardened = 2000,
        /// Clients in a trusted execution environment.
        Tee = 3000,
        /// No client reaches it: no licence can be had.
        Nobody = 5000,
    }
}

numbers! {
    /// The HDCP type restriction.
    PlayReadyHdcpType as Int, "0 or 1, or - for none" {
        /// Any HDCP. Inferred: the restriction is defined for type 1 only, so this should be written
        /// by leaving it out.
        Type0 = 0,
        /// HDCP 2.2 or later with content stream type 1.
        Type1 = 1,
    }
}

numbers! {
    /// Automatic gain control and colour stripes on analogue television.
    AgcAndColorStrip as Int, "0, 1, 2 or 3" {
        /// Neither.
        Neither = 0,
        /// Automatic gain control.
        Agc = 1,
        /// Colour stripes.
        ColorStripe = 2,
        /// Both.
        Both = 3,
    }
}

/// How a PlayReady level above 100 for compressed audio is read.
///
/// Two public tables of Microsoft's contradict each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CompressedAudio {
    /// The overview: compressed audio does not leave.
    #[default]
    Block,
    /// The Windows article, whose columns are the other way round: it leaves under HDCP.
    Hdcp,
}

family! {
    /// The rules of PlayReady.
    PlayReadyRules {
        /// The least level of the client's certificate. A key for audio is usually kept at 2000 even
        /// where the picture wants 3000.
        minimum_security_level: PlayReadyLevel = "minimumSecurityLevel" [
            PlayReadyLevel::Test, PlayReadyLevel::Hardened, PlayReadyLevel::Hardened,
            PlayReadyLevel::Tee, PlayReadyLevel::Hardened
        ];
        /// The HDCP type restriction, in force only where uncompressed video asks for HDCP.
        hdcp_type: Option<PlayReadyHdcpType> = "hdcpType" [
            None, None, Some(PlayReadyHdcpType::Type0), Some(PlayReadyHdcpType::Type1),
            Some(PlayReadyHdcpType::Type1)
        ];
        /// No analogue video at all.
        digital_video_only: bool = "digitalVideoOnly" [false, false, true, true, true];
        /// Of any effect only where analogue video may leave.
        agc_and_color_strip: AgcAndColorStrip = "agcAndColorStrip" [
            AgcAndColorStrip::Neither, AgcAndColorStrip::Neither, AgcAndColorStrip::Neither,
            AgcAndColorStrip::Neither, AgcAndColorStrip::Neither
        ];
        /// Analogue television.
        minimum_analog_television: AnalogOpl = "minimumAnalogTelevision"
            [AnalogOpl::L100, AnalogOpl::L200, AnalogOpl::L300, AnalogOpl::L300, AnalogOpl::L300];
        /// Uncompressed digital video.
        uncompressed_video: UncompressedVideoOpl = "uncompressedDigitalVideoOutputProtection" [
            UncompressedVideoOpl::L100, UncompressedVideoOpl::L100, UncompressedVideoOpl::L300,
            UncompressedVideoOpl::L300, UncompressedVideoOpl::L300
        ];
        /// Compressed digital video.
        compressed_video: CompressedVideoOpl = "compressedDigitalVideoOutputProtection" [
            CompressedVideoOpl::L500, CompressedVideoOpl::L500, CompressedVideoOpl::L500,
            CompressedVideoOpl::L500, CompressedVideoOpl::L500
        ];
        /// Uncompressed digital audio.
        uncompressed_audio: UncompressedAudioOpl = "uncompressedDigitalAudioOutputProtection" [
            UncompressedAudioOpl::L100, UncompressedAudioOpl::L100, UncompressedAudioOpl::L300,
            UncompressedAudioOpl::L300, UncompressedAudioOpl::L300
        ];
        /// Compressed digital audio; [`CompressedAudio`] says how it is read.
        compressed_audio: CompressedAudioOpl = "compressedDigitalAudioOutputProtection" [
            CompressedAudioOpl::L100, CompressedAudioOpl::L100, CompressedAudioOpl::L300,
            CompressedAudioOpl::L300, CompressedAudioOpl::L300
        ];
        /// Export under DTCP, of stored licences. That it is the publicly listed play enabler is
        /// inferred.
        dtcp_export: bool = "dtcpExport" [false, false, false, false, false];
    }
}

impl PlayReadyRules {
    /// Whether the HDCP type restriction is in force: only where uncompressed video asks for HDCP.
    #[must_use]
    pub fn hdcp_type_in_force(&self) -> bool {
        self.hdcp_type.is_some() && self.uncompressed_video.takes_hdcp_type()
    }

    /// What the rules demand of the device and its outputs.
    #[must_use]
    pub fn policy(&self, compressed_audio: CompressedAudio) -> OutputPolicy {
        let min_security = match self.minimum_security_level {
            PlayReadyLevel::Test => MinSecurity::AtLeast(Level::None),
            PlayReadyLevel::Hardened => MinSecurity::AtLeast(Level::Low),
            PlayReadyLevel::Tee => MinSecurity::AtLeast(Level::High),
            PlayReadyLevel::Nobody => MinSecurity::Deny,
        };
        let hdcp = match self.hdcp_type {
            Some(PlayReadyHdcpType::Type1) if self.hdcp_type_in_force() => HdcpType::Type1.hdcp(),
            _ => Hdcp::Type0(HdcpVersion::V1),
        };
        let analog_video = match self.digital_video_only {
            true => AnalogVideo::Block,
            false => self.minimum_analog_television.demand(),
        };
        // What is set on a signal that may not leave means nothing.
        let coded = match (self.digital_video_only, self.agc_and_color_strip) {
            (true, _) => AgcAndColorStrip::Neither,
            (false, coded) => coded,
        };
        OutputPolicy {
            min_security,
            digital_video: self.uncompressed_video.demand(hdcp),
            compressed_digital_video: self.compressed_video.demand(),
            digital_audio_uncompressed: self.uncompressed_audio.demand(),
            digital_audio_compressed: self.compressed_audio.demand(compressed_audio),
            analog_video,
            agc: matches!(coded, AgcAndColorStrip::Agc | AgcAndColorStrip::Both),
            color_stripe: matches!(
                coded,
                AgcAndColorStrip::ColorStripe | AgcAndColorStrip::Both
            ),
            max_res_analog: PictureLimit::Unlimited,
            max_res_uncompressed_digital: PictureLimit::Unlimited,
            max_res_compressed_digital: PictureLimit::Unlimited,
            max_res_device: PictureLimit::Unlimited,
            export_dtcp: Permission::allow_if(self.dtcp_export),
            secure_media_path: secure_from(min_security),
            ..OutputPolicy::UNSPECIFIED
        }
    }
}
