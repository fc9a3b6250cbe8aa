//! `CloseSession`: erases a session with its keys and pending requests.

use keybearer_wire::body::CloseSession;

use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, call: &Call, request: CloseSession) -> Outcome {
    core.sessions.close(call.client, request.session)?;
    Ok(Response::empty())
}
