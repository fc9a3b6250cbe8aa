//! `LoadTimeAnswer`: takes a time answer as an anchor of trusted time.

use keybearer_license::{Answer, LicenseError, TimeOutcome, Trust, open_time_answer};
use keybearer_wire::Status;
use keybearer_wire::body::{LoadTimeAnswer, TimeLoaded};

use crate::anchor::{self, AnchorState};
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::{Moment, Parts, Platform};
use crate::refusal;
use crate::report;
use crate::response::Response;
use crate::session::{PendingKind, Session};

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: LoadTimeAnswer<'_>,
) -> Outcome {
    let now = call.now()?;
    let session = core.sessions.get(call.client, request.session)?;
    let anchor = session.anchor;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    let (at, sent, answer) = open(session, &core.parts, state, request.answer.0)?;
    let response = match answer.outcome {
        TimeOutcome::Time => {
            let mut time = state.time;
            let server = answer.time_anchor.ok_or(Status::RoleMissing)?;
            if !time.answered(Some(server), sent, now) {
                // It will not come earlier; what it says for the next request is still good.
                session.answered(at);
                session.challenge = Some(answer.next_challenge);
                return Err(Status::Late);
            }
            let response = Response::encoded(&TimeLoaded { denial: None })?;
            state.settle_time(&mut core.parts, time)?;
            response
        }
        TimeOutcome::Denied(denial) => Response::encoded(&TimeLoaded {
            denial: Some(report::denial(&denial)),
        })?,
    };
    session.answered(at);
    session.challenge = Some(answer.next_challenge);
    core.refresh(now);
    Ok(response)
}

/// Finds the request that the answer belongs to and opens it.
fn open<P: Platform>(
    session: &Session,
    parts: &Parts<P>,
    state: &AnchorState,
    bytes: &[u8],
) -> Result<(u64, Option<Moment>, Answer<TimeOutcome>), Status> {
    let trust = Trust {
        anchor: &session.service.anchor,
        time: state.time.view(),
        revoked: &state.revocation.serials,
    };
    for (at, pending) in session.waiting() {
        let PendingKind::Time(request) = &pending.kind else {
            continue;
        };
        match open_time_answer(&parts.crypto, request, &trust, bytes) {
            Ok(answer) => return Ok((at, pending.sent, answer)),
            Err(LicenseError::WrongRequest) => {}
            Err(error) => return Err(refusal::of_message(error)),
        }
    }
    Err(Status::NotForThisRequest)
}
