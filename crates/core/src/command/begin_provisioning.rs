//! `BeginProvisioning`: asks a service for a certificate.
//!
//! The anchor is one that this trusted side accepts already; the service proves itself under it
//! before anything is sent. The device's key is made here if there is none; nothing else is
//! written before the answer has been verified.

use keybearer_crypto::Digest;
use keybearer_license::{
    AnchorRef, HardwareModel, ProvisionRequest, ProvisionToken, RevokedSerials, Roles, TimeView,
    build_provision_request, open_service_info,
};
use keybearer_wire::Status;
use keybearer_wire::body::{BeginProvisioning, Message, TokenKind};
use keybearer_wire::field::Blob;

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::evidence;
use crate::identity::AnchorSigner;
use crate::memory::copied;
use crate::platform::{Identity, Platform};
use crate::provisioning::PendingProvisioning;
use crate::refusal;
use crate::response::Response;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: BeginProvisioning<'_>,
) -> Outcome {
    let now = call.now()?;
    let anchor = Digest(request.anchor);
    if !core.config.permits(&anchor) {
        return Err(Status::UnknownAnchor);
    }
    let model = HardwareModel::new(request.model.0).map_err(refusal::of_part)?;
    let token = match request.token_kind {
        TokenKind::Enrollment => ProvisionToken::Enrolment(copied(request.token.0)?),
        TokenKind::Factory => ProvisionToken::Factory(copied(request.token.0)?),
    };
    // A new device has nothing to go by but the anchor; its key is made once the service has
    // proved itself.
    let opened = if core.parts.identity.public_key(&anchor)?.is_some() {
        let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
        let (time, revoked) = (state.time.view(), &state.revocation.serials);
        open_service_info(
            &core.parts.crypto,
            AnchorRef::Digest(&anchor),
            time,
            revoked,
            request.service_info.0,
        )
    } else {
        open_service_info(
            &core.parts.crypto,
            AnchorRef::Digest(&anchor),
            TimeView::Unknown,
            &RevokedSerials::none(),
            request.service_info.0,
        )
    }
    .map_err(refusal::of_message)?;
    if !opened.service.claims.roles.contains(Roles::PROVISIONING) {
        return Err(Status::RoleMissing);
    }
    // A key is durable: none is made for a request that could not be kept.
    core.provisionings.make_room(call.client, &anchor)?;
    anchor::create_identity(&mut core.parts, &anchor)?;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    let anchored = state.time.known().is_some();
    let parts = &mut core.parts;
    let wanted = ProvisionRequest {
        challenge: opened.info.challenge,
        ueid: evidence::ueid(parts, &anchor)?,
        oem: core.config.oem,
        model,
        evidence: evidence::collect(
            parts,
            &core.config,
            core.config.level,
            &anchor,
            now,
            &core.instance,
            anchored,
        )?,
        token,
    };
    let mut signer = AnchorSigner::new(&mut parts.identity, anchor)?;
    let attester = &mut parts.attester;
    let (message, pending) = build_provision_request(
        &parts.crypto,
        &mut parts.rng,
        &mut signer,
        &opened.service,
        &wanted,
        &mut |nonce| evidence::attest(attester, nonce),
    )
    .map_err(refusal::of_request)?;
    let response = Response::encoded(&Message {
        bytes: Blob(&message),
    })?;
    core.provisionings.insert(PendingProvisioning {
        client: call.client,
        anchor,
        root: opened.root,
        request: pending,
        sent: now,
    })?;
    Ok(response)
}
