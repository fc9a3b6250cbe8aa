//! `WipeBuffer`: zeros over a protected buffer, or a part of one, whoever wrote to it.
//!
//! Clear media in a protected buffer outlives the session that it was decrypted in, and the trusted
//! application too: the host names the buffer once more and it is overwritten here, because the host
//! cannot. Memory that the host can write to itself is none of this command's.

use keybearer_wire::Status;
use keybearer_wire::body::WipeBuffer;

use crate::command::Outcome;
use crate::core::Core;
use crate::media::{self, Media};
use crate::platform::Platform;
use crate::response::Response;

pub(crate) fn run<P: Platform>(
    core: &mut Core<P>,
    WipeBuffer {}: WipeBuffer,
    media: &mut dyn Media,
) -> Outcome {
    let room = usize::try_from(core.config.max_media).unwrap_or(usize::MAX);
    if media.output_len() > room {
        return Err(Status::MediaTooLarge);
    }
    if !media.output_is_protected() {
        return Err(Status::UnprotectedOutput);
    }
    media::wipe(media, 0, &mut core.scratch)?;
    Ok(Response::empty())
}
