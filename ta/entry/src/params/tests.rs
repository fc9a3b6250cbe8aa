#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use crate::shared_memory::{SharedMemory, memref};
use std::{vec, vec::Vec};

/// What a tuple of parameters becomes; the four memory references are absent.
fn accepted(types: u32) -> bool {
    let mut params = [(); 4].map(|()| memref(core::ptr::null_mut(), 0));
    // SAFETY: all four unions are memory references, whatever the type word claims.
    unsafe { CommandSlots::from_raw(types, &mut params) }.is_ok()
}

#[test]
fn one_type_word_of_all_is_accepted() {
    assert_eq!(COMMAND_TYPES, 0x6565);
    let accepted: Vec<u32> = (0..=0xffff).filter(|types| accepted(*types)).collect();
    assert_eq!(accepted, [COMMAND_TYPES]);
}

#[test]
fn the_upper_half_of_the_word_counts() {
    for bit in 16..32 {
        assert!(!accepted(COMMAND_TYPES | 1 << bit), "bit {bit}");
    }
    assert!((1..=0xffff).all(|high| !accepted(COMMAND_TYPES | high << 16)));
}

#[test]
fn opening_takes_no_parameter_at_all() {
    let mut params = [(); 4].map(|()| memref(core::ptr::null_mut(), 0));
    // SAFETY: `NoSlots` reads none of them.
    let mut opens = |types| unsafe { NoSlots::from_raw(types, &mut params) }.is_ok();
    assert!(opens(0));
    assert!((1..=0xffff).all(|types| !opens(types)));
    assert!((0..32).all(|bit| !opens(1 << bit)));
}

#[test]
fn an_absent_slot_is_empty_whatever_size_it_claims() {
    let shared = SharedMemory::recording();
    let mut params = [(); 4].map(|()| memref(core::ptr::null_mut(), usize::MAX));
    // SAFETY: all four unions are memory references.
    let mut slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
    assert!(slots.request.is_empty() && slots.media_in.is_empty());
    assert_eq!(
        (slots.response.capacity(), slots.media_out.capacity()),
        (0, 0)
    );
    assert!(slots.request.read(0, &mut []).is_ok());
    assert!(slots.request.read(0, &mut [0]).is_err());
    assert!(slots.response.write(0, &[]).is_ok());
    assert!(slots.response.write(0, &[1]).is_err());
    assert!(slots.response.set_len(0).is_ok());
    assert!(slots.response.set_len(1).is_err());
    assert_eq!(shared.count(), 0);
}

#[test]
fn only_ranges_inside_a_slot_are_copied() {
    let shared = SharedMemory::recording();
    let mut bytes = vec![0, 1, 2, 3, 4, 5, 6, 7];
    let start = bytes.as_mut_ptr();
    let mut params = [(); 4].map(|()| memref(start, 8));
    // SAFETY: all four unions are memory references to live memory.
    let mut slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();

    let mut out = [0xff; 3];
    slots.request.read(5, &mut out).unwrap();
    assert_eq!(out, [5, 6, 7]);
    slots.request.read(8, &mut []).unwrap();
    for offset in [6, 8, 9, usize::MAX - 2, usize::MAX - 1, usize::MAX] {
        assert!(slots.request.read(offset, &mut out).is_err(), "{offset}");
        assert!(slots.media_out.write(offset, &out).is_err(), "{offset}");
    }
    assert!(slots.request.read(9, &mut []).is_err());
    slots.media_out.write(0, &[9, 9]).unwrap();
    assert_eq!(shared.reads(start, 8), [(5, 3)]);
    assert_eq!(shared.writes(start, 8), [(0, 2)]);
    assert_eq!(shared.count(), 2);
    assert_eq!(bytes, [9, 9, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn an_output_has_no_length_until_it_is_given_one() {
    let _shared = SharedMemory::recording();
    let mut byte = 0;
    let mut params = [(); 4].map(|()| memref(&raw mut byte, 1));
    // SAFETY: all four unions are memory references to live memory.
    let mut slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
    slots.media_out.set_len(1).unwrap();
    assert!(slots.media_out.set_len(2).is_err());
    // SAFETY: still memory references.
    let sizes = params.map(|param| unsafe { param.memref.size });
    assert_eq!(
        sizes,
        [1, 0, 1, 1],
        "request, response, media in, media out"
    );
}

#[test]
fn a_slot_that_is_not_mapped_whole_is_refused_before_a_byte_is_copied() {
    for slot in 0..4 {
        let mut bytes = [[0_u8; 8]; 4];
        let places = bytes.each_mut().map(|slot| slot.as_mut_ptr());
        let shared = SharedMemory::recording();
        let opens = || {
            let mut params = places.map(|start| memref(start, 8));
            // SAFETY: all four unions are memory references to live memory.
            unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.map(drop)
        };
        // Outputs that share memory with inputs may not be written by the TEE's word.
        shared.deny(places[slot], raw::TEE_MEMORY_ACCESS_WRITE);
        assert!(opens().is_ok(), "slot {slot}");
        shared.deny(places[slot].wrapping_add(7), raw::TEE_MEMORY_ACCESS_READ);
        let error = opens().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccessDenied, "slot {slot}");
        assert_eq!(shared.count(), 0);
    }
}

/// The TEE's word decides, and where it says nothing for certain, the stricter holds: input counts as
/// protected and output as not.
#[test]
fn memory_is_protected_as_the_tee_says() {
    let mut bytes = [[0_u8; 8]; 4];
    let places = bytes.each_mut().map(|slot| slot.as_mut_ptr());
    let protected = |denied: u32, byte: usize| {
        let shared = SharedMemory::recording();
        let mut params = places.map(|start| memref(start, 8));
        // SAFETY: all four unions are memory references to live memory.
        let slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
        for place in places {
            shared.deny(place.wrapping_add(byte), denied);
        }
        [
            slots.request.is_protected(),
            slots.response.is_protected(),
            slots.media_in.is_protected(),
            slots.media_out.is_protected(),
        ]
    };
    for byte in 0..8 {
        // Neither the one nor the other is denied: the mock knows no such memory, and vouches for both.
        assert_eq!(protected(0, byte), [false, true, false, true]);
        assert_eq!(protected(MEMORY_ACCESS_NONSECURE, byte), [true; 4]);
        assert_eq!(protected(MEMORY_ACCESS_SECURE, byte), [false; 4]);
        // What cannot be written is no output for anything.
        let written = protected(raw::TEE_MEMORY_ACCESS_WRITE, byte);
        assert_eq!(written, [false; 4]);
        let neither = protected(MEMORY_ACCESS_SECURE | MEMORY_ACCESS_NONSECURE, byte);
        assert_eq!(neither, [true, false, true, false]);
    }
    let _shared = SharedMemory::recording();
    for empty in [memref(core::ptr::null_mut(), 8), memref(places[0], 0)] {
        let mut params = [(); 4].map(|()| empty);
        // SAFETY: as above.
        let slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();
        assert!(!slots.request.is_protected() && !slots.media_in.is_protected());
        assert!(!slots.response.is_protected() && !slots.media_out.is_protected());
    }
}
