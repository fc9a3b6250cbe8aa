//! A key TA that decrypts by flipping bits, and remembers what it was asked.

extern crate std;

use crate::{Connect, Connection, Failure, Sizes};
use keybearer_ta_entry::params::SharedInput;
use keybearer_wire::{
    Body, Command, Status, body as key, encode_answer, encode_status, limits::MAX_REQUEST,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    vec::Vec,
};

/// What protects a byte here.
pub(super) const FLIP: u8 = 0x5a;
/// The sequence number of the statuses that every answer carries.
pub(super) const SEQUENCE: u64 = 5;

/// A call as the key TA saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Connect,
    Redeem([u8; 16], bool),
    /// Channel, rejected, decoded.
    Unit(u64, u32, u32),
    Close(u64, u32, u32),
    Disconnect,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) asked: Vec<Asked>,
    /// What the next call is refused with.
    pub(super) refuse: Option<Status>,
    /// What the next call is refused with before it is heard, as for lack of memory.
    pub(super) deaf: Option<Status>,
    /// The TEE's code that every call, and every connection, fails with.
    pub(super) fail: Option<u32>,
    /// The largest picture allowed.
    pub(super) largest: Option<u32>,
    /// How many bytes fewer are given than asked for.
    pub(super) short: usize,
    channel: u64,
}

/// The key TA, and a session of it.
#[derive(Clone, Default)]
pub(super) struct Keys(Arc<Mutex<State>>);

pub(super) struct Connected(Keys);

impl Keys {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked since the last time.
    pub(super) fn asked(&self) -> Vec<Asked> {
        core::mem::take(&mut self.state().asked)
    }
}

impl Connect for Keys {
    type Connection = Connected;

    fn connect(&mut self) -> Result<Connected, Failure> {
        let mut state = self.state();
        state.asked.push(Asked::Connect);
        match state.fail {
            Some(code) => Err(Failure(code)),
            None => Ok(Connected(self.clone())),
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.state().asked.push(Asked::Disconnect);
    }
}

impl Connection for Connected {
    fn call(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut [u8],
        protected: Option<&SharedInput<'_>>,
        clear: &mut [u8],
    ) -> Result<Sizes, Failure> {
        let mut state = self.0.state();
        if let Some(status) = state.deaf.take() {
            let answer = encode_status(status).unwrap();
            response[..answer.len()].copy_from_slice(&answer);
            let (response, media) = (answer.len(), 0);
            return Ok(Sizes { response, media });
        }
        let mut media = 0;
        let answer = match Command::from_code(command) {
            Some(Command::RedeemTicket) => {
                let redeem = key::RedeemTicket::decode(request, MAX_REQUEST).unwrap();
                state.asked.push(Asked::Redeem(redeem.ticket, redeem.debug));
                state.channel += 1;
                let (channel, track_type) = (state.channel, 1);
                encode_answer(&key::ChannelOpened {
                    channel,
                    track_type,
                })
            }
            Some(Command::DecryptUnit) => {
                let unit = key::DecryptUnit::decode(request, MAX_REQUEST).unwrap();
                let asked = Asked::Unit(unit.channel, unit.rejected, unit.decoded);
                state.asked.push(asked);
                let input = protected.unwrap();
                assert_eq!(input.len(), clear.len());
                if state.refuse.is_none() {
                    // As the genuine one does it: the bytes come from the host's memory.
                    input.read(0, clear).unwrap();
                    clear.iter_mut().for_each(|byte| *byte ^= FLIP);
                    media = clear.len() - state.short;
                }
                encode_answer(&key::UnitDecrypted {
                    bytes: media as u64,
                    sequence: SEQUENCE,
                    largest_picture: state.largest,
                })
            }
            Some(Command::CloseChannel) => {
                let close = key::CloseChannel::decode(request, MAX_REQUEST).unwrap();
                let asked = Asked::Close(close.channel, close.rejected, close.decoded);
                state.asked.push(asked);
                encode_answer(&key::Empty {})
            }
            other => panic!("a decoder has no business with {other:?}"),
        };
        if let Some(code) = state.fail {
            return Err(Failure(code));
        }
        let answer = state.refuse.take().map_or(answer, encode_status).unwrap();
        response[..answer.len()].copy_from_slice(&answer);
        let response = answer.len();
        Ok(Sizes { response, media })
    }
}
