#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use crate::{params::CommandSlots, shared_memory};
use optee_utee::FromRawParameters;
use optee_utee_sys::{
    mock_api::{
        TEE_CloseTASession_context, TEE_InvokeTACommand_context, TEE_OpenTASession_context,
    },
    mock_utils::SERIAL_TEST_LOCK,
};
use std::{
    sync::{MutexGuard, PoisonError},
    vec,
    vec::Vec,
};

/// The key TA, as people write its UUID.
const UUID: &str = "609b2559-aca2-44ce-882b-c9764cbad139";
/// What stands for the handle of the session; nobody looks behind it.
const HANDLE: usize = 0x7a;

fn turn() -> MutexGuard<'static, ()> {
    SERIAL_TEST_LOCK
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn handle() -> raw::TEE_TASessionHandle {
    HANDLE as _
}

/// Runs `test` with an open session that the TEE sees closed exactly once.
fn with_session(test: impl FnOnce(&mut TaSession)) {
    let open = TEE_OpenTASession_context();
    open.expect()
        .times(1)
        .returning(|_, _, _, _, session, origin| {
            // SAFETY: the code under test passes room for both.
            unsafe {
                *session = handle();
                *origin = raw::TEE_ORIGIN_TRUSTED_APP;
            }
            raw::TEE_SUCCESS
        });
    let close = TEE_CloseTASession_context();
    close
        .expect()
        .withf(|session| *session as usize == HANDLE)
        .times(1)
        .return_const(());
    let mut session = TaSession::open(&uuid(UUID)).unwrap();
    test(&mut session);
    drop(session);
    open.checkpoint();
    close.checkpoint();
}

#[test]
fn an_application_is_asked_for_by_its_uuid_without_parameters() {
    let _turn = turn();
    let open = TEE_OpenTASession_context();
    open.expect()
        .withf(|uuid, timeout, types, params, session, origin| {
            // SAFETY: the code under test passes a UUID.
            let uuid = unsafe { **uuid };
            uuid.timeLow == 0x609b_2559
                && uuid.timeMid == 0xaca2
                && uuid.timeHiAndVersion == 0x44ce
                && uuid.clockSeqAndNode == [0x88, 0x2b, 0xc9, 0x76, 0x4c, 0xba, 0xd1, 0x39]
                && *timeout == raw::TEE_TIMEOUT_INFINITE
                && *types == 0
                && !params.is_null()
                && !session.is_null()
                && !origin.is_null()
        })
        .times(1)
        .return_const(raw::TEE_ERROR_OUT_OF_MEMORY);
    // A session that never opened is never closed: no expectation of it is set.
    let refused = TaSession::open(&uuid(UUID)).err();
    assert_eq!(refused, Some(Failure(raw::TEE_ERROR_OUT_OF_MEMORY)));
    open.checkpoint();
}

#[test]
fn the_hosts_memory_goes_on_by_address_and_our_own_by_ours() {
    let _shared = shared_memory::SharedMemory::recording();
    let mut media = vec![0x5a_u8; 32];
    let media_start = media.as_mut_ptr() as usize;
    let mut params = [(); 4].map(|()| shared_memory::memref(media_start as *mut u8, 32));
    // SAFETY: four memory references to live memory.
    let slots = unsafe { CommandSlots::from_raw(COMMAND_TYPES, &mut params) }.unwrap();

    let request = b"request";
    let (mut response, mut clear) = ([0_u8; 16], [0_u8; 32]);
    let places = [
        request.as_ptr() as usize,
        response.as_mut_ptr() as usize,
        media_start,
        clear.as_mut_ptr() as usize,
    ];
    let invoke = TEE_InvokeTACommand_context();
    invoke
        .expect()
        .withf(move |session, timeout, command, types, params, _| {
            // SAFETY: the code under test passes four memory references.
            let params: Vec<_> = (0..4)
                .map(|at| unsafe { (*params.add(at)).memref })
                .collect();
            let lie = params.iter().map(|param| param.buffer as usize);
            *session as usize == HANDLE
                && *timeout == raw::TEE_TIMEOUT_INFINITE
                && *command == 0x23
                && *types == 0x6565
                && lie.eq(places)
                && params.iter().map(|param| param.size).eq([7, 16, 32, 32])
        })
        .times(1)
        .returning(|_, _, _, _, params, _| {
            // SAFETY: four memory references, of which the second and the fourth may be written.
            unsafe {
                (*params.add(1)).memref.size = 3;
                (*params.add(3)).memref.size = 32;
                ptr::copy_nonoverlapping(
                    (*params.add(2)).memref.buffer.cast::<u8>(),
                    (*params.add(3)).memref.buffer.cast::<u8>(),
                    32,
                );
            }
            raw::TEE_SUCCESS
        });
    with_session(|session| {
        let input = Some(&slots.media_in);
        let sizes = session.call(0x23, request, &mut response, input, &mut clear);
        let (response, media) = (3, 32);
        assert_eq!(sizes, Ok(Sizes { response, media }));
    });
    assert_eq!(clear[..], media[..]);
    invoke.checkpoint();
}

#[test]
fn nothing_is_named_where_there_is_nothing() {
    let _turn = turn();
    let invoke = TEE_InvokeTACommand_context();
    invoke
        .expect()
        .withf(|_, _, _, types, params, _| {
            // SAFETY: the code under test passes four memory references.
            let absent = (0..4).all(|at| unsafe {
                let memref = (*params.add(at)).memref;
                memref.buffer.is_null() && memref.size == 0
            });
            *types == 0x6565 && absent
        })
        .times(1)
        .return_const(raw::TEE_SUCCESS);
    with_session(|session| {
        let sizes = session.call(0x22, &[], &mut [], None, &mut []);
        let (response, media) = (0, 0);
        assert_eq!(sizes, Ok(Sizes { response, media }));
    });
    invoke.checkpoint();
}

#[test]
fn a_size_beyond_the_room_is_not_believed() {
    let _turn = turn();
    for (slot, size) in [(1, 5), (3, 9), (1, usize::MAX), (3, usize::MAX)] {
        let invoke = TEE_InvokeTACommand_context();
        invoke
            .expect()
            .times(1)
            .returning(move |_, _, _, _, params, _| {
                // SAFETY: four memory references.
                unsafe { (*params.add(slot)).memref.size = size };
                raw::TEE_SUCCESS
            });
        with_session(|session| {
            let sizes = session.call(0x23, b"r", &mut [0; 4], None, &mut [0; 8]);
            assert_eq!(sizes, Err(Failure(raw::TEE_ERROR_GENERIC)), "{slot} {size}");
        });
        invoke.checkpoint();
    }
}

#[test]
fn an_application_that_died_is_a_failure_with_its_code() {
    let _turn = turn();
    let invoke = TEE_InvokeTACommand_context();
    invoke
        .expect()
        .times(1)
        .return_const(raw::TEE_ERROR_TARGET_DEAD);
    with_session(|session| {
        let sizes = session.call(0x23, b"r", &mut [0; 4], None, &mut [0; 8]);
        assert_eq!(sizes, Err(Failure(raw::TEE_ERROR_TARGET_DEAD)));
    });
    invoke.checkpoint();
}

#[test]
fn a_malformed_uuid_stops_the_build() {
    let good = UUID;
    assert_eq!(uuid(good).timeLow, uuid(&good.to_uppercase()).timeLow);
    for bad in [
        "",
        &good[1..],
        &good.replace('-', "0"),
        &good.replace("609b", "609g"),
        &std::format!("{good} "),
    ] {
        let read = std::panic::catch_unwind(|| uuid(bad));
        assert!(read.is_err(), "{bad}");
    }
}
