//! `LoadAnswer`: opens a licence or a denial.
//!
//! An answer is for one request of this session and uses it up; a second one, a copy, or one for
//! another request, session or device finds nothing to answer. A wrong answer leaves the request
//! waiting for the right one.

use keybearer_license::{
    Answer, License, LicenseError, LicenseOutcome, Trust, open_license_answer,
};
use keybearer_wire::Status;
use keybearer_wire::body::{AnswerLoaded, LoadAnswer};

use crate::anchor::{self, AnchorState};
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::evidence::counter_strength;
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
    let session = core.sessions.get(call.client, request.session)?;
    let anchor = session.anchor;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    let opened = open(session, &core.parts, state, request.answer.0)?;
    let answer = opened.answer;
    let mut time = state.time;
    time.answered(answer.time_anchor, opened.sent, now);
    let circumstances = Circumstances {
        config: &core.config,
        now,
        time: time.known(),
        panel: core.panel,
    };
    let loaded = match answer.outcome {
        LicenseOutcome::License(license) => {
            check(&license, &core.parts, &circumstances, state)?;
            let issued = answer.server_time;
            let validity = answer.signer.validity;
            let license = LoadedLicense::new(license, issued, validity, &circumstances);
            check_use(&license, &core.parts)?;
            session.admit(&license)?;
            Ok(license)
        }
        LicenseOutcome::Denied(denial) => Err(denial),
        LicenseOutcome::Released(_) => return Err(Status::BadMessage),
    };
    state.settle_time(&mut core.parts, time)?;
    session.pending.remove(opened.at);
    session.challenge = Some(answer.next_challenge);
    let id = match loaded {
        Ok(license) => {
            let id = license.id;
            session.load(license);
            id
        }
        Err(denial) => {
            return Ok(Response::answer(&AnswerLoaded {
                license: None,
                denial: Some(report::denial(&denial)),
            }));
        }
    };
    // The predecessor's first use may bear on this one, and the time that the answer brought on others.
    session.refresh(&circumstances);
    let loaded = session
        .license(id)
        .map(|license| report::license(license, &circumstances));
    Ok(Response::answer(&AnswerLoaded {
        license: loaded,
        denial: None,
    }))
}

/// An answer with the request it answers.
struct Opened {
    answer: Answer<LicenseOutcome>,
    /// Place of the request among the pending ones.
    at: usize,
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
    for (at, pending) in session.pending.iter().enumerate() {
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
fn check<P: Platform>(
    license: &License,
    parts: &Parts<P>,
    circumstances: &Circumstances<'_>,
    state: &AnchorState,
) -> Result<(), Status> {
    let Circumstances { config, time, .. } = *circumstances;
    state.check_revocation(license.least_revocation, config.level, time)?;
    if license.counter > counter_strength(parts) {
        return Err(Status::CounterTooWeak);
    }
    // Counted plays and keys for in-band leaves are rights of licences this core does not keep.
    if license.max_plays.is_some() || !license.roots.is_empty() {
        return Err(Status::NotSupported);
    }
    Ok(())
}

/// Refuses a licence that could never be used here.
fn check_use<P: Platform>(license: &LoadedLicense, parts: &Parts<P>) -> Result<(), Status> {
    let above = |barrier: Option<Barrier>| barrier.is_some();
    if !license.keys.is_empty() && license.keys.iter().all(|key| above(key.barrier)) {
        return Err(Status::LevelTooLow);
    }
    if license.terms.limited() && parts.clock.is_none() {
        return Err(Status::NoTrustedTime);
    }
    if matches!(license.standing(), Standing::Ended(_)) {
        return Err(Status::LicenseEnded);
    }
    Ok(())
}
