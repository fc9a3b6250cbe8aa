//! Why a service refuses.

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};

codes! {
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
