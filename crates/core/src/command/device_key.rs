//! `DeviceKey`: the digest of the device's key under an anchor, as a factory token names it.
//!
//! Under an anchor that the build names the key is made if there is none: a factory asks before
//! anything else happens. Where the application names the anchors a key is only shown. It is durable
//! and there is room for few, so it is made once a service has proved itself under the anchor
//! ([`super::begin_provisioning`]), not for whatever 32 bytes somebody types.

use keybearer_crypto::Digest;
use keybearer_license::key_digest;
use keybearer_wire::Status;
use keybearer_wire::body::{DeviceKey, DeviceKeyAnswer};

use crate::anchor;
use crate::command::Outcome;
use crate::config::Anchors;
use crate::core::{Call, Core};
use crate::platform::{Identity, Platform};
use crate::refusal;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, _call: &Call, request: DeviceKey) -> Outcome {
    let anchor = Digest(request.anchor);
    if !core.config.permits(&anchor) {
        return Err(Status::UnknownAnchor);
    }
    let key = match core.config.anchors {
        Anchors::Fixed(_) => anchor::create_identity(&mut core.parts, &anchor)?,
        Anchors::Application => core
            .parts
            .identity
            .public_key(&anchor)?
            .ok_or(Status::NotProvisioned)?,
    };
    let digest = key_digest(&core.parts.crypto, &key).map_err(refusal::of_message)?;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    Ok(Response::answer(&DeviceKeyAnswer {
        key_digest: digest.0,
        provisioned: state.certificate.is_some(),
    }))
}
