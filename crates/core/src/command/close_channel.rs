//! `CloseChannel`: a decoder is done with a track, and says what became of the last units.

use keybearer_wire::body::CloseChannel;

use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::rejections::Report;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, call: &Call, request: CloseChannel) -> Outcome {
    let (session, _) = core.sessions.of_channel(call.client, request.channel)?;
    let report = Report {
        rejected: request.rejected,
        decoded: request.decoded,
    };
    session.hear(request.channel, report);
    session.hang_up(|handle, _| handle == request.channel);
    Ok(Response::empty())
}
