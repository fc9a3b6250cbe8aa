//! `Statuses`: the licences of a session and the status of each key, with reasons.

use alloc::vec::Vec;

use keybearer_wire::Status;
use keybearer_wire::body::{StatusReport, Statuses};
use keybearer_wire::field::List;

use crate::anchor;
use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::report;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, call: &Call, request: Statuses) -> Outcome {
    let now = call.now()?;
    let session = core.sessions.get(call.client, request.session)?;
    let anchor = session.anchor;
    let state = anchor::under(&mut core.states, &mut core.parts, &core.config, &anchor)?;
    // A time that goes out is sealed first: not even a restart makes a later one lower.
    state.settle_time(&mut core.parts, state.time)?;
    let circumstances = session.circumstances(&core.config, &core.sight, now, state.time.known());
    let mut licenses = Vec::new();
    licenses
        .try_reserve_exact(session.licenses.len())
        .map_err(|_| Status::OutOfMemory)?;
    for held in &session.licenses {
        licenses.push(report::license(held, &circumstances)?);
    }
    Ok(Response::answer(&StatusReport {
        sequence: session.sequence,
        time: state.time.give_out(),
        licenses: List(licenses),
    }))
}
