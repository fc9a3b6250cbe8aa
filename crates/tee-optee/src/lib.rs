//! The trusted core inside OP-TEE, reached through libteec.
//!
//! A connection is a session of the key TA with one arena of registered shared memory: request and
//! response have fixed places in it, media follows and is decrypted where it stands. Registered
//! memory costs a quarter of what temporary references cost a call, and nothing is registered
//! while samples flow.
//!
//! The trusted application is trusted with its answers' meaning, never with their sizes: every
//! length that comes back is checked against the arena before a byte is copied out of it.

#![deny(unsafe_code)]

mod error;
#[allow(unsafe_code)] // the C interface of libteec; every block says why it is sound
mod sys;

use keybearer_tee::{BackendInfo, Media, Tee, TeeError, TeeSession};
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE, OPTEE_MAX_MEDIA};
use optee_teec::Uuid;
use sys::{Range, Slots};

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
        self.reserve(len)?;

        self.connection.write(0, request);
        match &media {
            Media::None => {}
            Media::InPlace(data) => self.connection.write(MEDIA_AT, data),
            Media::Into { input, .. } => self.connection.write(MEDIA_AT, input),
        }
        let media_range = Range {
            offset: MEDIA_AT,
            len,
        };
        let slots = Slots {
            request: Range {
                offset: 0,
                len: request.len(),
            },
            response: Range {
                offset: RESPONSE_AT,
                len: MAX_RESPONSE,
            },
            media_in: media_range,
            media_out: media_range,
        };
        let written = self.connection.invoke(command, slots).map_err(|failure| {
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
            Media::None => {}
            Media::InPlace(data) => self.connection.read(MEDIA_AT, &mut data[..written.media]),
            Media::Into { output, .. } => {
                self.connection.read(MEDIA_AT, &mut output[..written.media])
            }
        }
        Ok(())
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
