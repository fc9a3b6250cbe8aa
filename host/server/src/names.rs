//! The words that configuration files, the admin interface, logs and metrics use for closed sets
//! of values.
//!
//! One table a type, read in both directions, so that what is written out can be read back. The
//! compiler sees to it that no value is without a word.

use std::fmt;

use keybearer_license::{DenialReason, Enforcement, IvKind, Scheme, TrackType};
use keybearer_rules::{
    CgmsA, CompressedVideo, DigitalAudio, Drm, HdcpVersion, Level, Permission, Persistence,
    Recording, SecureMediaPath, TrustedOutputs, Watermark,
};
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;

/// A closed set of values with one word each.
pub(crate) trait Named: Copy + PartialEq + 'static {
    /// What the set is called in an error message.
    const WHAT: &'static str;

    /// Every value.
    fn all() -> &'static [Self];

    /// The value's word.
    fn word(self) -> &'static str;

    /// The value of a word.
    fn from_word(word: &str) -> Option<Self> {
        Self::all()
            .iter()
            .copied()
            .find(|value| value.word() == word)
    }

    /// "one, two or three", for error messages.
    fn expected() -> String {
        let words: Vec<&str> = Self::all().iter().map(|value| value.word()).collect();
        match words.as_slice() {
            [] => String::new(),
            [only] => (*only).to_owned(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }
}

/// Gives words to enumerations that have none of their own.
macro_rules! words {
    ($($type:ident, $what:literal: $($value:ident = $word:literal),+ $(,)?;)+) => {$(
        impl crate::names::Named for $type {
            const WHAT: &'static str = $what;

            fn all() -> &'static [Self] {
                &[$(Self::$value),+]
            }

            fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }
    )+};
}
pub(crate) use words;

/// Takes over the names that the rules room gives its values.
macro_rules! rule_words {
    ($($type:ident, $what:literal;)+) => {$(
        impl Named for $type {
            const WHAT: &'static str = $what;

            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word(self) -> &'static str {
                self.name()
            }
        }
    )+};
}

rule_words! {
    Level, "level";
    HdcpVersion, "HDCP version";
    CgmsA, "CGMS-A state";
    CompressedVideo, "rule for compressed video";
    DigitalAudio, "rule for digital audio";
    Permission, "permission";
    Recording, "rule for recording";
    Watermark, "rule for watermarks";
    Persistence, "rule for stored licences";
    SecureMediaPath, "rule for the media path";
    TrustedOutputs, "rule for trusted outputs";
    Drm, "rule family";
}

words! {
    TrackType, "track type":
        Audio = "audio", Sd = "sd", Hd = "hd",
        Uhd1 = "uhd1", Uhd2 = "uhd2", Other = "other";
    Scheme, "protection scheme":
        Cenc = "cenc", Cens = "cens", Cbc1 = "cbc1", Cbcs = "cbcs";
    IvKind, "IV kind":
        PerSample8 = "per-sample-8", PerSample16 = "per-sample-16",
        Constant8 = "constant-8", Constant16 = "constant-16";
    Enforcement, "enforcement":
        Soft = "soft", Hard = "hard";
    DenialReason, "denial reason":
        NotAuthorised = "not-authorised",
        TokenMissing = "token-missing",
        TokenExpired = "token-expired",
        TokenReplayed = "token-replayed",
        TokenOtherDevice = "token-other-device",
        TokenInvalid = "token-invalid",
        UnknownProfile = "unknown-profile",
        ProfileAndRules = "profile-and-rules",
        LevelTooLow = "level-too-low",
        StoredNotAllowed = "stored-not-allowed",
        CounterTooWeak = "counter-too-weak",
        DeviceRevoked = "device-revoked",
        DeviceModelBarred = "device-model-barred",
        PlatformNotVerified = "platform-not-verified",
        OutputNotProtected = "output-not-protected",
        KeyUnknown = "key-unknown",
        ChallengeExpired = "challenge-expired",
        Replayed = "replayed",
        UpdateRequired = "update-required",
        SecureStorageMissing = "secure-storage-missing",
        VulnerableDevice = "vulnerable-device",
        DebugDevice = "debug-device",
        WorkerRequired = "worker-required",
        LicenseUnknown = "license-unknown",
        LicenseReleased = "license-released",
        RenewalNotAllowed = "renewal-not-allowed",
        EnrolmentRefused = "enrolment-refused",
        RequestNotUnderstood = "request-not-understood",
        Overloaded = "overloaded";
}

/// A named value inside a serde structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<T>(pub(crate) T);

impl<T: Named> serde::Serialize for Name<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<'de, T: Named> serde::Deserialize<'de> for Name<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word<T>(std::marker::PhantomData<T>);

        impl<T: Named> Visitor<'_> for Word<T> {
            type Value = Name<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a {}: {}", T::WHAT, T::expected())
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
                T::from_word(word).map(Name).ok_or_else(|| {
                    E::custom(format_args!(
                        "{word:?} is not a {}, expected {}",
                        T::WHAT,
                        T::expected()
                    ))
                })
            }
        }

        deserializer.deserialize_str(Word(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests;
