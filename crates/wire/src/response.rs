//! The frame around every answer.

use alloc::vec::Vec;
use keybearer_cbor::{Error, decode, encode};

use crate::field::Body;
use crate::limits::MAX_RESPONSE;
use crate::status::Status;

/// Key of the status in a response.
const STATUS: i64 = 0;
/// Key of the answer in a response.
const ANSWER: i64 = 1;

/// Frames a refusal.
///
/// # Errors
/// [`Error::Memory`]; then [`fallback_response`] serves.
pub fn encode_status(status: Status) -> Result<Vec<u8>, Error> {
    encode(MAX_RESPONSE, |e| {
        e.map(|m| m.entry(STATUS, |e| e.uint(u64::from(status.code()))))
    })
}

/// Frames an answer under [`Status::Ok`].
///
/// # Errors
/// [`Error::SizeCap`] beyond [`MAX_RESPONSE`], [`Error::Memory`].
pub fn encode_answer<'a>(answer: &impl Body<'a>) -> Result<Vec<u8>, Error> {
    encode(MAX_RESPONSE, |e| {
        e.map(|m| {
            m.entry(STATUS, |e| e.uint(u64::from(Status::Ok.code())))?;
            m.entry(ANSWER, |e| answer.write(e))
        })
    })
}

/// The response when not even a refusal can be encoded: status [`Status::OutOfMemory`], fixed
/// bytes, no allocation.
#[must_use]
pub const fn fallback_response() -> &'static [u8] {
    &[0xA1, 0x00, 0x07]
}

/// Takes a response apart: the answer, or the status that refused the call.
///
/// # Errors
/// Outer: the response is not what the interface prescribes. Inner: the refusal.
pub fn decode_response<'a, B: Body<'a>>(bytes: &'a [u8]) -> Result<Result<B, Status>, Error> {
    decode(bytes, MAX_RESPONSE, |d| {
        d.map(|m| {
            let code = m.required(STATUS, keybearer_cbor::Decoder::u16)?;
            match Status::from_code(code).ok_or(Error::Value)? {
                Status::Ok => m.required(ANSWER, B::read).map(Ok),
                refusal => Ok(Err(refusal)),
            }
        })
    })
}

#[cfg(test)]
mod tests;
