//! What a device is and can do.

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};

codes! {
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

    /// What signs an attestation, and how.
    AttestationFormat: u8 {
        /// OP-TEE's attestation PTA: RSASSA-PSS with SHA-256 and a salt of 32 bytes (RFC 8017
        /// section 8.1) over nonce and measurement, one after the other. The measurement is SHA-256
        /// of the running application's code and constants; the key's digest is SHA-256 of the
        /// modulus, big-endian, without leading zeros.
        Optee = 1,
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
}

impl DebugStatus {
    /// Whether only integration tenants may accept the device.
    #[must_use]
    pub const fn is_debug(self) -> bool {
        matches!(self, Self::Enabled)
    }
}
