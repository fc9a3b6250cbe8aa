//! A key TA that keeps account of what a decoder does with its channels.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybearer_ta_decoder::{Connect, Connection, Failure, Sizes};
use keybearer_ta_entry::params::SharedInput;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, body as key, encode_answer};

use crate::memory::within;

/// What the key TA knows.
#[derive(Default)]
pub(crate) struct Known {
    /// Open channels, each with what it is owed: how many units of its last call were rejected, where the
    /// host was told.
    pub(crate) channels: BTreeMap<u64, Option<u32>>,
    opened: u64,
    /// What a decoder must not do: said here, for a panic would be taken for its own.
    pub(crate) wrong: Vec<String>,
}

/// A key TA whose media are not protected, and a session of it.
#[derive(Clone, Default)]
pub(crate) struct Keys(Arc<Mutex<Known>>);

pub(crate) struct Connected(Keys);

impl Keys {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the decoder says of its last unit is what the host was told of it.
    fn hears(&self, channel: u64, rejected: u32) {
        let mut known = self.known();
        let Known {
            channels, wrong, ..
        } = &mut *known;
        match channels.get_mut(&channel).map(Option::take) {
            Some(Some(owed)) if owed != rejected => {
                wrong.push(format!("{rejected} units rejected of a unit of {owed}"));
            }
            Some(_) => {}
            None => wrong.push(format!("there is no channel {channel}")),
        }
    }

    pub(crate) fn owe(&self, rejected: u32) {
        for owed in self.known().channels.values_mut() {
            *owed = Some(rejected);
        }
    }
}

impl Connect for Keys {
    type Connection = Connected;

    fn connect(&mut self) -> Result<Connected, Failure> {
        Ok(Connected(self.clone()))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // Whatever its channels are owed counts as rejected there.
        within(false, || self.0.known().channels.clear());
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
        within(false, || {
            use keybearer_wire::Command::{CloseChannel, DecryptUnit, RedeemTicket};
            let keys = &self.0;
            let answer = match keybearer_wire::Command::from_code(command) {
                Some(RedeemTicket) => {
                    let mut known = keys.known();
                    known.opened += 1;
                    let channel = known.opened;
                    known.channels.insert(channel, None);
                    let track_type = 1;
                    encode_answer(&key::ChannelOpened {
                        channel,
                        track_type,
                    })
                }
                Some(DecryptUnit) => {
                    let unit = key::DecryptUnit::decode(request, MAX_REQUEST).unwrap();
                    keys.hears(unit.channel, unit.rejected);
                    protected.unwrap().read(0, clear).unwrap();
                    encode_answer(&key::UnitDecrypted {
                        bytes: clear.len() as u64,
                        sequence: 1,
                        largest_picture: None,
                    })
                }
                Some(CloseChannel) => {
                    let close = key::CloseChannel::decode(request, MAX_REQUEST).unwrap();
                    keys.hears(close.channel, close.rejected);
                    keys.known().channels.remove(&close.channel);
                    encode_answer(&key::Empty {})
                }
                other => panic!("a decoder has no business with {other:?}"),
            };
            let answer = answer.unwrap();
            response[..answer.len()].copy_from_slice(&answer);
            Ok(Sizes {
                response: answer.len(),
                media: clear.len(),
            })
        })
    }
}
