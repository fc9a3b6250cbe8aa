//! How long ago something was.

use optee_utee::Time;

/// Milliseconds since a moment that stays the same for as long as a session lives.
pub type Clock = fn() -> u64;

/// The TEE's system time (TEE Internal Core API 1.3.1, section 7.2.1). Where the normal world can set it,
/// what waits in a decoder can wait for longer; what the key TA decides is not decided by this clock.
#[must_use]
pub fn system_time() -> u64 {
    let mut time = Time::new();
    time.system_time();
    u64::from(time.seconds) * 1000 + u64::from(time.millis)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::system_time;
    use optee_utee::raw;
    use optee_utee_sys::{mock_api, mock_utils::SERIAL_TEST_LOCK};
    use std::sync::PoisonError;

    #[test]
    fn it_counts_milliseconds() {
        let _turn = SERIAL_TEST_LOCK
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let time = mock_api::TEE_GetSystemTime_context();
        // SAFETY: the wrapper passes a place for the time.
        time.expect().returning(|to| unsafe {
            *to = raw::TEE_Time {
                seconds: 5_000_000,
                millis: 7,
            };
        });
        assert_eq!(system_time(), 5_000_000_007);
    }
}
