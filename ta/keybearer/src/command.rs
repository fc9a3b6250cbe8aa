//! One command of a client, from the slots that it gave to the core and back.

use keybearer_core::{ClientId, Core, Platform, response_limit};
use keybearer_ta_entry::{params::GivenSlots, serve::serve};
use optee_utee::Result;

use crate::media::CallMedia;

/// Runs one command. One that is refused before the core hears of it, for its slots, for its sizes or for
/// lack of memory, ends keys whose time is over as any other does.
///
/// # Errors
/// The TEE's codes for slots of another form than every command has, and for a response slot that has
/// not even room for a refusal.
pub fn run<P: Platform>(
    core: &mut Core<P>,
    client: ClientId,
    command: u32,
    slots: &mut GivenSlots<'_>,
) -> Result<()> {
    let mut heard = false;
    let served = match &mut slots.0 {
        Ok(slots) => serve(slots, response_limit(command), |request, media| {
            heard = true;
            core.call(client, command, request, &mut CallMedia(media))
        }),
        Err(refused) => Err(refused.clone()),
    };
    if !heard {
        core.pass_time();
    }
    served
}
