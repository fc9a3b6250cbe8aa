//! The trusted core inside OP-TEE, reached through libteec.
//!
//! A connection is a session of the key TA with one arena of registered shared memory: request and
//! response have fixed places in it. Media that the caller holds in memory of
//! [`TeeSession::shared_memory`] is decrypted where it stands; other media is copied into the arena
//! and back. Registered memory costs a quarter of what temporary references cost a call, and nothing
//! is registered while samples flow.
//!
//! The trusted application is trusted with its answers' meaning, never with their sizes: every
//! length that comes back is checked against the arena before a byte is copied out of it.

#![deny(unsafe_code)]

mod error;
#[allow(unsafe_code)] // the C interface of libteec; every block says why it is sound
mod sys;

use keybearer_tee::{BackendInfo, Media, SharedMemory, Tee, TeeError, TeeSession};
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE, OPTEE_MAX_MEDIA};
use optee_teec::Uuid;
use sys::{Place, Range, SharedBytes, Slots};

/// UUID of the key TA, as its signed header carries it.
pub const KEY_TA: &str = include_str!("../../../ta/keybearer/uuid.txt").trim_ascii();

/// Offset of the response in the arena; the request begins at 0. Both are multiples of a page.
const RESPONSE_AT: usize = MAX_REQUEST;
/// Offset of the media in the arena.
const MEDIA_AT: usize = RESPONSE_AT + MAX_RESPONSE;

/// OP-TEE on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpteeTee;

impl Tee for OpteeTee {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "optee",
            detail: format!("trusted core in OP-TEE's trusted application {KEY_TA}, over libteec"),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        let uuid = Uuid::parse_str(KEY_TA)
            .map_err(|_| TeeError::Unavailable(format!("{KEY_TA} is not a UUID")))?;
        let connection = sys::Connection::open(&uuid, MEDIA_AT).map_err(error::of)?;
        Ok(Box::new(OpteeSession {
            connection,
            dead: false,
        }))
    }
}

/// One connection to the key TA; see the crate's head.
struct OpteeSession {
    connection: sys::Connection,
    /// Set when the trusted application has died: every further call would fail the same way.
    dead: bool,
}

impl OpteeSession {
    /// Makes room for `media` bytes. The arena only ever grows, in powers of two: a stream's
    /// batches are of like size, so this happens a few times in the life of a connection.
    fn reserve(&mut self, media: usize) -> Result<(), TeeError> {
        if self.connection.arena() < MEDIA_AT + media {
            let size = MEDIA_AT + media.next_power_of_two();
            self.connection.grow(size).map_err(error::of)?;
        }
        Ok(())
    }

    /// Names the media of a call to the trusted application. What lies elsewhere than in memory of
    /// this connection's goes through the arena: copied in here, and back by who finds no place of
    /// its own for the output (`false`).
    fn lay_out(&mut self, media: &Media<'_>) -> Result<(Place, Place, bool), TeeError> {
        let len = media.len();
        let (input, output): (&[u8], &[u8]) = match media {
            Media::None => (&[], &[]),
            Media::InPlace(data) => (data, data),
            Media::Into { input, output } => (input, &output[..len]),
        };
        let (from, to) = (self.connection.find(input), self.connection.find(output));
        if from.is_none() || to.is_none() {
            self.reserve(len)?;
        }
        if from.is_none() {
            self.connection.write(MEDIA_AT, input);
        }
        let in_place = to.is_some();
        let own = || {
            let offset = MEDIA_AT;
            self.connection.place(Range { offset, len })
        };
        Ok((from.unwrap_or_else(own), to.unwrap_or_else(own), in_place))
    }
}

impl TeeSession for OpteeSession {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        response.clear();
        if self.dead {
            return Err(TeeError::Dead);
        }
        check("request", request.len(), MAX_REQUEST)?;
        check("media", media.len(), OPTEE_MAX_MEDIA)?;
        if let Media::Into { input, output } = &media {
            check("media", input.len(), output.len())?;
        }
        let len = media.len();
        let (media_in, media_out, in_place) = self.lay_out(&media)?;
        self.connection.write(0, request);
        let slots = Slots {
            request: Range {
                offset: 0,
                len: request.len(),
            },
            response: Range {
                offset: RESPONSE_AT,
                len: MAX_RESPONSE,
            },
            media_in,
            media_out,
        };
        let written = self.connection.invoke(command, &slots).map_err(|failure| {
            let error = error::of(failure);
            self.dead = matches!(error, TeeError::Dead);
            error
        })?;
        if written.response > MAX_RESPONSE || written.media > len {
            return Err(TeeError::BadAnswer("longer than the room it was given"));
        }

        response.resize(written.response, 0);
        self.connection.read(RESPONSE_AT, response);
        // A refused command gives no media back: what the caller holds stays as it is.
        match media {
            Media::InPlace(output) | Media::Into { output, .. } if !in_place => {
                self.connection.read(MEDIA_AT, &mut output[..written.media]);
            }
            _ => {}
        }
        Ok(())
    }

    fn shared_memory(&mut self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, TeeError> {
        if self.dead {
            return Err(TeeError::Dead);
        }
        // What is registered takes room of OP-TEE's own, which all clients share; and more than this
        // no call carries.
        check("shared memory", len, OPTEE_MAX_MEDIA)?;
        // A memory of no bytes cannot be registered.
        let shared = self.connection.share(len.max(1)).map_err(error::of)?;
        Ok(Some(Box::new(Lent { shared, len })))
    }
}

/// Shared memory in the hands of a caller.
struct Lent {
    shared: SharedBytes,
    len: usize,
}

impl SharedMemory for Lent {
    fn bytes(&self) -> &[u8] {
        &self.shared.bytes()[..self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.shared.bytes_mut()[..self.len]
    }
}

fn check(what: &'static str, found: usize, limit: usize) -> Result<(), TeeError> {
    if found > limit {
        Err(TeeError::TooLarge { what, found, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
