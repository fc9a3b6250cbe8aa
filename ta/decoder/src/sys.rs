//! The key TA of this TEE, as the decoder reaches it.

use keybearer_ta_entry::{params::SharedInput, session::TaSession, session::uuid};
use optee_utee::raw;

use crate::{Connect, Connection, Failure, Sizes};

/// The key TA of this TEE: its UUID in GlobalPlatform's form.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyTa;

/// UUID of the key TA, as its signed header carries it.
const KEY_TA: raw::TEE_UUID = uuid(include_str!("../../keybearer/uuid.txt").trim_ascii());

impl Connect for KeyTa {
    type Connection = TaSession;

    fn connect(&mut self) -> Result<TaSession, Failure> {
        TaSession::open(&KEY_TA)
    }
}

impl Connection for TaSession {
    fn call(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut [u8],
        protected: Option<&SharedInput<'_>>,
        clear: &mut [u8],
    ) -> Result<Sizes, Failure> {
        Self::call(self, command, request, response, protected, clear)
    }
}

#[cfg(test)]
mod tests;
