#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use crate::{
    params::COMMAND_TYPES,
    shared_memory::{SharedMemory, memref},
};
use keybearer_wire::{body::Empty, decode_response, limits::MAX_RESPONSE};
use optee_utee::FromRawParameters;
use std::{vec, vec::Vec};

/// The host's side of one call.
struct Host {
    request: Vec<u8>,
    response: Vec<u8>,
    media: Vec<u8>,
}

impl Host {
    fn new(request: &[u8], media: &[u8]) -> Self {
        Self {
            request: request.to_vec(),
            response: vec![0xee; MAX_RESPONSE],
            media: media.to_vec(),
        }
    }

    /// Calls with the media in place; gives the response and the size of the media out.
    fn call(
        &mut self,
        core: impl FnOnce(&[u8], &mut SharedMedia<'_, '_>) -> Vec<u8>,
    ) -> Result<(Vec<u8>, usize)> {
        let mut params = [
            memref(self.request.as_mut_ptr(), self.request.len()),
            memref(self.response.as_mut_ptr(), self.response.len()),
            memref(self.media.as_mut_ptr(), self.media.len()),
            memref(self.media.as_mut_ptr(), self.media.len()),
        ];
        // SAFETY: four memory references to live memory.
        let mut slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }?;
        serve(&mut slots, MAX_RESPONSE, core)?;
        // SAFETY: still memory references.
        let [response, media] = [1, 3].map(|i| unsafe { params[i].memref.size });
        Ok((self.response[..response].to_vec(), media))
    }

    fn refused(&mut self) -> Status {
        let (response, media) = self
            .call(|_, _| unreachable!("the command must not run"))
            .unwrap();
        assert_eq!(media, 0);
        decode_response::<Empty>(&response).unwrap().unwrap_err()
    }
}

#[test]
fn request_response_and_media_travel() {
    let _shared = SharedMemory::recording();
    let mut host = Host::new(b"request", b"protected");
    let answered = host.call(|request, media| {
        assert_eq!(request, b"request");
        assert_eq!((media.input().len(), media.output_len()), (9, 9));
        let mut piece = [0; 9];
        media.input().read(0, &mut piece).unwrap();
        media
            .write(0, &piece.map(|byte| byte.to_ascii_uppercase()))
            .unwrap();
        b"response".to_vec()
    });
    assert_eq!(answered.unwrap(), (b"response".to_vec(), 9));
    assert_eq!(host.media, b"PROTECTED");
    assert_eq!(
        host.response[8..],
        vec![0xee; MAX_RESPONSE - 8],
        "nothing beyond the answer"
    );
}

#[test]
fn a_request_is_as_long_as_its_limit_and_no_longer() {
    let allowed = SharedMemory::recording();
    for len in [0, 1, MAX_REQUEST] {
        let mut host = Host::new(&vec![7; len], b"");
        host.call(|request, _| {
            assert_eq!(request, vec![7; len]);
            Vec::new()
        })
        .unwrap();
    }
    drop(allowed);
    let shared = SharedMemory::recording();
    let mut host = Host::new(&vec![7; MAX_REQUEST + 1], b"");
    assert_eq!(host.refused(), Status::RequestTooLarge);
    let reads = shared.reads(host.request.as_ptr(), host.request.len());
    assert_eq!(reads, [], "not a byte of it is copied");
}

#[test]
fn a_claimed_size_beyond_all_memory_is_not_believed() {
    let _shared = SharedMemory::recording();
    let mut response = vec![0; MAX_RESPONSE];
    let mut byte = 0;
    let mut params = [
        memref(&raw mut byte, usize::MAX),
        memref(response.as_mut_ptr(), response.len()),
        memref(&raw mut byte, 1),
        memref(&raw mut byte, 1),
    ];
    // SAFETY: four memory references; the first one's size is a lie that must not be acted upon.
    let mut slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
    serve(&mut slots, 3, |_, _| -> Vec<u8> {
        unreachable!("the command must not run")
    })
    .unwrap();
    // SAFETY: still a memory reference.
    let len = unsafe { params[1].memref.size };
    let refusal = decode_response::<Empty>(&response[..len]).unwrap();
    assert_eq!(refusal.unwrap_err(), Status::RequestTooLarge);
}

#[test]
fn a_response_that_might_not_fit_stops_the_command() {
    let _shared = SharedMemory::recording();
    for room in [4, 100, MAX_RESPONSE - 1] {
        let mut host = Host::new(b"request", b"media");
        host.response.truncate(room);
        assert_eq!(host.refused(), Status::ResponseTooSmall, "{room}");
    }
    for room in [0, 1, 2] {
        let mut host = Host::new(b"request", b"media");
        host.response.truncate(room);
        let result = host.call(|_, _| unreachable!("the command must not run"));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::ShortBuffer, "{room}");
        assert_eq!(host.response, vec![0xee; room], "untouched");
    }
}

#[test]
fn a_refusal_leaves_the_media_untouched() {
    let shared = SharedMemory::recording();
    let mut host = Host::new(b"", b"protected");
    let (_, media) = host
        .call(|_, _| encode_status(Status::UnknownKey).unwrap())
        .unwrap();
    assert_eq!(media, 0);
    assert_eq!(shared.writes(host.media.as_ptr(), host.media.len()), []);
}

#[test]
fn the_request_is_read_once_and_the_response_written_once() {
    let shared = SharedMemory::recording();
    let mut host = Host::new(&[1; 5000], b"");
    host.call(|_, _| vec![2; 300]).unwrap();
    assert_eq!(shared.reads(host.request.as_ptr(), 5000), [(0, 5000)]);
    assert_eq!(
        shared.writes(host.response.as_ptr(), MAX_RESPONSE),
        [(0, 300)]
    );
    assert_eq!(shared.reads(host.response.as_ptr(), MAX_RESPONSE), []);
    assert_eq!(shared.writes(host.request.as_ptr(), 5000), []);
}

/// The normal world overwrites what was copied as soon as it was copied: the core's view, and with
/// it the answer, is the first snapshot.
#[test]
fn what_the_host_changes_after_the_copy_does_not_count() {
    let _shared = SharedMemory::hostile(|from, len| {
        // SAFETY: the range was read a moment ago, and only this test uses it.
        unsafe { core::ptr::write_bytes(from, 0xff, len) };
    });
    let mut host = Host::new(b"request", b"protected");
    let (response, _) = host
        .call(|request, media| {
            let mut piece = [0; 9];
            media.input().read(0, &mut piece).unwrap();
            [request, &piece].concat()
        })
        .unwrap();
    assert_eq!(response, b"requestprotected");
    assert_eq!(host.request, [0xff; 7]);
}

#[test]
fn media_stays_within_its_slots() {
    let _shared = SharedMemory::recording();
    let mut host = Host::new(b"", b"12345678");
    let (_, written) = host
        .call(|_, media| {
            assert!(media.input().read(5, &mut [0; 4]).is_err());
            assert!(media.write(5, &[0; 4]).is_err());
            media.write(4, b"ab").unwrap();
            media.write(0, b"c").unwrap();
            Vec::new()
        })
        .unwrap();
    assert_eq!(written, 6, "as far as it was written");
    assert_eq!(host.media, b"c234ab78");
}
