//! `IssueTicket`: a random, one-use ticket to one track of a protected session, for the host to hand
//! to a decoder.

use keybearer_crypto::Rng;
use keybearer_license::TrackType;
use keybearer_wire::Status;
use keybearer_wire::body::{IssueTicket, Ticket};

use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, call: &Call, request: IssueTicket) -> Outcome {
    let session = core.sessions.get(call.client, request.session)?;
    let handover = session.handover.as_mut().ok_or(Status::WrongSessionKind)?;
    let track = TrackType::from_code(request.track_type).ok_or(Status::WrongTrackType)?;
    let mut ticket = [0; 16];
    core.parts
        .rng
        .fill(&mut ticket)
        .map_err(|_| Status::Platform)?;
    handover.issue(ticket, track);
    Ok(Response::ticket(&Ticket { ticket }))
}
