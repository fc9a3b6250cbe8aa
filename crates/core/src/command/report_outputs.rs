//! `ReportOutputs`: what the host sees of the device's outputs. It counts for the sessions of its own
//! client, as far as the rules let a host's word count, for two seconds.

use keybearer_wire::body::ReportOutputs;

use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, call: &Call, request: ReportOutputs) -> Outcome {
    let now = call.now()?;
    core.sight.take(call.client, &request, now)?;
    // What it shows holds from now on, not from the next call.
    core.bring_up_to_date(now);
    Ok(Response::empty())
}
