//! `EraseIdentity`: the device becomes a new one under an anchor.
//!
//! Sessions under the anchor are closed, whoever owns them: their keys belong to the identity that
//! goes. What was sealed under it could not be opened any more and is removed first, so that a
//! power cut leaves either a device without certificate or one without identity.

use keybearer_crypto::Digest;
use keybearer_wire::Status;
use keybearer_wire::body::{Empty, EraseIdentity};

use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::{Identity, Platform, Slot, SlotKind, Vault};
use crate::response::Response;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    _call: &Call,
    request: EraseIdentity,
) -> Outcome {
    let anchor = Digest(request.anchor);
    if !core.config.permits(&anchor) {
        return Err(Status::UnknownAnchor);
    }
    core.sessions.close_all(|session| session.anchor == anchor);
    core.provisionings
        .remove_all(|pending| pending.anchor == anchor);
    core.states.retain(|state| state.anchor != anchor);
    for kind in [SlotKind::Certificate, SlotKind::Revocation, SlotKind::Time] {
        core.parts.vault.remove(&Slot::under(kind, &anchor))?;
    }
    core.parts.identity.erase(&anchor)?;
    Ok(Response::answer(&Empty {}))
}
