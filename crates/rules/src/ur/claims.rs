//! What a licence request says of the device, in the terms of each DRM.

use crate::Level;
use crate::family::Drm;
use crate::family::widevine::{VulnerabilityLevel, WidevineHdcp};

/// A PRM device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrmDevice {
    /// One with a numeric level.
    Level(u32),
    /// Software PRM, which has none: it passes at 0 always, at 1000 unless it is compromised, and
    /// above never. That it does not pass above 2000 is inferred.
    Software {
        /// Whether it found itself compromised.
        compromised: bool,
    },
}

/// Where a FairPlay device is about to show the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FairPlaySink {
    /// On itself.
    Device,
    /// On an AirPlay receiver.
    AirPlay,
    /// Through a digital AV adapter.
    AvAdapter,
    /// An indicator of unknown value: it could be either.
    Unknown,
}

/// What a FairPlay request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FairPlayClaims {
    /// Whether the device declares that it enforces HDCP.
    pub hdcp_enforced: bool,
    /// Where the picture goes.
    pub sink: FairPlaySink,
}

/// What a Widevine device says of analogue outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalogCapability {
    /// It has none.
    None,
    /// It has one.
    Present {
        /// Whether it can be switched off.
        can_disable: bool,
    },
    /// It does not say: counts as one that cannot be switched off, since no rule says otherwise.
    Unknown,
}

/// Whether a device's certificate was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It was not.
    Good,
    /// It was; a profile may let it pass.
    Revoked,
    /// It was, for good.
    Permanent,
}

/// What a desktop browser's platform says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformStatus {
    /// Not verified.
    Unverified,
    /// Tampered with.
    Tampered,
    /// Verified in software.
    SoftwareVerified,
    /// Verified by hardware.
    HardwareVerified,
    /// The platform has no verification.
    NoVerification,
    /// Verified in software, with secure storage.
    SecureStorageSoftwareVerified,
}

impl PlatformStatus {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unverified => "PLATFORM_UNVERIFIED",
            Self::Tampered => "PLATFORM_TAMPERED",
            Self::SoftwareVerified => "PLATFORM_SOFTWARE_VERIFIED",
            Self::HardwareVerified => "PLATFORM_HARDWARE_VERIFIED",
            Self::NoVerification => "PLATFORM_NO_VERIFICATION",
            Self::SecureStorageSoftwareVerified => "PLATFORM_SECURE_STORAGE_SOFTWARE_VERIFIED",
        }
    }
}

/// How exposed a device is to known weaknesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vulnerability {
    /// The server is not in SDK mode, where alone the rule applies.
    NotAssessed,
    /// Not known.
    Unspecified,
    /// So much.
    Level(VulnerabilityLevel),
}

/// What a Widevine request says, and what the server knows of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WidevineClaims {
    /// The device's level, 1 to 3; absent where the request gives none.
    pub level: Option<u8>,
    /// The highest HDCP of its outputs; absent where the request does not say, which counts as none.
    pub max_hdcp: Option<WidevineHdcp>,
    /// Its analogue outputs.
    pub analog: AnalogCapability,
    /// Whether it was revoked.
    pub revocation: Revocation,
    /// The platform's status; absent for what is not a desktop browser.
    pub platform: Option<PlatformStatus>,
    /// How exposed it is.
    pub vulnerability: Vulnerability,
    /// Whether its system id is on the list of those excepted from HDCP.
    pub hdcp_excepted: bool,
}

/// What a request says, in the terms of the DRM whose rules are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// PRM or software PRM.
    Prm(PrmDevice),
    /// PlayReady: the level of the client's certificate.
    PlayReady {
        /// 150, 2000 or 3000.
        level: u32,
    },
    /// FairPlay.
    FairPlay(FairPlayClaims),
    /// Widevine.
    Widevine(WidevineClaims),
    /// TVkey Cloud, whose requests say nothing that a rule looks at.
    TvKeyCloud,
    /// WisePlay: the device's level.
    WisePlay {
        /// 1 to 3.
        level: u8,
    },
    /// The generic rules: the device's level.
    Generic {
        /// 0 to 4.
        level: u8,
    },
}

impl Claims {
    /// Whose terms they are.
    #[must_use]
    pub const fn drm(&self) -> Drm {
        match self {
            Self::Prm(_) => Drm::Prm,
            Self::PlayReady { .. } => Drm::PlayReady,
            Self::FairPlay(_) => Drm::FairPlay,
            Self::Widevine(_) => Drm::Widevine,
            Self::TvKeyCloud => Drm::TvKeyCloud,
            Self::WisePlay { .. } => Drm::WisePlay,
            Self::Generic { .. } => Drm::Generic,
        }
    }

    /// What a device of `level` counts as with `drm`, and nothing else known of it, so that every
    /// other rule about the device is read strictly.
    ///
    /// A simulated device has no level with Widevine and WisePlay, whose least level is software.
    #[must_use]
    pub const fn of_level(drm: Drm, level: Level) -> Self {
        match drm {
            Drm::Prm => Self::Prm(PrmDevice::Level(match level {
                Level::None => 0,
                Level::Low => 1000,
                Level::Medium => 2000,
                Level::High => 3000,
            })),
            Drm::PlayReady => Self::PlayReady {
                level: match level {
                    Level::None => 150,
                    Level::Low | Level::Medium => 2000,
                    Level::High => 3000,
                },
            },
            Drm::FairPlay => Self::FairPlay(FairPlayClaims {
                hdcp_enforced: false,
                sink: FairPlaySink::Unknown,
            }),
            Drm::Widevine => Self::Widevine(WidevineClaims {
                level: match level {
                    Level::None => None,
                    Level::Low => Some(3),
                    Level::Medium => Some(2),
                    Level::High => Some(1),
                },
                max_hdcp: None,
                analog: AnalogCapability::Unknown,
                revocation: Revocation::Good,
                platform: None,
                vulnerability: Vulnerability::NotAssessed,
                hdcp_excepted: false,
            }),
            Drm::TvKeyCloud => Self::TvKeyCloud,
            Drm::WisePlay => Self::WisePlay {
                level: level.code(),
            },
            Drm::Generic => Self::Generic {
                level: level.code(),
            },
        }
    }
}
