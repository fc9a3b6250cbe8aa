//! `LoadAnswer`: opens a licence or a denial.
//!
//! An answer is for one request of this session and uses it up; a second one, a copy, or one for
//! another request, session or device finds nothing to answer. A wrong answer leaves the request
//! waiting for the right one.
//!
//! A licence none of whose keys this session's level reaches is an answer all the same: the host is
//! told the level needed, as by a denial, and nothing is kept of it.

use keybearer_license::{
    Answer, KeyId, License, LicenseError, LicenseOutcome, Trust, open_license_answer,
};
use keybearer_rules::Level;
use keybearer_wire::Status;
use keybearer_wire::body::{AnswerLoaded, LoadAnswer};

use crate::anchor::{self, AnchorState};
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::license::{Circumstances, LoadedLicense};
use crate::outputs::Barrier;
use crate::platform::{Moment, Parts, Platform};
use crate::refusal;
use crate::report;
use crate::response::Response;
use crate::session::{PendingKind, Session};
use crate::timing::Standing;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: LoadAnswer<'_>,
) -> Outcome {
    let now = call.now()?;
    let room = core.sessions.room_for_keys(call.client, request.session);
    let session = core.sessions.get(call.client, request.session)?;
    let anchor = session.anchor;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    let opened = open(session, &core.parts, state, request.answer.0)?;
    let answer = opened.answer;
    let mut time = state.time;
    time.answered(answer.time_anchor, opened.sent, now);
    let circumstances = session.circumstances(&core.config, &core.sight, now, time.known());
    let (license, response) = match answer.outcome {
        LicenseOutcome::License(license) => {
            check(&license, &circumstances, state)?;
            let issued = answer.server_time;
            let validity = answer.signer.validity;
            let mut license = LoadedLicense::new(license, issued, validity, &circumstances)?;
            match check_use(&license, &core.parts)? {
                Use::Allowed => {
                    session.admit(&mut license, room)?;
                    // An earlier instance's first use may bear on this one.
                    license.refresh(&circumstances);
                    let response = Response::encoded(&AnswerLoaded {
                        license: Some(report::license(&license, &circumstances)?),
                        denial: None,
                    })?;
                    (Some(license), response)
                }
                Use::NeedsLevel(needed, key) => {
                    let denial = report::level_too_low(needed, session.level, key);
                    let response = Response::encoded(&AnswerLoaded {
                        license: None,
                        denial: Some(denial),
                    })?;
                    (None, response)
                }
            }
        }
        LicenseOutcome::Denied(denial) => {
            let response = Response::encoded(&AnswerLoaded {
                license: None,
                denial: Some(report::denial(&denial)),
            })?;
            (None, response)
        }
        LicenseOutcome::Released(_) => return Err(Status::BadMessage),
    };
    state.settle_time(&mut core.parts, time)?;
    session.answered(opened.at);
    session.challenge = Some(answer.next_challenge);
    if let Some(license) = license {
        session.load(license, room);
    }
    // The time that the answer brought may bear on the others.
    session.refresh(&circumstances);
    Ok(response)
}

/// An answer with the request it answers.
struct Opened {
    answer: Answer<LicenseOutcome>,
    /// Number of the request among the pending ones.
    at: u64,
    sent: Option<Moment>,
}

/// Finds the request that the answer belongs to and opens it.
fn open<P: Platform>(
    session: &Session,
    parts: &Parts<P>,
    state: &AnchorState,
    bytes: &[u8],
) -> Result<Opened, Status> {
    let trust = Trust {
        anchor: &session.service.anchor,
        time: state.time.view(),
        revoked: &state.revocation.serials,
    };
    for (at, pending) in session.waiting() {
        let PendingKind::License(request) = &pending.kind else {
            continue;
        };
        match open_license_answer(&parts.crypto, request, &trust, bytes) {
            Ok(answer) => {
                return Ok(Opened {
                    answer,
                    at,
                    sent: pending.sent,
                });
            }
            Err(LicenseError::WrongRequest) => {}
            Err(error) => return Err(refusal::of_message(error)),
        }
    }
    Err(Status::NotForThisRequest)
}

/// Refuses what this trusted side cannot back.
fn check(
    license: &License,
    circumstances: &Circumstances<'_>,
    state: &AnchorState,
) -> Result<(), Status> {
    let Circumstances { level, time, .. } = *circumstances;
    state.check_revocation(license.least_revocation, level, time)?;
    // The counter that a licence names is for storing it, which nothing here does. Counted plays,
    // keys for in-band leaves and keys that rotate are rights of licences this core does not keep:
    // `rotation` stands in every licence with a key that has a period.
    if license.max_plays.is_some() || !license.roots.is_empty() || license.rotation.is_some() {
        return Err(Status::NotSupported);
    }
    Ok(())
}

/// What a licence can be used for here.
enum Use {
    /// At least one of its keys can.
    Allowed,
    /// None can be, and the lowest level that would do is this, for this key.
    NeedsLevel(Level, KeyId),
}

/// Refuses a licence that could never be used here, and tells one that another session could use.
fn check_use<P: Platform>(license: &LoadedLicense, parts: &Parts<P>) -> Result<Use, Status> {
    let barriers = || license.keys.iter().map(|key| key.barrier);
    if !license.keys.is_empty() && barriers().all(|barrier| barrier.is_some()) {
        // The smallest change that would open a key is what the host is told.
        if barriers().any(|barrier| barrier == Some(Barrier::Worker)) {
            return Err(Status::WorkerRequired);
        }
        let levels = license.keys.iter().filter_map(|key| match key.barrier {
            Some(Barrier::Level(Some(needed))) => Some((needed, key.id)),
            _ => None,
        });
        let (needed, key) = levels
            .min_by_key(|(needed, _)| *needed)
            .ok_or(Status::UseDenied)?;
        return Ok(Use::NeedsLevel(needed, key));
    }
    if license.terms.limited() && parts.clock.is_none() {
        return Err(Status::NoTrustedTime);
    }
    if matches!(license.standing(), Standing::Ended(_)) {
        return Err(Status::LicenseEnded);
    }
    Ok(Use::Allowed)
}
