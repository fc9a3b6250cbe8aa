extern crate std;

use super::*;
use optee_utee::raw;
use optee_utee_sys::{mock_api, mock_utils::SERIAL_TEST_LOCK};
use std::{ffi::CStr, sync::PoisonError};

const DECODER: &str = "a5fb7ad7-f5b3-4f6c-ac81-1116537ddde5";
const UUID: raw::TEE_UUID = raw::TEE_UUID {
    timeLow: 0xa5fb_7ad7,
    timeMid: 0xf5b3,
    timeHiAndVersion: 0x4f6c,
    clockSeqAndNode: [0xac, 0x81, 0x11, 0x16, 0x53, 0x7d, 0xdd, 0xe5],
};

/// Who a client is that the TEE describes so; `None`: it does not describe it.
fn of(identity: Option<(u32, raw::TEE_UUID)>, decoder: Option<&str>) -> Option<Caller> {
    let _turn = SERIAL_TEST_LOCK
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let property = mock_api::TEE_GetPropertyAsIdentity_context();
    property.expect().returning(move |set, name, value| {
        assert_eq!(set, raw::TEE_PROPSET_CURRENT_CLIENT);
        // SAFETY: the wrapper passes a C string.
        assert_eq!(unsafe { CStr::from_ptr(name) }, c"gpd.client.identity");
        let Some((login, uuid)) = identity else {
            return raw::TEE_ERROR_ITEM_NOT_FOUND;
        };
        // SAFETY: the wrapper passes a place for the value.
        unsafe { *value = raw::TEE_Identity { login, uuid } };
        raw::TEE_SUCCESS
    });
    caller(decoder)
}

#[test]
fn the_decoder_is_a_trusted_application_of_its_uuid() {
    let decoder = Some((raw::TEE_LOGIN_TRUSTED_APP, UUID));
    assert_eq!(of(decoder, Some(DECODER)), Some(Caller::Decoder));
    assert_eq!(of(decoder, None), None, "a build without one");
}

/// A host may call itself by any UUID, but by no login of the TEE's own.
#[test]
fn no_login_of_the_normal_world_is_the_decoder() {
    let logins = [
        raw::TEE_LOGIN_PUBLIC,
        raw::TEE_LOGIN_USER,
        raw::TEE_LOGIN_GROUP,
        raw::TEE_LOGIN_APPLICATION,
        raw::TEE_LOGIN_APPLICATION_USER,
        raw::TEE_LOGIN_APPLICATION_GROUP,
        0x8000_0000,
        raw::TEE_LOGIN_TRUSTED_APP ^ 1,
        u32::MAX,
    ];
    for login in logins {
        let claimed = of(Some((login, UUID)), Some(DECODER));
        assert_eq!(claimed, Some(Caller::Host), "{login:#x}");
    }
}

#[test]
fn another_trusted_application_gets_no_session() {
    for bit in 0..128 {
        let mut other = UUID;
        match bit {
            0..32 => other.timeLow ^= 1 << bit,
            32..48 => other.timeMid ^= 1 << (bit - 32),
            48..64 => other.timeHiAndVersion ^= 1 << (bit - 48),
            _ => other.clockSeqAndNode[(bit - 64) / 8] ^= 1 << (bit % 8),
        }
        let found = of(Some((raw::TEE_LOGIN_TRUSTED_APP, other)), Some(DECODER));
        assert_eq!(found, None, "bit {bit}");
    }
}

#[test]
fn whom_the_tee_does_not_describe_is_a_host() {
    assert_eq!(of(None, Some(DECODER)), Some(Caller::Host));
}
