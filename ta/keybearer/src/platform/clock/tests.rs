#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use optee_utee::raw;
use optee_utee_sys::{mock_api, mock_utils::SERIAL_TEST_LOCK};
use std::{ffi::CStr, sync::PoisonError};

/// Counts up, so that no two instances agree by chance.
struct Counting(u8);

impl Rng for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.0 += 1;
        out.fill(self.0);
        Ok(())
    }
}

struct Broken;

impl Rng for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::Rng)
    }
}

/// Runs `test` on a TEE whose property says `level`, or that has no such property.
fn with_protection_level<T>(level: Option<u32>, test: impl FnOnce() -> T) -> T {
    let _turn = SERIAL_TEST_LOCK
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let property = mock_api::TEE_GetPropertyAsU32_context();
    property.expect().returning(move |_, name, value| {
        // SAFETY: the wrapper passes a C string and a place for the value.
        let name = unsafe { CStr::from_ptr(name) };
        assert_eq!(name, c"gpd.tee.systemTime.protectionLevel");
        match level {
            // SAFETY: as above.
            Some(level) => unsafe { *value = level },
            None => return raw::TEE_ERROR_ITEM_NOT_FOUND,
        }
        raw::TEE_SUCCESS
    });
    let time = mock_api::TEE_GetSystemTime_context();
    // SAFETY: the wrapper passes a place for the time.
    time.expect().returning(|to| unsafe {
        *to = raw::TEE_Time {
            seconds: 5_000_000,
            millis: 7,
        };
    });
    test()
}

#[test]
fn a_protected_clock_is_read_in_milliseconds() {
    with_protection_level(Some(1000), || {
        let mut clock = SystemClock::of_this_instance(&mut Counting(0))
            .unwrap()
            .unwrap();
        assert_eq!(
            clock.now(),
            Ok(Moment {
                boot: [1; 16],
                millis: 5_000_000_007
            })
        );
    });
}

#[test]
fn another_instance_is_another_boot() {
    with_protection_level(Some(1000), || {
        let mut rng = Counting(0);
        let mut boot = || {
            let mut clock = SystemClock::of_this_instance(&mut rng).unwrap().unwrap();
            assert_eq!(clock.now().unwrap().boot, clock.now().unwrap().boot);
            clock.now().unwrap().boot
        };
        assert_ne!(boot(), boot());
    });
}

#[test]
fn a_clock_that_the_normal_world_controls_is_none() {
    for level in [Some(100), Some(0), Some(999), Some(1001), None] {
        with_protection_level(level, || {
            let clock = SystemClock::of_this_instance(&mut Counting(0)).unwrap();
            assert!(clock.is_none(), "{level:?}");
        });
    }
}

#[test]
fn without_randomness_there_is_no_boot_identity() {
    with_protection_level(Some(1000), || {
        assert_eq!(
            SystemClock::of_this_instance(&mut Broken).unwrap_err(),
            CryptoError::Rng
        );
    });
}
