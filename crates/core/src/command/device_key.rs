//! `DeviceKey`: the digest of the device's key under an anchor, as a factory token names it.

use keybearer_crypto::Digest;
use keybearer_license::key_digest;
use keybearer_wire::Status;
use keybearer_wire::body::{DeviceKey, DeviceKeyAnswer};

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::{Identity, Platform};
use crate::refusal;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, _call: &Call, request: DeviceKey) -> Outcome {
    let anchor = Digest(request.anchor);
    if !core.config.permits(&anchor) {
        return Err(Status::UnknownAnchor);
    }
    let key = core.parts.identity.create(&anchor)?;
    let digest = key_digest(&core.parts.crypto, &key).map_err(refusal::of_message)?;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    Ok(Response::answer(&DeviceKeyAnswer {
        key_digest: digest.0,
        provisioned: state.certificate.is_some(),
    }))
}
