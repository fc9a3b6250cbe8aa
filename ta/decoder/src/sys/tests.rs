#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

use super::*;
use optee_utee_sys::{mock_api::TEE_OpenTASession_context, mock_utils::SERIAL_TEST_LOCK};

extern crate std;

#[test]
fn the_key_ta_is_asked_for_by_its_own_uuid() {
    let _turn = SERIAL_TEST_LOCK
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let open = TEE_OpenTASession_context();
    open.expect()
        .withf(|asked, _, _, _, _, _| {
            // SAFETY: the code under test passes a UUID.
            let asked = unsafe { **asked };
            asked.timeLow == 0x609b_2559 && asked.timeMid == 0xaca2
        })
        .times(1)
        .return_const(raw::TEE_ERROR_OUT_OF_MEMORY);
    let refused = KeyTa.connect().err();
    assert_eq!(refused, Some(Failure(raw::TEE_ERROR_OUT_OF_MEMORY)));
    open.checkpoint();
}
