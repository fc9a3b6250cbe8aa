//! A host with its decoder, over the fake key TA and a screen that remembers.

extern crate std;

use super::fake::{FLIP, Keys};
use crate::output::Output;
use crate::session::Session;
use keybearer_ta_entry::{
    params::{COMMAND_TYPES, CommandSlots},
    shared_memory::{SharedMemory, memref},
};
use keybearer_video::{Picture, Sink, SinkFailed};
use keybearer_wire::{
    Body, Status, decode_response,
    decoder::{Exchange, body},
    field::Blob,
    limits::MAX_REQUEST,
};
use optee_utee::FromRawParameters;
use std::{cell::Cell, vec::Vec};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_000_000) };
}

/// The clock of this thread's hosts.
pub(super) fn now() -> u64 {
    NOW.get()
}

/// Moves it on, or back.
pub(super) fn pass(milliseconds: i64) {
    NOW.set(NOW.get().wrapping_add_signed(milliseconds));
}

/// Counts what it is shown; the digests are the test build's, and fake-libteec tests them.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) shown: Vec<(u64, u32, u32)>,
    pub(super) broken: bool,
}

impl Sink for Screen {
    fn present(&mut self, picture: &Picture<'_>) -> Result<(), SinkFailed> {
        if self.broken {
            return Err(SinkFailed);
        }
        let luma = &picture.luma;
        self.shown.push((picture.time, luma.width, luma.height));
        Ok(())
    }
}

impl Output for Screen {}

/// An access unit in decoding order.
pub(super) struct Unit {
    pub(super) time: u64,
    pub(super) bytes: Vec<u8>,
}

/// The clip that `make.py` describes: its configuration record and its units.
pub(super) fn clip() -> (Vec<u8>, Vec<Unit>) {
    let mut rest = include_bytes!("clip.bin").as_slice();
    let mut take = |len: usize| {
        let (taken, behind) = rest.split_at(len);
        rest = behind;
        taken.to_vec()
    };
    let number = |bytes: Vec<u8>| u16::from_be_bytes(bytes.try_into().unwrap());
    let len = number(take(2));
    let record = take(usize::from(len));
    let units = (0..10).map(|_| {
        let time = u64::from(number(take(2)));
        let len = number(take(2));
        let bytes = take(usize::from(len));
        Unit { time, bytes }
    });
    (record, units.collect())
}

pub(super) const TICKET: [u8; 16] = [0x7e; 16];
pub(super) const TICKET_AGAIN: [u8; 16] = [0x7f; 16];

/// The key of all units that say nothing else.
pub(super) const KEY: [u8; 16] = [0x11; 16];

pub(super) fn protection(key_id: [u8; 16]) -> body::Protection<'static> {
    body::Protection {
        key_id,
        license: None,
        scheme: 1,
        iv_size: 8,
        constant_iv: None,
        crypt_blocks: 0,
        skip_blocks: 0,
        sample: [0; 24],
        subsamples: Blob(&[]),
    }
}

/// A host with its decoder.
pub(super) struct Host {
    pub(super) keys: Keys,
    pub(super) session: Session<Keys, Screen>,
    _memory: SharedMemory,
}

impl Host {
    pub(super) fn new() -> Self {
        let keys = Keys::default();
        Self {
            session: Session::new(keys.clone(), Some(Screen::default()), now),
            keys,
            _memory: SharedMemory::recording(),
        }
    }

    /// With a ticket redeemed and the clip's configuration taken.
    pub(super) fn ready() -> Self {
        let mut host = Self::new();
        host.attach(TICKET).unwrap();
        let configured = host.configure(&clip().0).unwrap();
        assert_eq!((configured.width, configured.height), (Some(64), Some(48)));
        host.keys.asked();
        host
    }

    pub(super) fn send(&mut self, command: u32, request: &[u8], media: &[u8]) -> Vec<u8> {
        let mut media = media.to_vec();
        let mut params = [(); 4].map(|()| memref(media.as_mut_ptr(), media.len()));
        // SAFETY: four memory references to live memory.
        let slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
        self.session
            .call(command, request, &slots.media_in)
            .to_vec()
    }

    pub(super) fn call<'r, R: Exchange<'r>, A: for<'a> Body<'a>>(
        &mut self,
        request: &R,
        media: &[u8],
    ) -> Result<A, Status> {
        let request = request.encode(MAX_REQUEST).unwrap();
        decode_response(&self.send(R::COMMAND.code(), &request, media)).unwrap()
    }

    pub(super) fn attach(&mut self, ticket: [u8; 16]) -> Result<body::Empty, Status> {
        self.call(&body::Attach { ticket }, &[])
    }

    pub(super) fn configure(&mut self, record: &[u8]) -> Result<body::Configured, Status> {
        let record = Blob(record);
        self.call(
            &body::Configure {
                codec: *b"avc1",
                record,
            },
            &[],
        )
    }

    pub(super) fn decode(&mut self, time: u64, clear: &[u8]) -> Result<body::Presented, Status> {
        self.decode_under(KEY, time, clear)
    }

    pub(super) fn decode_under(
        &mut self,
        key_id: [u8; 16],
        time: u64,
        clear: &[u8],
    ) -> Result<body::Presented, Status> {
        let protected: Vec<u8> = clear.iter().map(|byte| byte ^ FLIP).collect();
        let (duration_ms, protection) = (200, Some(protection(key_id)));
        let request = body::Decode {
            time,
            duration_ms,
            protection,
        };
        self.call(&request, &protected)
    }

    pub(super) fn decode_clear(&mut self, unit: &Unit) -> Result<body::Presented, Status> {
        let (time, duration_ms, protection) = (unit.time, 200, None);
        let request = body::Decode {
            time,
            duration_ms,
            protection,
        };
        self.call(&request, &unit.bytes)
    }

    pub(super) fn flush(&mut self) -> Result<body::Presented, Status> {
        self.call(&body::Flush {}, &[])
    }

    pub(super) fn shown(&self) -> &[(u64, u32, u32)] {
        &self.session.output.as_ref().unwrap().shown
    }
}
