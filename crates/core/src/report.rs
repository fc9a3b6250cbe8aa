//! What the host is told: statuses, reasons and denials, never anything of a key.

use alloc::vec::Vec;

use keybearer_license::{Denial, DenialReason, Isolation, KeyId, UnixTime};
use keybearer_rules::{Allowance, Field, Level, OutputKind, Reasons, Term};
use keybearer_wire::Status;
use keybearer_wire::body::{
    self, DenialReport, KeyReport, KeyStatus, LicenseReport, MAX_REJECTIONS, Reason, ReasonField,
};
use keybearer_wire::field::{List, Text};

use crate::license::{Circumstances, LoadedKey, LoadedLicense};
use crate::outputs::{self, Barrier};
use crate::timing::Standing;

/// Reasons of one key at most: rejections, barrier, time, and those of the outputs.
const MAX_REASONS: usize = 3 + Reasons::MAX;

// What a key can have must fit the message.
const _: () = assert!(MAX_REASONS <= body::MAX_REASONS);

/// A licence as the host sees it.
///
/// # Errors
/// [`Status::OutOfMemory`].
pub(crate) fn license<'a>(
    license: &'a LoadedLicense,
    circumstances: &Circumstances<'_>,
) -> Result<LicenseReport<'a>, Status> {
    let ends = match license.standing() {
        Standing::Ended(end) => Some(end.at),
        _ => license.terms.end().map(|end| end.at),
    };
    let url = license
        .renewal
        .as_ref()
        .and_then(|renewal| renewal.url.as_deref());
    let mut keys = Vec::new();
    keys.try_reserve_exact(license.keys.len())
        .map_err(|_| Status::OutOfMemory)?;
    for held in &license.keys {
        keys.push(key(license, held, circumstances)?);
    }
    Ok(LicenseReport {
        license: license.id.0,
        sequence: license.sequence,
        ends: ends.map(|at| at.0),
        renew_at: renew_at(license).map(|at| at.0),
        renewal_url: url.map(Text),
        keys: List(keys),
        renew_retry: license
            .renewal
            .as_ref()
            .map(|renewal| renewal.retry_seconds),
    })
}

/// When a renewal is due: some time after issue, or at the first use if the licence says so.
fn renew_at(license: &LoadedLicense) -> Option<UnixTime> {
    let renewal = license.renewal.as_ref()?;
    if renewal.on_first_use {
        return license.terms.first_use;
    }
    Some(
        license
            .terms
            .issued
            .saturating_add(u64::from(renewal.delay_seconds)),
    )
}

fn key(
    license: &LoadedLicense,
    key: &LoadedKey,
    circumstances: &Circumstances<'_>,
) -> Result<KeyReport, Status> {
    Ok(KeyReport {
        key_id: key.id.0,
        status: key.status,
        reasons: List(reasons(license, key, circumstances)?),
        track_type: key.usage.track.code(),
        level: key.usage.lowest_level.code(),
        scheme: key.usage.scheme.code(),
        largest_picture: match key.allowed {
            Allowance::Nothing => Some(0),
            Allowance::UpTo(pixels) => Some(pixels.get()),
            Allowance::Any => None,
        },
    })
}

/// Why a key cannot be used now, or on whose word one can that demands anything of outputs.
fn reasons(
    license: &LoadedLicense,
    key: &LoadedKey,
    circumstances: &Circumstances<'_>,
) -> Result<Vec<Reason>, Status> {
    let mut reasons = Vec::new();
    reasons
        .try_reserve_exact(MAX_REASONS)
        .map_err(|_| Status::OutOfMemory)?;
    let decision = outputs::decision(&key.usage, Term::Running, circumstances);
    // What bars the key at this level is told below, with what its licence asks for.
    let of_outputs = decision
        .reasons
        .iter()
        .filter(|_| key.barrier.is_none())
        .map(of_output);
    if key.status == KeyStatus::Usable {
        reasons.extend(of_outputs);
        return Ok(reasons);
    }
    if let Some(rejected) = key.closed {
        reasons.push(Reason {
            field: ReasonField::Rejections,
            wanted: Some(i64::from(MAX_REJECTIONS)),
            found: Some(i64::from(rejected)),
            output: None,
        });
    }
    match key.barrier {
        Some(Barrier::Level(wanted)) => reasons.push(Reason {
            field: ReasonField::Level,
            wanted: wanted.map(level),
            found: Some(level(circumstances.level)),
            output: None,
        }),
        Some(Barrier::Worker) => reasons.push(Reason {
            field: ReasonField::Worker,
            wanted: Some(i64::from(body::Isolation::Worker.code())),
            found: Some(i64::from(isolation(circumstances.config.isolation).code())),
            output: None,
        }),
        None => {}
    }
    let latest = circumstances
        .time
        .map(|time| seconds(time.latest_seconds()));
    let earliest = circumstances
        .time
        .map(|time| seconds(time.earliest_seconds()));
    match license.standing() {
        Standing::Runs => {}
        Standing::Begins(at) => reasons.push(Reason {
            field: ReasonField::NotBefore,
            wanted: Some(seconds(at)),
            found: earliest,
            output: None,
        }),
        Standing::Waits => {
            reasons.push(Reason {
                field: ReasonField::TrustedTime,
                wanted: None,
                found: None,
                output: None,
            });
        }
        Standing::Ended(end) => reasons.push(Reason {
            field: end.field,
            wanted: Some(seconds(end.at)),
            found: latest,
            output: None,
        }),
    }
    reasons.extend(of_outputs);
    Ok(reasons)
}

/// A status in the terms of the wire, which numbers them alike.
pub(crate) const fn status(status: keybearer_rules::KeyStatus) -> KeyStatus {
    use keybearer_rules::KeyStatus as Rules;
    match status {
        Rules::Usable => KeyStatus::Usable,
        Rules::UsableInFuture => KeyStatus::UsableInFuture,
        Rules::Expired => KeyStatus::Expired,
        Rules::Released => KeyStatus::Released,
        Rules::OutputRestricted => KeyStatus::OutputRestricted,
        Rules::OutputDownscaled => KeyStatus::OutputDownscaled,
        Rules::StatusPending => KeyStatus::StatusPending,
        Rules::InternalError => KeyStatus::InternalError,
    }
}

/// A reason of the rules in the terms of the wire.
fn of_output(reason: &keybearer_rules::Reason) -> Reason {
    let field = match reason.field {
        Field::MinSecurity | Field::SecureMediaPath => ReasonField::Level,
        Field::Term => ReasonField::TrustedTime,
        Field::Report => ReasonField::Outputs,
        Field::HostReported => ReasonField::HostReported,
        Field::Kind => ReasonField::OutputKind,
        Field::DigitalVideo => ReasonField::DigitalVideo,
        Field::CompressedDigitalVideo => ReasonField::CompressedVideo,
        Field::DigitalAudioUncompressed => ReasonField::UncompressedAudio,
        Field::DigitalAudioCompressed => ReasonField::CompressedAudio,
        Field::AnalogVideo => ReasonField::AnalogVideo,
        Field::Agc => ReasonField::Agc,
        Field::ColorStripe => ReasonField::ColorStripe,
        Field::MaxResAnalog => ReasonField::AnalogPicture,
        Field::MaxResUncompressedDigital => ReasonField::DigitalPicture,
        Field::MaxResCompressedDigital => ReasonField::CompressedPicture,
        Field::MaxResDevice => ReasonField::DevicePicture,
        Field::Airplay => ReasonField::Airplay,
        Field::AvAdapter => ReasonField::AvAdapter,
        Field::ExportDtcp => ReasonField::DtcpExport,
        Field::Recording => ReasonField::Recording,
    };
    Reason {
        field,
        wanted: reason.wanted.map(i64::from),
        found: reason.found.map(i64::from),
        output: reason.output.map(OutputKind::code),
    }
}

fn level(level: Level) -> i64 {
    i64::from(level.code())
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// Where the core runs, in the terms of the wire.
pub(crate) const fn isolation(isolation: Isolation) -> body::Isolation {
    match isolation {
        Isolation::Tee => body::Isolation::Tee,
        Isolation::Worker => body::Isolation::Worker,
        Isolation::InProcess => body::Isolation::InProcess,
    }
}

/// The denial that the core makes itself of a licence for a higher level than the session's.
pub(crate) fn level_too_low(needed: Level, found: Level, key: KeyId) -> DenialReport<'static> {
    DenialReport {
        reason: DenialReason::LevelTooLow.code(),
        rule: Some(Text("session-level")),
        wanted: Some(Text(needed.name())),
        found: Some(Text(found.name())),
        server_code: None,
        retry_after: None,
        level_needed: Some(needed.code()),
        key_id: Some(key.0),
    }
}

/// A denial as the host sees it.
pub(crate) fn denial(denial: &Denial) -> DenialReport<'_> {
    DenialReport {
        reason: denial.reason.code(),
        rule: denial.rule.as_deref().map(Text),
        wanted: denial.wanted.as_deref().map(Text),
        found: denial.found.as_deref().map(Text),
        server_code: denial.public_code,
        retry_after: denial.retry_after_seconds.map(core::num::NonZeroU32::get),
        level_needed: denial.level_needed.map(Level::code),
        key_id: denial.key_id.map(|id| id.0),
    }
}
