//! Memory that another thread changes while an application reads and writes it; here the key TA.
//!
//! What a call comes to follows from one reading of each byte: with one byte of a request going to and
//! fro between two values, every answer is the answer to the one request or to the other, and media of
//! which bytes go to and fro is decrypted as the one or as the other. And no byte is copied twice, which
//! chance could hide.

mod decoder;

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

use keybearer_tests::bare::{decryption, table};

use super::internal::COPIED;
use super::licensed::{IV, KEY, Licensed};
use super::*;

/// Where the shared memory holds a request, the response and the media.
const RESPONSE_AT: usize = 1024;
const MEDIA_AT: usize = RESPONSE_AT + MAX_RESPONSE;
const MEDIA: usize = 1000;
const SIZE: usize = MEDIA_AT + MEDIA;
/// What a change adds to a byte, bit by bit.
const CHANGE: u8 = 0x41;

/// What a call came to: the response, and the media that is clear.
#[derive(Debug, PartialEq, Eq)]
struct Came(Vec<u8>, Vec<u8>);

/// A client whose calls lie in memory that everybody writes to.
struct Moving<'m> {
    client: &'m mut Client,
    memory: raw::TEEC_SharedMemory,
    request: usize,
}

fn fill(bytes: &[AtomicU8], at: usize, from: &[u8]) {
    for (byte, value) in bytes[at..].iter().zip(from) {
        byte.store(*value, Ordering::Relaxed);
    }
}

fn copy(bytes: &[AtomicU8], at: usize, len: usize) -> Vec<u8> {
    let bytes = bytes[at..][..len].iter();
    bytes.map(|byte| byte.load(Ordering::Relaxed)).collect()
}

/// Makes a call, which copies some of these bytes and none of them twice.
fn reading_none_twice<R>(bytes: &[AtomicU8], call: impl FnOnce() -> R) -> R {
    COPIED.set(Some(Vec::new()));
    let came = call();
    let start = bytes.as_ptr().addr();
    let mut read = vec![false; bytes.len()];
    for (from, len) in COPIED.take().unwrap() {
        for at in (from..from + len).filter_map(|at| at.checked_sub(start)) {
            if let Some(byte) = read.get_mut(at) {
                assert!(!mem::replace(byte, true), "byte {at} is read twice");
            }
        }
    }
    assert!(read.contains(&true), "nothing is read");
    came
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        TEEC_ReleaseSharedMemory(&raw mut self.memory);
    }
}

impl Moving<'_> {
    /// Decrypts in place; the request is what lies there.
    fn decrypt(&mut self, bytes: &[AtomicU8], media: &[u8]) -> Came {
        fill(bytes, MEDIA_AT, media);
        let mut part = |offset, size| range(&mut self.memory, offset, size);
        let mut params = [
            part(0, self.request),
            part(RESPONSE_AT, MAX_RESPONSE),
            part(MEDIA_AT, MEDIA),
            part(MEDIA_AT, MEDIA),
        ];
        let types = RIGHT | 0x8888;
        let mut give = || {
            self.client
                .give(Command::Decrypt.code(), types, &mut params)
        };
        let (code, _) = reading_none_twice(bytes, &mut give);
        assert_eq!(code, raw::TEEC_SUCCESS);
        // SAFETY: written as registered references above.
        let [response, clear] = [1, 3].map(|at| unsafe { params[at].memref.size });
        Came(
            copy(bytes, RESPONSE_AT, response),
            copy(bytes, MEDIA_AT, clear),
        )
    }
}

/// Says that it has ended, however it ends.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `test` while another thread has these bytes go to and fro.
fn while_they_change<R>(bytes: &[AtomicU8], test: impl FnOnce() -> R) -> R {
    let (begun, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                for byte in bytes {
                    byte.fetch_xor(CHANGE, Ordering::Relaxed);
                }
                begun.store(true, Ordering::Relaxed);
            }
        });
        let _ending = Ending(&ended);
        while !begun.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        test()
    })
}

#[test]
fn what_a_call_comes_to_follows_from_one_reading_of_each_byte() {
    let mut at = Licensed::new();
    let session = at.open_licensed();
    let table = table(&IV, [MEDIA]);
    let request = decryption(session, KEY, 40, &table)
        .encode(MAX_REQUEST)
        .unwrap();
    let mut shared = memory(ptr::null_mut(), SIZE, 3);
    let context = &raw mut *at.client.context;
    assert_eq!(TEEC_AllocateSharedMemory(context, &raw mut shared), 0);
    // SAFETY: as many bytes as were allocated, which live until `moving` is dropped; here they are
    // atomic, and the simulated TEE copies them, as a genuine one copies what the normal world changes.
    let bytes: &[AtomicU8] = unsafe { std::slice::from_raw_parts(shared.buffer.cast(), SIZE) };
    let mut moving = Moving {
        client: &mut at.client,
        memory: shared,
        request: request.len(),
    };
    let media: Vec<u8> = (0..MEDIA).map(|at| (at * 7).to_le_bytes()[0]).collect();
    fill(bytes, 0, &request);
    let right = moving.decrypt(bytes, &media);
    assert_eq!(right.1.len(), MEDIA);

    let (mut changed, mut one, mut other) = (0, 0, 0);
    for (place, byte) in bytes[..request.len()].iter().enumerate() {
        fill(bytes, 0, &request);
        byte.fetch_xor(CHANGE, Ordering::Relaxed);
        let wrong = moving.decrypt(bytes, &media);
        // Again, so that the one is no consequence of the other.
        byte.fetch_xor(CHANGE, Ordering::Relaxed);
        assert_eq!(moving.decrypt(bytes, &media), right);
        changed += usize::from(wrong != right);
        while_they_change(std::slice::from_ref(byte), || {
            for _ in 0..20 {
                let came = moving.decrypt(bytes, &media);
                one += usize::from(came == right && came != wrong);
                other += usize::from(came == wrong && came != right);
                assert!(came == right || came == wrong, "byte {place}: {came:?}");
            }
        });
    }
    assert!(changed > request.len() / 2, "{changed} bytes mean anything");
    assert!(one > 100 && other > 100, "{one} and {other} calls");

    fill(bytes, 0, &request);
    let mut moved = 0;
    while_they_change(&bytes[MEDIA_AT..], || {
        // Where both threads share a processor it takes its time.
        for calls in 0..50_000 {
            if calls >= 200 && moved > 100 {
                break;
            }
            let came = moving.decrypt(bytes, &media);
            assert_eq!(came.0, right.0);
            for (byte, clear) in came.1.iter().zip(&right.1) {
                moved += usize::from(byte != clear);
                assert!(byte ^ clear == 0 || byte ^ clear == CHANGE);
            }
        }
    });
    assert!(moved > 100, "{moved} bytes were another");
    assert_eq!(moving.decrypt(bytes, &media), right);
    drop(moving);
    at.decrypt(&mut [7; 32]).unwrap();
}
