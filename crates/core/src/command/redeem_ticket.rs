//! `RedeemTicket`: a decoder's channel to the track that a ticket stands for. Any decoder may redeem
//! any ticket once: all of them are the same application, and which of them plays which track is the
//! host's to say. But one of a test build, which tells the host more than it should know, gets nothing
//! of a trusted side that does not say in its evidence that it is a test build too.

use keybearer_wire::Status;
use keybearer_wire::body::{ChannelOpened, RedeemTicket};

use crate::command::Outcome;
use crate::core::{Call, Core};
use crate::platform::Platform;
use crate::response::Response;

pub(crate) fn run<P: Platform>(core: &mut Core<P>, call: &Call, request: RedeemTicket) -> Outcome {
    if request.debug && !core.config.debug {
        return Err(Status::NotPermitted);
    }
    let (channel, track) = core.sessions.redeem(call.client, &request.ticket)?;
    Ok(Response::channel_opened(&ChannelOpened {
        channel,
        track_type: track.code(),
    }))
}
