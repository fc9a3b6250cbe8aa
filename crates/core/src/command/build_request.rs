//! `BuildRequest`: a sealed licence request.
//!
//! The evidence is the core's own. What the host says of the device goes in beside it, marked as
//! such. The challenge is the service's last one; it is used up only when a request was built.

use alloc::vec::Vec;

use keybearer_license::{
    Capabilities, Codec, DeviceIdentity, InitData, KeyId, LicenseId, LicenseKind, LicenseRef,
    LicenseRequest, RequestKind, build_license_request,
};
use keybearer_wire::Status;
use keybearer_wire::body::{self, BuildRequest, Message};
use keybearer_wire::field::Blob;

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::evidence;
use crate::identity::AnchorSigner;
use crate::memory::{collected, copied};
use crate::platform::Platform;
use crate::refusal;
use crate::response::Response;
use crate::session::{Pending, PendingKind, Session};

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: BuildRequest<'_>,
) -> Outcome {
    let now = call.now()?;
    let session = core.sessions.get(call.client, request.session)?;
    let anchor = session.anchor;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    if request.stored {
        return Err(Status::StoredNotSupported);
    }
    let kind = request_kind(session, &request)?;
    let host_stated = Capabilities::from_bytes(request.capabilities.0).map_err(refusal::of_part)?;
    let newer = match &request.service_info {
        Some(newer) => Some(session.newer_service(&core.parts.crypto, state, newer.0)?),
        None => {
            session.check_service(state)?;
            None
        }
    };
    let (service, challenge) = match &newer {
        Some(newer) => (&newer.service, newer.info.challenge),
        None => {
            let challenge = session.challenge.ok_or(Status::NoChallenge)?;
            (&session.service, challenge)
        }
    };
    let certificate = state.certificate()?;
    let anchored = state.time.known().is_some();
    let parts = &mut core.parts;
    let evidence = evidence::collect(
        parts,
        &core.config,
        session.level,
        &anchor,
        now,
        &core.instance,
        anchored,
    )?;
    let mut init_data = Vec::new();
    init_data
        .try_reserve_exact(request.init_data.0.len())
        .map_err(|_| Status::OutOfMemory)?;
    for item in &request.init_data.0 {
        init_data.push(InitData {
            system_id: item.system_id,
            data: copied(item.data.0)?,
        });
    }
    let token = request
        .token
        .as_ref()
        .map(|token| copied(token.0))
        .transpose()?;
    let wanted = LicenseRequest {
        challenge,
        kind,
        keys: collected(request.key_ids.0.iter().map(|id| KeyId(*id)))?,
        init_data,
        wanted: LicenseKind::Session,
        evidence,
        capabilities: capabilities(session)?,
        host_stated,
        model: certificate.model.copied().map_err(refusal::of_message)?,
        token,
    };
    let mut signer = AnchorSigner::new(&mut parts.identity, anchor)?;
    let mut device = DeviceIdentity {
        signer: &mut signer,
        chain: &certificate.chain,
    };
    let attester = &mut parts.attester;
    let (message, pending) = build_license_request(
        &parts.crypto,
        &mut parts.rng,
        &mut device,
        service,
        &wanted,
        &mut |nonce| evidence::attest(attester, nonce),
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
        kind: PendingKind::License(pending),
        sent: now,
    });
    Ok(response)
}

/// What the trusted side knows itself: what its decoder decodes. Without output reports it knows of
/// no output.
fn capabilities(session: &Session) -> Result<Capabilities, Status> {
    let codecs = match session.handover {
        Some(_) => Some(collected([Codec::H264].into_iter())?),
        None => None,
    };
    Ok(Capabilities {
        codecs_at_high: codecs,
        ..Capabilities::default()
    })
}

/// A renewal names a licence that the session holds; a new licence names none.
fn request_kind(session: &Session, request: &BuildRequest<'_>) -> Result<RequestKind, Status> {
    match (request.kind, request.license) {
        (body::RequestKind::Acquire, None) => Ok(RequestKind::Acquire),
        (body::RequestKind::Renew, Some(id)) => {
            let license = session
                .license(LicenseId(id))
                .ok_or(Status::UnknownLicense)?;
            Ok(RequestKind::Renew(LicenseRef {
                license_id: license.id,
                sequence: license.sequence,
                usage: collected(license.usage_record().into_iter())?,
            }))
        }
        _ => Err(Status::Malformed),
    }
}
