//! Numbers on the wire. A change here breaks devices in the field.

use crate::*;

/// Pins the numbers of a set and that nothing else is read.
macro_rules! pin {
    ($($set:ident [$($item:ident = $code:literal),+ $(,)?])+) => {$(
        $(
            assert_eq!($set::$item.code(), $code);
            assert_eq!($set::from_code($code), Some($set::$item));
        )+
        assert_eq!($set::ALL.len(), [$($code),+].len());
        for code in u8::MIN..=u8::MAX {
            let known = [$($code),+].contains(&i32::from(code));
            assert_eq!($set::from_code(code.into()).is_some(), known);
        }
    )+};
}

#[test]
fn numbers_are_pinned() {
    pin! {
        TrackType [Audio = 1, Sd = 2, Hd = 3, Uhd1 = 4, Uhd2 = 5, Other = 6]
        Scheme [Cenc = 1, Cens = 2, Cbc1 = 3, Cbcs = 4]
        IvKind [PerSample8 = 1, PerSample16 = 2, Constant8 = 3, Constant16 = 4]
        LicenseKind [Session = 1, Stored = 2]
        CounterStrength [None = 0, Software = 1, Hardware = 2]
        DebugStatus [
            Enabled = 0, Disabled = 1, DisabledSinceBoot = 2, DisabledPermanently = 3,
            DisabledFullyAndPermanently = 4,
        ]
        AttestationFormat [Optee = 1]
        Isolation [Tee = 1, Worker = 2, InProcess = 3]
        Enforcement [Soft = 1, Hard = 2]
        PlatformStatus [
            NoVerification = 0, Unverified = 1, Tampered = 2, SoftwareVerified = 3,
            HardwareVerified = 4,
        ]
        SecureStorage [Unverified = 0, SoftwareVerified = 1, HardwareVerified = 2]
        Vulnerability [None = 0, Low = 1, Medium = 2, High = 3, Critical = 4]
        OutputKind [
            Internal = 1, Hdmi = 2, DisplayPort = 3, AnalogComposite = 4, AnalogComponent = 5,
            Wireless = 6, CompressedExport = 7, Recording = 8,
        ]
        HdcpCapability [None = 0, V1 = 1, V2_0 = 2, V2_1 = 3, V2_2 = 4, V2_3 = 5]
        AnalogOutput [None = 1, Present = 2, CanBeDisabled = 3, Unknown = 4]
        Codec [H264 = 1]
        ClientKind [Sdk = 1, Browser = 2]
        PolicyOrigin [
            TokenProfile = 1, TokenRules = 2, TrackProfile = 3, ChannelProfile = 4, Default = 5,
            Configured = 6,
        ]
        DenialReason [
            NotAuthorised = 1, TokenMissing = 2, TokenExpired = 3, TokenReplayed = 4,
            TokenOtherDevice = 5, TokenInvalid = 6, UnknownProfile = 7, ProfileAndRules = 8,
            LevelTooLow = 9, StoredNotAllowed = 10, CounterTooWeak = 11, DeviceRevoked = 12,
            DeviceModelBarred = 13, PlatformNotVerified = 14, OutputNotProtected = 15,
            KeyUnknown = 16, ChallengeExpired = 17, Replayed = 18, UpdateRequired = 19,
            SecureStorageMissing = 20, VulnerableDevice = 21, DebugDevice = 22,
            WorkerRequired = 23, LicenseUnknown = 24, LicenseReleased = 25,
            RenewalNotAllowed = 26, EnrolmentRefused = 27, RequestNotUnderstood = 28,
            Overloaded = 29,
        ]
    }
}

#[test]
fn role_bits_are_pinned() {
    assert_eq!(Roles::LICENSE.bits(), 1);
    assert_eq!(Roles::TIME.bits(), 2);
    assert_eq!(Roles::REVOCATION.bits(), 4);
    assert_eq!(Roles::PROVISIONING.bits(), 8);
    assert_eq!(Roles::ALL.bits(), 15);
    assert_eq!((Issues::SERVICES.bits(), Issues::DEVICES.bits()), (1, 2));
    let both = Roles::LICENSE.union(Roles::TIME);
    assert!(both.contains(Roles::TIME) && both.contains(Roles::NONE));
    assert!(!both.contains(Roles::REVOCATION) && !both.contains(Roles::ALL));
}

#[test]
fn media_types_are_distinct_and_read_back() {
    for kind in MessageType::ALL {
        assert_eq!(MessageType::from_media_type(kind.media_type()), Some(*kind));
    }
    assert_eq!(MessageType::from_media_type("application/cwt"), None);
}

#[test]
fn schemes_have_their_four_characters() {
    for (scheme, fourcc) in [
        (Scheme::Cenc, b"cenc"),
        (Scheme::Cens, b"cens"),
        (Scheme::Cbc1, b"cbc1"),
        (Scheme::Cbcs, b"cbcs"),
    ] {
        assert_eq!(scheme.fourcc(), *fourcc);
        assert_eq!(Scheme::from_fourcc(*fourcc), Some(scheme));
    }
    assert_eq!(Scheme::from_fourcc(*b"cbc2"), None);
}

#[test]
fn names_are_short_and_printable() {
    assert!(HardwareModel::new("Box 1").is_ok());
    assert_eq!(HardwareModel::new(""), Err(LicenseError::Invalid));
    assert_eq!(HardwareModel::new("no\nlines"), Err(LicenseError::Invalid));
    assert_eq!(HardwareModel::new("naïve"), Err(LicenseError::Invalid));
    assert!(HardwareModel::new(&"x".repeat(32)).is_ok());
    assert_eq!(
        HardwareModel::new(&"x".repeat(33)),
        Err(LicenseError::Invalid)
    );
    assert!(ServiceId::new(&"x".repeat(64)).is_ok());
    assert_eq!(ServiceId::new(&"x".repeat(65)), Err(LicenseError::Invalid));
}

#[test]
fn identifiers_print_as_hexadecimal() {
    use alloc::string::ToString;
    assert_eq!(KeyId([0x0a; 16]).to_string(), "0a".repeat(16));
    assert_eq!(
        Ueid::from_device(&[0xff; 32]).to_string(),
        "01".to_string() + &"ff".repeat(32)
    );
    assert_eq!(
        Version {
            major: 1,
            minor: 2,
            patch: 3
        }
        .to_string(),
        "1.2.3"
    );
    assert_eq!(super::samples::model().to_string(), "Test Box 1");
}
