//! Words for people: key statuses with their reasons, denials, refusals, and what to do next.

use std::time::{Duration, UNIX_EPOCH};

use keybearer_license::DenialReason;
use keybearer_rules::{Field, Level, OutputKind};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, Reason, ReasonField};

use crate::{Denial, KeyId};

/// Last second of the year 9999, the last one with a four-digit year.
const LAST_SECOND: u64 = 253_402_300_799;

/// A time in seconds since 1970-01-01T00:00Z, as `2026-11-22T01:00:00Z` (RFC 3339).
#[must_use]
pub fn time(unix_seconds: u64) -> String {
    match UNIX_EPOCH.checked_add(Duration::from_secs(unix_seconds)) {
        Some(time) if unix_seconds <= LAST_SECOND => {
            humantime::format_rfc3339_seconds(time).to_string()
        }
        _ => format!("{unix_seconds} seconds after 1970-01-01T00:00:00Z"),
    }
}

/// A key id as 32 hexadecimal digits.
#[must_use]
pub fn kid(id: &KeyId) -> String {
    hex::encode(id)
}

/// A status with its reasons: `expired: the licence's duration has passed (wanted .., found ..)`.
#[must_use]
pub fn key_status(status: KeyStatus, reasons: &[Reason]) -> String {
    let reasons: Vec<String> = reasons.iter().map(reason).collect();
    if reasons.is_empty() {
        status.text().to_owned()
    } else {
        format!("{}: {}", status.text(), reasons.join("; "))
    }
}

/// A status with its reasons and, where outputs restrict the key to a smaller picture than it is for,
/// the picture that they would let pass.
#[must_use]
pub fn standing(status: KeyStatus, reasons: &[Reason], largest_picture: Option<u32>) -> String {
    let text = key_status(status, reasons);
    match largest_picture {
        Some(pixels) if pixels > 0 && status != KeyStatus::Usable => {
            format!("{text}; a picture of at most {pixels} pixels is allowed")
        }
        _ => text,
    }
}

/// One reason, with what was wanted and found where it says so.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    let text = match reason.output.and_then(OutputKind::from_code) {
        Some(output) => &format!("{}: {output}", reason.field.text()),
        None => reason.field.text(),
    };
    let value = |value: i64| field_value(reason.field, value);
    match (reason.wanted.map(value), reason.found.map(value)) {
        (Some(wanted), Some(found)) => format!("{text} (wanted {wanted}, found {found})"),
        (Some(wanted), None) => format!("{text} (wanted {wanted})"),
        (None, Some(found)) => format!("{text} (found {found})"),
        (None, None) => text.to_owned(),
    }
}

/// A wanted or found value in the unit of its field.
fn field_value(field: ReasonField, value: i64) -> String {
    match field {
        ReasonField::NotBefore
        | ReasonField::NotAfter
        | ReasonField::LicenseDuration
        | ReasonField::RentalDuration
        | ReasonField::PlaybackDuration
        | ReasonField::Recovery
        | ReasonField::ServiceCertificate => u64::try_from(value).ok().map(time),
        ReasonField::Level => u8::try_from(value)
            .ok()
            .and_then(Level::from_code)
            .map(|level| level.name().to_owned()),
        ReasonField::TrustedTime
        | ReasonField::Outputs
        | ReasonField::Worker
        | ReasonField::HostReported
        | ReasonField::Rejections => None,
        outputs => rule_field(outputs)
            .zip(u32::try_from(value).ok())
            .map(|(field, number)| field.words(number).to_string()),
    }
    .unwrap_or_else(|| value.to_string())
}

/// The field of the output policy that a reason about outputs names.
const fn rule_field(field: ReasonField) -> Option<Field> {
    Some(match field {
        ReasonField::DigitalVideo => Field::DigitalVideo,
        ReasonField::CompressedVideo => Field::CompressedDigitalVideo,
        ReasonField::UncompressedAudio => Field::DigitalAudioUncompressed,
        ReasonField::CompressedAudio => Field::DigitalAudioCompressed,
        ReasonField::AnalogVideo => Field::AnalogVideo,
        ReasonField::Agc => Field::Agc,
        ReasonField::ColorStripe => Field::ColorStripe,
        ReasonField::AnalogPicture => Field::MaxResAnalog,
        ReasonField::DigitalPicture => Field::MaxResUncompressedDigital,
        ReasonField::CompressedPicture => Field::MaxResCompressedDigital,
        ReasonField::DevicePicture => Field::MaxResDevice,
        _ => return None,
    })
}

/// A denial as one sentence: reason, key, rule, wanted and found, the service's number, what to do.
#[must_use]
pub fn denial(denial: &Denial) -> String {
    let mut text = match denial.reason {
        Some(reason) => denial_text(reason).to_owned(),
        None => format!("reason {}, which this version does not know", denial.code),
    };
    let details = [
        denial.key_id.map(|id| format!("key {}", kid(&id))),
        denial.rule.as_ref().map(|rule| format!("rule {rule}")),
        denial
            .level_needed
            .map(|level| format!("level needed {}", level.name())),
        denial
            .wanted
            .as_ref()
            .map(|wanted| format!("wanted {wanted}")),
        denial.found.as_ref().map(|found| format!("found {found}")),
        denial
            .server_code
            .map(|code| format!("service code {code}")),
    ];
    let details: Vec<String> = details.into_iter().flatten().collect();
    if !details.is_empty() {
        text += &format!(" ({})", details.join(", "));
    }
    if let Some(reason) = denial.reason {
        text += "; ";
        text += denial_advice(reason);
    }
    if let Some(seconds) = denial.retry_after_seconds {
        text += &format!("; ask again in {seconds} s");
    }
    text
}

/// What a denial's reason means.
#[must_use]
pub const fn denial_text(reason: DenialReason) -> &'static str {
    match reason {
        DenialReason::NotAuthorised => "not authorised for this content",
        DenialReason::TokenMissing => "the content needs an authorisation token",
        DenialReason::TokenExpired => "the authorisation token has expired",
        DenialReason::TokenReplayed => "the authorisation token was used before",
        DenialReason::TokenOtherDevice => "the authorisation token is for another device",
        DenialReason::TokenInvalid => "the authorisation token is not valid",
        DenialReason::UnknownProfile => "the token names a profile that does not exist",
        DenialReason::ProfileAndRules => "the token names a profile and rules together",
        DenialReason::LevelTooLow => "the device's level is too low",
        DenialReason::StoredNotAllowed => "a stored licence is not allowed",
        DenialReason::CounterTooWeak => "the device cannot protect its storage well enough",
        DenialReason::DeviceRevoked => "the device is revoked",
        DenialReason::DeviceModelBarred => "the device model is barred",
        DenialReason::PlatformNotVerified => "the device's platform is not verified",
        DenialReason::OutputNotProtected => "an output cannot be protected as required",
        DenialReason::KeyUnknown => "the service does not know the key",
        DenialReason::ChallengeExpired => "the service's challenge has expired",
        DenialReason::Replayed => "the request's number was used with other content",
        DenialReason::UpdateRequired => "the device's software is too old",
        DenialReason::SecureStorageMissing => "the device lacks the secure storage required",
        DenialReason::VulnerableDevice => "the device has a known weakness above the limit",
        DenialReason::DebugDevice => "the device is a development device",
        DenialReason::WorkerRequired => "the key demands a sandboxed worker process",
        DenialReason::LicenseUnknown => "the service does not know the licence",
        DenialReason::LicenseReleased => "the licence was released before",
        DenialReason::RenewalNotAllowed => "the licence may not be renewed",
        DenialReason::EnrolmentRefused => "the enrolment or factory token was not accepted",
        DenialReason::RequestNotUnderstood => "the request contradicts itself",
        DenialReason::Overloaded => "the service is overloaded",
    }
}

/// What to do about a denial.
#[must_use]
pub const fn denial_advice(reason: DenialReason) -> &'static str {
    match reason {
        DenialReason::NotAuthorised | DenialReason::DeviceModelBarred => {
            "ask the service's operator whether this device may use the content"
        }
        DenialReason::TokenMissing
        | DenialReason::TokenExpired
        | DenialReason::TokenReplayed
        | DenialReason::TokenOtherDevice
        | DenialReason::TokenInvalid => "obtain a new authorisation token for this device",
        DenialReason::UnknownProfile | DenialReason::ProfileAndRules => {
            "the issuer of the authorisation token must correct it"
        }
        DenialReason::LevelTooLow | DenialReason::WorkerRequired => {
            "use a device or backend of the level needed, or a track whose key asks for less"
        }
        DenialReason::StoredNotAllowed => "ask for a session licence instead",
        DenialReason::CounterTooWeak
        | DenialReason::PlatformNotVerified
        | DenialReason::SecureStorageMissing
        | DenialReason::VulnerableDevice => "the content is not for this platform as it is",
        DenialReason::DeviceRevoked => "only the service's operator can readmit it",
        DenialReason::OutputNotProtected => {
            "disconnect that output or use one that is protected as wanted"
        }
        DenialReason::KeyUnknown => "check that the file and the service belong together",
        DenialReason::ChallengeExpired | DenialReason::Replayed => "make a new request",
        DenialReason::UpdateRequired => "update the trusted side",
        DenialReason::DebugDevice => {
            "use a production build, or a service that admits development devices"
        }
        DenialReason::LicenseUnknown
        | DenialReason::LicenseReleased
        | DenialReason::RenewalNotAllowed => "acquire a new licence",
        DenialReason::EnrolmentRefused => "obtain a new token from the service's operator",
        DenialReason::RequestNotUnderstood => "name at least one key of the content",
        DenialReason::Overloaded => "try again later",
    }
}

/// What to do about a refusal of the trusted side, where something can be done.
#[must_use]
pub const fn status_advice(status: Status) -> Option<&'static str> {
    Some(match status {
        Status::OutOfMemory | Status::TooManySessions => {
            "close sessions that are no longer needed and try again"
        }
        Status::TooManyLicenses | Status::TooManyKeys => {
            "remove licences that are no longer needed, or open another session"
        }
        Status::UnknownSession => "open a new session",
        Status::UnknownAnchor => {
            "this trusted side accepts other operators only; check the anchor's digest"
        }
        Status::NotProvisioned => "provision the device with this service's operator first",
        Status::NoPendingProvisioning => "begin provisioning anew",
        Status::BadChain => {
            "check that the anchor's digest is the operator's and that the address is the service's"
        }
        Status::OutsideValidity => "the service's operator must renew its certificate",
        Status::BadMessage | Status::BadSignature => {
            "something on the way changed it, or this is not the service; nothing was taken from it"
        }
        Status::StaleServiceInfo => "fetch the service's info again",
        Status::NotForThisRequest | Status::Late => "make a new request",
        Status::UnsupportedVersion => "update the older of device and service",
        Status::NoTrustedTime => "this platform can only use licences that are not limited in time",
        Status::LicenseEnded | Status::UnknownKey => "acquire a new licence",
        Status::KeyNotUsable => "ask for the key's status and reasons",
        Status::LevelTooLow => "use a device or backend of a higher level",
        Status::WrongSessionKind => "open a protected session for a decoder",
        Status::UnprotectedOutput => {
            "open a clear session for media that comes back; media of a protected one goes to a decoder, or \
             to a buffer of the heap that the TEE guards"
        }
        Status::ProtectedInput => "take the protected media from ordinary memory",
        Status::UnknownTicket | Status::UnknownChannel => "issue a new ticket for the decoder",
        Status::TooManyChannels => "close a decoder of this session that is no longer needed",
        Status::WorkerRequired => {
            "use the sandboxed worker process, or a backend of a higher level"
        }
        Status::UseDenied => "ask the operator: no device may use this content now",
        Status::WrongIv => {
            "set the key's `iv` in the service's configuration to what the file has, which `keybearer \
             inspect FILE` shows; left out, it is per-sample-8 with cenc and cens, per-sample-16 with \
             cbc1, constant-16 with cbcs"
        }
        Status::WrongScheme | Status::WrongPattern | Status::WrongTrackType => {
            "compare the file, as `keybearer inspect FILE` shows it, with the key's `scheme`, `pattern` \
             and `track` in the service's configuration"
        }
        Status::ClearRangeTooLarge => {
            "package the file with fewer clear bytes, or raise the key's `max_clear_bytes` at the service"
        }
        Status::PictureTooLarge => "switch to a track with a smaller picture",
        Status::DamagedRecord => "erase the device's identity and provision it anew",
        Status::LowerLevel => "keep the certificate, or erase the identity first",
        Status::Platform => "check the trusted side's storage: space and permissions",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
