//! `BuildTimeRequest`: asks the session's service for its time. The challenge is the service's last
//! one, or that of the newer service info which comes along; it is used up only when a request was
//! built.

use keybearer_license::{DeviceIdentity, Roles, TimeRequest, build_time_request};
use keybearer_wire::Status;
use keybearer_wire::body::{BuildTimeRequest, Message};
use keybearer_wire::field::Blob;

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::identity::AnchorSigner;
use crate::platform::Platform;
use crate::refusal;
use crate::response::Response;
use crate::session::{Pending, PendingKind};

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: BuildTimeRequest<'_>,
) -> Outcome {
    let now = call.now()?;
    let session = core.sessions.get(call.client, request.session)?;
    let anchor = session.anchor;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    if now.is_none() {
        return Err(Status::NoTrustedTime);
    }
    let newer = match &request.service_info {
        Some(newer) => Some(session.newer_service(&core.parts.crypto, state, newer.0)?),
        None => {
            session.check_service(state)?;
            None
        }
    };
    let service = newer.as_ref().map_or(&session.service, |it| &it.service);
    if !service.claims.roles.contains(Roles::TIME) {
        return Err(Status::RoleMissing);
    }
    let challenge = match &newer {
        Some(newer) => newer.info.challenge,
        None => session.challenge.ok_or(Status::NoChallenge)?,
    };
    let certificate = state.certificate()?;
    let parts = &mut core.parts;
    let mut signer = AnchorSigner::new(&mut parts.identity, anchor)?;
    let mut device = DeviceIdentity {
        signer: &mut signer,
        chain: &certificate.chain,
    };
    let (message, pending) = build_time_request(
        &parts.crypto,
        &mut parts.rng,
        &mut device,
        service,
        &TimeRequest { challenge },
    )
    .map_err(refusal::of_request)?;
    session.make_room()?;
    let response = Response::encoded(&Message {
        bytes: Blob(&message),
    })?;
    if let Some(newer) = newer {
        session.service = newer.service;
    }
    session.challenge = None;
    session.wait_for(Pending {
        kind: PendingKind::Time(pending),
        sent: now,
    });
    Ok(response)
}
