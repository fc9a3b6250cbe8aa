//! Sessions of another trusted application, through GlobalPlatform's internal client API
//! (TEE Internal Core API 1.3.1, section 4.9).
//!
//! The wrapper that the toolkit has takes each parameter as a slice, and memory that the host shares
//! must never become one: it is named to the other application by address, as the TEE handed it over.
//! Whom a UUID leads to is the TEE's word, which runs no application but a signed one under it.

use core::ptr;
use optee_utee::raw;

use crate::params::{COMMAND_TYPES, SharedInput};

/// The other application could not be called, or did not answer as the interface prescribes: the TEE's
/// code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(pub u32);

/// What the other application wrote, in bytes; never more than it was given room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Of the response.
    pub response: usize,
    /// Of the media.
    pub media: usize,
}

/// An open session of another trusted application. It ends when it is dropped.
pub struct TaSession(raw::TEE_TASessionHandle);

// SAFETY: the handle is a number that the TEE keeps for this instance, and an instance runs one call
// at a time; nothing of it belongs to a thread.
unsafe impl Send for TaSession {}

impl TaSession {
    /// Opens a session of the application `uuid`, without parameters and without a time limit.
    ///
    /// # Errors
    /// The TEE's code.
    pub fn open(uuid: &raw::TEE_UUID) -> Result<Self, Failure> {
        let mut session = ptr::null_mut();
        let mut params = [EMPTY; 4];
        let mut origin = 0;
        // SAFETY: all pointers lead to live values of the right type; the type word says that none
        // of the parameters holds anything.
        let code = unsafe {
            raw::TEE_OpenTASession(
                uuid,
                raw::TEE_TIMEOUT_INFINITE,
                0,
                params.as_mut_ptr(),
                &raw mut session,
                &raw mut origin,
            )
        };
        succeeded(code)?;
        Ok(Self(session))
    }

    /// Runs one command: request in, response out, media in, media out. `shared` is memory that a host
    /// lends for the call under way, named and not copied.
    ///
    /// # Errors
    /// The TEE's code; the session is of no more use then.
    pub fn call(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut [u8],
        shared: Option<&SharedInput<'_>>,
        media: &mut [u8],
    ) -> Result<Sizes, Failure> {
        let room = (response.len(), media.len());
        let mut params = [
            // An input, which the callee only reads.
            memref(request.as_ptr().cast_mut(), request.len()),
            memref(response.as_mut_ptr(), response.len()),
            shared.map_or(EMPTY, |input| raw::TEE_Param {
                memref: input.reference(),
            }),
            memref(media.as_mut_ptr(), media.len()),
        ];
        let mut origin = 0;
        // SAFETY: the session is open. The type word says that all four parameters are memory
        // references, and they are: three to this instance's own memory, lent for the call, the
        // outputs exclusively, and one to memory that the TEE mapped for the call under way.
        let code = unsafe {
            raw::TEE_InvokeTACommand(
                self.0,
                raw::TEE_TIMEOUT_INFINITE,
                command,
                COMMAND_TYPES,
                params.as_mut_ptr(),
                &raw mut origin,
            )
        };
        succeeded(code)?;
        // SAFETY: both were written as memory references above, and the TEE keeps their type.
        let [response, media] = [1, 3].map(|at: usize| unsafe { params[at].memref.size });
        // What was written can only be less than the room; a callee that says otherwise is not
        // believed.
        if response > room.0 || media > room.1 {
            return Err(Failure(raw::TEE_ERROR_GENERIC));
        }
        Ok(Sizes { response, media })
    }
}

impl Drop for TaSession {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, and closed once.
        unsafe { raw::TEE_CloseTASession(self.0) };
    }
}

/// A memory reference to nothing.
const EMPTY: raw::TEE_Param = memref(ptr::null_mut(), 0);

const fn memref(buffer: *mut u8, size: usize) -> raw::TEE_Param {
    let memref = raw::Memref {
        // A reference to no bytes is one to nothing: there is no address to vouch for.
        buffer: if size == 0 {
            ptr::null_mut()
        } else {
            buffer.cast()
        },
        size,
    };
    raw::TEE_Param { memref }
}

fn succeeded(code: u32) -> Result<(), Failure> {
    if code == raw::TEE_SUCCESS {
        Ok(())
    } else {
        Err(Failure(code))
    }
}

/// A UUID in GlobalPlatform's form.
///
/// # Panics
/// When it is not written as people write one; in a constant the build stops here.
#[must_use]
pub const fn uuid(text: &str) -> raw::TEE_UUID {
    let text = text.as_bytes();
    assert!(text.len() == 36, "a UUID has 36 characters");
    let mut bytes = [0_u8; 16];
    let (mut at, mut digit) = (0, 0);
    while at < text.len() {
        if matches!(at, 8 | 13 | 18 | 23) {
            assert!(text[at] == b'-', "a UUID has four dashes");
        } else {
            let value = match text[at] {
                b'0'..=b'9' => text[at] - b'0',
                b'a'..=b'f' => text[at] - b'a' + 10,
                b'A'..=b'F' => text[at] - b'A' + 10,
                _ => panic!("a UUID has hexadecimal digits"),
            };
            bytes[digit / 2] = bytes[digit / 2] << 4 | value;
            digit += 1;
        }
        at += 1;
    }
    let [a, b, c, d, e, f, g, h, tail @ ..] = bytes;
    raw::TEE_UUID {
        timeLow: u32::from_be_bytes([a, b, c, d]),
        timeMid: u16::from_be_bytes([e, f]),
        timeHiAndVersion: u16::from_be_bytes([g, h]),
        clockSeqAndNode: tail,
    }
}

#[cfg(test)]
mod tests;
