//! Closed sets of values with pinned numbers. A number is never reused.

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};

/// Defines an enum whose numbers are written down once and pinned by a test.
macro_rules! codes {
    ($(
        $(#[$doc:meta])*
        $name:ident: $repr:ident { $($(#[$item_doc:meta])* $item:ident = $code:literal),+ $(,)? }
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name { $($(#[$item_doc])* $item = $code),+ }

        impl $name {
            /// Every value, by number.
            pub const ALL: &'static [Self] = &[$(Self::$item),+];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> $repr {
                match self { $(Self::$item => $code),+ }
            }

            /// The value of a number, if there is one.
            #[must_use]
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code { $($code => Some(Self::$item),)+ _ => None }
            }

            pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
                e.uint(u64::from(self.code()))
            }

            pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
                Self::from_code(d.$repr()?).ok_or(Cbor::Value)
            }
        }
    )+};
}

codes! {
    /// What a track carries. One key serves one track type.
    TrackType: u8 {
        /// Audio.
        Audio = 1,
        /// Standard definition video.
        Sd = 2,
        /// High definition video.
        Hd = 3,
        /// Ultra high definition video, first step.
        Uhd1 = 4,
        /// Ultra high definition video, second step.
        Uhd2 = 5,
        /// Anything else.
        Other = 6,
    }

    /// Protection scheme (ISO/IEC 23001-7 section 10).
    Scheme: u8 {
        /// AES-CTR, full sample or subsample.
        Cenc = 1,
        /// AES-CTR with a pattern.
        Cens = 2,
        /// AES-CBC.
        Cbc1 = 3,
        /// AES-CBC with a pattern, IV reset at each subsample.
        Cbcs = 4,
    }

    /// Where a sample's initialisation vector comes from and how long it is.
    IvKind: u8 {
        /// 8 bytes with each sample.
        PerSample8 = 1,
        /// 16 bytes with each sample.
        PerSample16 = 2,
        /// 8 bytes, one for the track.
        Constant8 = 3,
        /// 16 bytes, one for the track.
        Constant16 = 4,
    }

    /// How long a licence lives.
    LicenseKind: u8 {
        /// In memory, with its session.
        Session = 1,
        /// Sealed on the device.
        Stored = 2,
    }

    /// How well a device can tell that its storage was put back to an older state; ordered.
    CounterStrength: u8 {
        /// It cannot.
        None = 0,
        /// By a counter kept in software.
        Software = 1,
        /// By a counter in hardware.
        Hardware = 2,
    }

    /// Debug status (EAT `dbgstat`, RFC 9711 section 4.2.9).
    DebugStatus: u8 {
        /// Debugging is on: also every simulated backend, test sink and development key.
        Enabled = 0,
        /// Off now.
        Disabled = 1,
        /// Off since boot.
        DisabledSinceBoot = 2,
        /// Off for good, save for the manufacturer.
        DisabledPermanently = 3,
        /// Off for good, for everyone.
        DisabledFullyAndPermanently = 4,
    }

    /// Where the core runs.
    Isolation: u8 {
        /// In a trusted execution environment.
        Tee = 1,
        /// In a sandboxed process of its own.
        Worker = 2,
        /// In the application's process.
        InProcess = 3,
    }

    /// How a limit is enforced.
    Enforcement: u8 {
        /// When a session starts.
        Soft = 1,
        /// At each call.
        Hard = 2,
    }

    /// What a desktop platform's verification says.
    PlatformStatus: u8 {
        /// The platform has none.
        NoVerification = 0,
        /// Not verified.
        Unverified = 1,
        /// Known to be tampered with.
        Tampered = 2,
        /// Verified in software.
        SoftwareVerified = 3,
        /// Verified by hardware.
        HardwareVerified = 4,
    }

    /// What is known of the platform's secure storage.
    SecureStorage: u8 {
        /// Not verified.
        Unverified = 0,
        /// Verified in software.
        SoftwareVerified = 1,
        /// Verified by hardware.
        HardwareVerified = 2,
    }

    /// Worst known weakness of the device; ordered.
    Vulnerability: u8 {
        /// None known.
        None = 0,
        /// Low.
        Low = 1,
        /// Medium.
        Medium = 2,
        /// High.
        High = 3,
        /// Critical.
        Critical = 4,
    }

    /// Where a picture can go.
    OutputKind: u8 {
        /// A built-in panel.
        Internal = 1,
        /// HDMI.
        Hdmi = 2,
        /// DisplayPort.
        DisplayPort = 3,
        /// Analogue composite.
        AnalogComposite = 4,
        /// Analogue component.
        AnalogComponent = 5,
        /// Wireless, AirPlay included.
        Wireless = 6,
        /// Compressed export.
        CompressedExport = 7,
        /// Recording.
        Recording = 8,
    }

    /// Highest HDCP version of an output; ordered.
    HdcpCapability: u8 {
        /// None at all.
        None = 0,
        /// Any 1.x.
        V1 = 1,
        /// 2.0.
        V2_0 = 2,
        /// 2.1.
        V2_1 = 3,
        /// 2.2.
        V2_2 = 4,
        /// 2.3.
        V2_3 = 5,
    }

    /// Whether the device has an analogue output.
    AnalogOutput: u8 {
        /// It has none.
        None = 1,
        /// It has one that stays on.
        Present = 2,
        /// It has one that can be switched off.
        CanBeDisabled = 3,
        /// Not known.
        Unknown = 4,
    }

    /// A video codec decoded at High.
    Codec: u8 {
        /// H.264 (ISO/IEC 14496-10).
        H264 = 1,
    }

    /// What kind of client asks.
    ClientKind: u8 {
        /// An application built with the library.
        Sdk = 1,
        /// A browser.
        Browser = 2,
    }

    /// Where a key's policy came from (`keybearer explain` shows it).
    PolicyOrigin: u8 {
        /// A profile named by the token.
        TokenProfile = 1,
        /// Rules written in the token.
        TokenRules = 2,
        /// The track's profile.
        TrackProfile = 3,
        /// The channel's profile.
        ChannelProfile = 4,
        /// The default profile.
        Default = 5,
        /// The server's own configuration.
        Configured = 6,
    }

    /// Why a service refused.
    DenialReason: u16 {
        /// Not authorised for this content.
        NotAuthorised = 1,
        /// No authorisation token.
        TokenMissing = 2,
        /// The token has ended.
        TokenExpired = 3,
        /// The token was used before.
        TokenReplayed = 4,
        /// The token is for another device.
        TokenOtherDevice = 5,
        /// The token cannot be understood or verified.
        TokenInvalid = 6,
        /// The token names a profile that does not exist.
        UnknownProfile = 7,
        /// The token names a profile and rules together.
        ProfileAndRules = 8,
        /// The device's level is too low; the denial says the level needed.
        LevelTooLow = 9,
        /// A stored licence is not allowed.
        StoredNotAllowed = 10,
        /// The device's counter is too weak for what was asked.
        CounterTooWeak = 11,
        /// The device is revoked.
        DeviceRevoked = 12,
        /// The device model is barred.
        DeviceModelBarred = 13,
        /// The platform is not verified.
        PlatformNotVerified = 14,
        /// An output cannot be protected as required.
        OutputNotProtected = 15,
        /// The key is not known.
        KeyUnknown = 16,
        /// The challenge has ended; the denial carries a fresh one.
        ChallengeExpired = 17,
        /// The request id was used with other content.
        Replayed = 18,
        /// The core is below the least version.
        UpdateRequired = 19,
        /// The platform lacks the secure storage required.
        SecureStorageMissing = 20,
        /// The device's vulnerability level is above the limit.
        VulnerableDevice = 21,
        /// A device in debug state at a production tenant.
        DebugDevice = 22,
        /// The key demands a sandboxed worker.
        WorkerRequired = 23,
        /// The licence to renew or release is not known.
        LicenseUnknown = 24,
        /// The licence was released before.
        LicenseReleased = 25,
        /// The licence may not be renewed.
        RenewalNotAllowed = 26,
        /// The enrolment or factory token is not accepted.
        EnrolmentRefused = 27,
        /// The request contradicts itself.
        RequestNotUnderstood = 28,
        /// The service is overloaded; the denial says when to try again.
        Overloaded = 29,
    }
}

impl DebugStatus {
    /// Whether only integration tenants may accept the device.
    #[must_use]
    pub const fn is_debug(self) -> bool {
        matches!(self, Self::Enabled)
    }
}

impl Scheme {
    /// The scheme's four characters (ISO/IEC 23001-7).
    #[must_use]
    pub const fn fourcc(self) -> [u8; 4] {
        match self {
            Self::Cenc => *b"cenc",
            Self::Cens => *b"cens",
            Self::Cbc1 => *b"cbc1",
            Self::Cbcs => *b"cbcs",
        }
    }

    /// The scheme of four characters, if there is one.
    #[must_use]
    pub fn from_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|scheme| scheme.fourcc() == fourcc)
    }
}

/// Blocks encrypted and left clear in turn (ISO/IEC 23001-7 section 9.6), 0 to 15 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Encrypted blocks.
    pub crypt: u8,
    /// Clear blocks.
    pub skip: u8,
}

impl Pattern {
    /// Largest number either half may have: the field has four bits.
    const MAX: u8 = 15;

    pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
        if self.crypt > Self::MAX || self.skip > Self::MAX {
            return Err(Cbor::Value);
        }
        e.list([self.crypt, self.skip], |e, blocks| {
            e.uint(u64::from(blocks))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        let half = |d: &mut Decoder<'_>| match d.u8()? {
            blocks if blocks <= Self::MAX => Ok(blocks),
            _ => Err(Cbor::Value),
        };
        d.array(2..=2, |a| {
            Ok(Self {
                crypt: a.item(half)?,
                skip: a.item(half)?,
            })
        })
    }
}

/// Defines a set of named bits; unknown bits are refused, never ignored.
macro_rules! bits {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$item_doc:meta])* $item:ident = $bit:literal),+ $(,)? }
    )+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(u8);

        impl $name {
            /// The empty set.
            pub const NONE: Self = Self(0);
            /// Every member.
            pub const ALL: Self = Self($($bit)|+);
            $($(#[$item_doc])* pub const $item: Self = Self($bit);)+

            /// The bits on the wire.
            #[must_use]
            pub const fn bits(self) -> u8 {
                self.0
            }

            /// Whether every member of `other` is in this set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The members of either.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
                e.uint(u64::from(self.0))
            }

            pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
                match Self(d.u8()?) {
                    set if Self::ALL.contains(set) => Ok(set),
                    _ => Err(Cbor::Value),
                }
            }
        }
    )+};
}

bits! {
    /// What a service may sign, and what an issuer may let it sign.
    Roles {
        /// Licences, denials of licence requests, release answers.
        LICENSE = 1,
        /// Time answers; and licences and denials count as time answers.
        TIME = 2,
        /// Revocation lists.
        REVOCATION = 4,
        /// Provision answers.
        PROVISIONING = 8,
    }

    /// What an issuer may issue.
    Issues {
        /// Service certificates.
        SERVICES = 1,
        /// Device certificates.
        DEVICES = 2,
    }
}
