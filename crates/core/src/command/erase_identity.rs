//! `EraseIdentity`: the device becomes a new one under an anchor.
//!
//! The key goes first, because with it goes everything else: what was sealed under it never opens
//! again, revocation and time floors included, and a new key starts without them. In any other order
//! a failure half way would take the floors and leave the key. What a failure leaves behind is
//! cleared before a new key is made.
//!
//! Sessions under the anchor are closed, whoever owns them, once the key is gone: theirs belong to
//! it. Any client may erase, see the limits that the crate states.

use keybearer_crypto::Digest;
use keybearer_wire::Status;
use keybearer_wire::body::EraseIdentity;

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::{Identity, Platform};
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
    let erased = core.parts.identity.erase(&anchor);
    // The key may be gone although not all of the erasure succeeded; only one that still answers
    // keeps its sessions.
    let stands = erased.is_err() && matches!(core.parts.identity.public_key(&anchor), Ok(Some(_)));
    if !stands {
        core.sessions.close_all(|session| session.anchor == anchor);
        core.provisionings
            .remove_all(|pending| pending.anchor == anchor);
        core.states.retain(|state| state.anchor != anchor);
    }
    erased?;
    anchor::clear(&mut core.parts, &anchor)?;
    Ok(Response::empty())
}
