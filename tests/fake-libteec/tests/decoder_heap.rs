//! A whole session in the heap that the image has: no allocation fails, whatever the host sends. One that
//! did would end the instance, in the middle of somebody's film.
//!
//! The heap is simulated beside the real one, as for the decoder alone in `crates/video`; here with
//! requests, units and answers as large as they may be, and the pictures that the budget just allows.

#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one passes on to the system's. Parameters are raw"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

#[path = "../../../crates/video/tests/support/greedy.rs"]
mod greedy;
#[path = "../../../crates/video/tests/support/heap.rs"]
mod heap;
#[path = "../../../crates/video/tests/support/units.rs"]
mod units;
#[path = "../../../crates/video/tests/support/writer.rs"]
mod writer;

use std::alloc::{GlobalAlloc, Layout, System};

use keybearer_ta_decoder::config::HEAP;
use keybearer_ta_decoder::output::Output;
use keybearer_ta_decoder::{Connect, Connection, Failure, Session, Sizes};
use keybearer_ta_entry::params::{COMMAND_TYPES, CommandSlots, SharedInput};
use keybearer_ta_entry::serve::serve;
use keybearer_video::{Picture, Sink, SinkFailed};
use keybearer_wire::decoder::{Command, Exchange, MAX_DECODER_RESPONSE, MAX_UNIT, body};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Status, body as key, decode_response, encode_answer};
use optee_utee::{FromRawParameters, raw};

use heap::{allocated, failures, outside, released};
use writer::{Sequence, Set};

// What the trusted application asks of the TEE is answered there.
use keybearer_fake_libteec as _;

struct Told;

// SAFETY: every request is the system allocator's, with its own layout.
unsafe impl GlobalAlloc for Told {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on as it came.
        let block = unsafe { System.alloc(layout) };
        allocated(block.addr(), layout.size());
        block
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        released(block.addr());
        // SAFETY: it came from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Told = Told;

/// A key TA whose media are not protected, and a session of it.
struct Keys;

impl Connect for Keys {
    type Connection = Self;

    fn connect(&mut self) -> Result<Self, Failure> {
        Ok(Self)
    }
}

impl Connection for Keys {
    fn call(
        &mut self,
        command: u32,
        _: &[u8],
        response: &mut [u8],
        protected: Option<&SharedInput<'_>>,
        clear: &mut [u8],
    ) -> Result<Sizes, Failure> {
        outside(|| {
            let redeem = command == keybearer_wire::Command::RedeemTicket.code();
            let answer = match protected {
                Some(media) => {
                    media.read(0, clear).unwrap();
                    encode_answer(&key::UnitDecrypted {
                        bytes: clear.len() as u64,
                        sequence: 1,
                        largest_picture: Some(64 * 48),
                    })
                }
                None if redeem => encode_answer(&key::ChannelOpened {
                    channel: 1,
                    track_type: 1,
                }),
                None => encode_answer(&body::Empty {}),
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

/// Looks at nothing.
struct Blind;

impl Sink for Blind {
    fn present(&mut self, _: &Picture<'_>) -> Result<(), SinkFailed> {
        Ok(())
    }
}

impl Output for Blind {}

/// The host, whose memory is its own.
struct Host {
    session: Session<Keys, Blind>,
}

impl Host {
    /// Sends a request as it comes in from the TEE.
    fn send(&mut self, command: u32, request: &[u8], media: &[u8]) -> Vec<u8> {
        let session = &mut self.session;
        outside(|| {
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
            let served = heap::inside(|| {
                serve(&mut slots, MAX_DECODER_RESPONSE, |request, media| {
                    session.call(command, request, media.input())
                })
            });
            served.unwrap();
            // SAFETY: `from_raw` has made sure that it is one.
            response.truncate(unsafe { params[1].memref.size });
            response
        })
    }

    /// What a request was refused with.
    fn refusal<'r, R: Exchange<'r>>(&mut self, request: &R, media: &[u8]) -> Option<Status> {
        let bytes = outside(|| request.encode(MAX_REQUEST).unwrap());
        let answer = self.send(R::COMMAND.code(), &bytes, media);
        outside(|| match decode_response::<body::Empty>(&answer) {
            Ok(Err(status)) => Some(status),
            _ => None,
        })
    }

    fn configure(&mut self, record: &[u8]) -> Option<Status> {
        let (codec, record) = (*b"avc1", Blob(record));
        self.refusal(&body::Configure { codec, record }, &[])
    }

    fn decode(&mut self, time: u64, unit: &[u8]) -> Option<Status> {
        let request = body::Decode {
            time,
            duration_ms: 40,
            protection: Some(body::Protection {
                key_id: [1; 16],
                license: None,
                scheme: 1,
                iv_size: 16,
                constant_iv: None,
                crypt_blocks: 0,
                skip_blocks: 0,
                sample: [0; 24],
                subsamples: Blob(&[0; 1000]),
            }),
        };
        self.refusal(&request, unit)
    }
}

#[test]
fn no_allocation_of_a_session_fails_in_the_heap_of_the_image() {
    let sequence = |columns, rows, references| Sequence {
        columns,
        rows,
        references,
        reorder: Some(references),
        ..Sequence::default()
    };
    let mut streams: Vec<_> = greedy::grid().iter().map(greedy::greedy).collect();
    // Nearly all of it, and more than there is: 352x288 and 1280x720.
    streams.push(greedy::greedy(&sequence(22, 18, 16)));
    let sets = [sequence(80, 45, 4).nal()];
    streams.push((units::record(&sets, &[Set::default().nal()]), Vec::new()));
    let nonsense = vec![0xa1; MAX_REQUEST];
    let (mut fitted, mut refused) = (0, 0);
    let (failed, ()) = failures(usize::try_from(HEAP).unwrap(), || {
        let mut host = Host {
            session: Session::new(Keys, Some(Blind), || 0),
        };
        let ticket = [7; 16];
        assert_eq!(host.refusal(&body::Attach { ticket }, &[]), None);
        for (record, units) in &streams {
            match host.configure(record) {
                None => fitted += 1,
                Some(status) => {
                    assert_eq!(status, Status::NoDecoderMemory);
                    refused += 1;
                    continue;
                }
            }
            for (time, unit) in (0..).zip(units) {
                assert_eq!(host.decode(time, unit), None, "picture {time}");
            }
            // While all pictures are held: as much as may come in one call.
            for command in Command::ALL.iter().filter(|it| **it != Command::Die) {
                host.send(command.code(), &nonsense, &nonsense);
            }
            assert_eq!(host.refusal(&body::Flush {}, &[]), None);
            let largest = vec![0; MAX_UNIT];
            assert_eq!(host.decode(0, &largest), Some(Status::ContentRejected));
        }
    });
    assert_eq!(failed, 0, "allocations, in {fitted} streams");
    assert_eq!((fitted, refused), (streams.len() - 1, 1));
}
