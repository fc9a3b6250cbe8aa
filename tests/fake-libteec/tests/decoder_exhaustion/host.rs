//! A host with its decoder, which meets what it meets.

use std::sync::{Arc, Mutex};

use keybearer_ta_decoder::Session;
use keybearer_ta_decoder::output::Output;
use keybearer_ta_entry::params::{COMMAND_TYPES, CommandSlots};
use keybearer_ta_entry::serve::serve;
use keybearer_video::{Picture, Sink, SinkFailed};
use keybearer_wire::decoder::{Command, Exchange, MAX_DECODER_RESPONSE, body};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, Status, decode_response};
use optee_utee::{FromRawParameters, raw};

use crate::keys::Keys;
use crate::memory::{FAILED, LEFT, as_the_application};

/// Counts what it is shown.
struct Counting(Arc<Mutex<usize>>);

impl Sink for Counting {
    fn present(&mut self, _: &Picture<'_>) -> Result<(), SinkFailed> {
        *self.0.lock().unwrap() += 1;
        Ok(())
    }
}

impl Output for Counting {}

/// The decoder's test clip: its configuration record, and times and bytes of its units.
pub(crate) fn clip() -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
    let mut rest = include_bytes!("../../../../ta/decoder/src/session/tests/clip.bin").as_slice();
    let mut take = |len: usize| rest.split_off(..len).unwrap().to_vec();
    let number = |bytes: Vec<u8>| u16::from_be_bytes(bytes.try_into().unwrap());
    let len = number(take(2));
    let record = take(len.into());
    let units = (0..10).map(|_| {
        let time = number(take(2));
        let len = number(take(2));
        (time.into(), take(len.into()))
    });
    (record, units.collect())
}

/// A host with its decoder.
pub(crate) struct Host {
    session: Option<Session<Keys, Counting>>,
    keys: Keys,
    shown: Arc<Mutex<usize>>,
    /// Told of each command before it is given, and of refusals.
    told: fn(&str),
}

impl Host {
    pub(crate) fn new(told: fn(&str)) -> Self {
        let (keys, shown) = (Keys::default(), Arc::default());
        let output = Counting(Arc::clone(&shown));
        Self {
            session: Some(Session::new(keys.clone(), Some(output), || 0)),
            keys,
            shown,
            told,
        }
    }

    /// A request as it comes in from the TEE. What fails for long has memory again afterwards.
    fn send(&mut self, command: Command, request: &[u8], media: &[u8]) -> Vec<u8> {
        (self.told)(&format!("command {command:?}"));
        let (mut request, mut media) = (request.to_vec(), media.to_vec());
        let mut response = vec![0; MAX_DECODER_RESPONSE];
        let slots = [&mut request, &mut response, &mut media, &mut Vec::new()];
        let mut params = slots.map(|slot| raw::TEE_Param {
            memref: raw::Memref {
                buffer: slot.as_mut_ptr().cast(),
                size: slot.len(),
            },
        });
        // SAFETY: four memory references to live memory.
        let mut slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
        let session = self.session.as_mut().unwrap();
        let served = as_the_application(|| {
            serve(&mut slots, MAX_DECODER_RESPONSE, |request, media| {
                session.call(command.code(), request, media.input())
            })
        });
        served.unwrap();
        assert_eq!(self.keys.known().wrong, [""; 0]);
        if FAILED.get() {
            LEFT.set(None);
        }
        // SAFETY: `from_raw` has made sure that it is one.
        response.truncate(unsafe { params[1].memref.size });
        response
    }

    fn call<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
        &mut self,
        request: &R,
        media: &[u8],
    ) -> Result<A, Status> {
        let request = request.encode(MAX_REQUEST).unwrap();
        decode_response(&self.send(R::COMMAND, &request, media)).unwrap()
    }

    /// A command that changes nothing when it is refused for want of memory: the second time it succeeds.
    pub(crate) fn insist<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(&mut self, request: &R) -> A {
        let before = FAILED.get();
        match self.call(request, &[]) {
            Ok(answer) => answer,
            Err(status) => {
                assert!(FAILED.get() && !before, "{:?}: {status}", R::COMMAND);
                let memory = [Status::OutOfMemory, Status::NoDecoderMemory];
                assert!(memory.contains(&status), "{:?}: {status}", R::COMMAND);
                (self.told)(&format!("refused {:?}", R::COMMAND));
                self.call(request, &[]).unwrap()
            }
        }
    }

    pub(crate) fn begin(&mut self, ticket: u8, record: &[u8]) {
        let ticket = [ticket; 16];
        let body::Empty {} = self.insist(&body::Attach { ticket });
        assert_eq!(self.keys.known().channels.len(), 1, "one at a time");
        let (codec, record) = (*b"avc1", Blob(record));
        let configured: body::Configured = self.insist(&body::Configure { codec, record });
        assert_eq!((configured.width, configured.height), (Some(64), Some(48)));
    }

    /// Whether a unit was accepted.
    pub(crate) fn decode(&mut self, time: u64, unit: &[u8]) -> bool {
        let request = body::Decode {
            time,
            duration_ms: 200,
            protection: Some(body::Protection {
                key_id: [1; 16],
                license: None,
                scheme: 1,
                iv_size: 16,
                constant_iv: None,
                crypt_blocks: 0,
                skip_blocks: 0,
                sample: [0; 24],
                subsamples: Blob(&[0; 6]),
            }),
        };
        let before = FAILED.get();
        match self.call::<_, body::Presented>(&request, unit) {
            Ok(_) => {
                self.keys.owe(0);
                true
            }
            Err(Status::ContentRejected) => {
                self.keys.owe(1);
                false
            }
            Err(status) => {
                assert_eq!(status, Status::OutOfMemory);
                assert!(FAILED.get() && !before);
                (self.told)("refused Decode");
                false
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        let _: body::Presented = self.insist(&body::Flush {});
    }

    /// The instance ends in order; how many pictures it has shown.
    pub(crate) fn close(mut self) -> usize {
        (self.told)("command Close");
        let session = self.session.take();
        as_the_application(|| drop(session));
        LEFT.set(None);
        assert_eq!(self.keys.known().wrong, [""; 0]);
        assert_eq!(self.keys.known().channels.len(), 0, "a channel is left");
        *self.shown.lock().unwrap()
    }
}
