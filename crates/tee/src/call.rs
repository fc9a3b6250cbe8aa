//! One typed call over any connection.

use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, decode_response};

use crate::{BufferRange, CallError, Media, TeeError, TeeSession};

/// Encodes a request, runs its command and takes the answer apart.
///
/// # Errors
/// [`CallError::Refused`] with the trusted side's status, or the transport's failure.
pub(crate) fn call<'r, 'a, R: Body<'r>, A: Body<'a>>(
    connection: &mut dyn TeeSession,
    response: &'a mut Vec<u8>,
    command: u32,
    request: &R,
    media: Media<'_>,
) -> Result<A, CallError> {
    let bytes = request.encode(MAX_REQUEST).map_err(CallError::Request)?;
    connection.call(command, &bytes, response, media)?;
    answer(response)
}

/// As [`call`], with a protected buffer for what comes out.
///
/// # Errors
/// Those of [`call`].
pub(crate) fn call_into<'r, 'a, R: Body<'r>, A: Body<'a>>(
    connection: &mut dyn TeeSession,
    response: &'a mut Vec<u8>,
    command: u32,
    request: &R,
    (input, output): (&[u8], BufferRange),
) -> Result<A, CallError> {
    let bytes = request.encode(MAX_REQUEST).map_err(CallError::Request)?;
    connection.call_into(command, &bytes, response, input, output)?;
    answer(response)
}

fn answer<'a, A: Body<'a>>(response: &'a [u8]) -> Result<A, CallError> {
    decode_response(response)
        .map_err(|_| TeeError::BadAnswer("the response is not well formed"))?
        .map_err(CallError::Refused)
}
