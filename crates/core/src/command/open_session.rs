//! `OpenSession`: a licence session towards one service, verified under the device's anchor; clear or
//! protected, which decides its level for good.

use keybearer_crypto::Digest;
use keybearer_license::{AnchorRef, Roles, open_service_info};
use keybearer_wire::Status;
use keybearer_wire::body::{OpenSession, SessionOpened};

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::handover::Handover;
use crate::platform::Platform;
use crate::refusal;
use crate::response::Response;
use crate::session::Session;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: OpenSession<'_>,
) -> Outcome {
    call.now()?;
    let level = core.config.session_level(request.protected);
    let level = level.ok_or(Status::LevelTooLow)?;
    if core.sessions.is_full_for(call.client) {
        return Err(Status::TooManySessions);
    }
    let anchor = Digest(request.anchor);
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    state.certificate()?;
    let opened = open_service_info(
        &core.parts.crypto,
        AnchorRef::Digest(&anchor),
        state.time.view(),
        &state.revocation.serials,
        request.service_info.0,
    )
    .map_err(refusal::of_message)?;
    if !opened.service.claims.roles.contains(Roles::LICENSE) {
        return Err(Status::RoleMissing);
    }
    let handover = request.protected.then(Handover::new).transpose()?;
    let session = Session::new(call.client, anchor, opened, level, handover);
    let session = core.sessions.open(session)?;
    Ok(Response::session_opened(&SessionOpened { session }))
}
