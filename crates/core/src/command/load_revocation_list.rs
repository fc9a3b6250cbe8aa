//! `LoadRevocationList`: takes a newer revocation list; its number never goes back.

use keybearer_crypto::Digest;
use keybearer_license::{Trust, open_revocation_list};
use keybearer_wire::body::LoadRevocationList;

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::refusal;
use crate::response::Response;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    call: &Call,
    request: LoadRevocationList<'_>,
) -> Outcome {
    call.now()?;
    let anchor = Digest(request.anchor);
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    let trust = Trust {
        anchor: &state.certificate()?.root,
        time: state.time.view(),
        revoked: &state.revocation.serials,
    };
    let list = open_revocation_list(&core.parts.crypto, &trust, request.list.0)
        .map_err(refusal::of_message)?;
    state.revoke(&mut core.parts, list)?;
    Ok(Response::empty())
}
