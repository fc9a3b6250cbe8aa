//! Calls that are refused before the core hears of them.

use std::time::Duration;

use keybearer_tee::CallError;

use super::licensed::{Licensed, SECONDS};
use super::*;

/// A call of a client that has nothing to do with the key, and what it came to.
fn call(client: &mut Client, types: u32, request: usize, room: usize) -> Result<Status, u32> {
    let (mut request, mut response) = (vec![0xff; request], vec![0; room]);
    let [mut a, mut b] = [[0; 0]; 2];
    let (a, b) = (temporary(&mut a), temporary(&mut b));
    let mut params = [temporary(&mut request), temporary(&mut response), a, b];
    match client.invoke(types, &mut params) {
        (raw::TEEC_SUCCESS, _) => {
            // SAFETY: written as a temporary reference above.
            let len = unsafe { params[1].tmpref.size };
            Ok(decode_response::<Empty>(&response[..len])
                .unwrap()
                .unwrap_err())
        }
        (code, _) => Err(code),
    }
}

/// That a key is gone, and not only refused, shows where the clock goes back afterwards.
#[test]
fn a_call_that_the_core_does_not_hear_ends_keys_as_any_other_does() {
    type Asked = (fn(&mut Client) -> Result<Status, u32>, Result<Status, u32>);
    let ways: [Asked; 4] = [
        (|client| call(client, RIGHT ^ 3, 1, MAX_RESPONSE), Err(BAD)),
        (
            |client| call(client, RIGHT, 1, 2),
            Err(raw::TEEC_ERROR_SHORT_BUFFER),
        ),
        (
            |client| call(client, RIGHT, 1, 16),
            Ok(Status::ResponseTooSmall),
        ),
        (
            |client| call(client, RIGHT, MAX_REQUEST + 1, MAX_RESPONSE),
            Ok(Status::RequestTooLarge),
        ),
    ];
    let later = Duration::from_secs(u64::from(SECONDS) + 10);
    for (ask, expected) in ways {
        let mut at = Licensed::new();
        let mut data = [7; 32];
        at.decrypt(&mut data).unwrap();
        assert_eq!(ask(&mut at.client), expected);
        at.decrypt(&mut data).unwrap();
        // Nobody calls while its time is over: it is as if it never were.
        at.client.board.advance(later);
        at.client.board.set_back(later);
        at.decrypt(&mut data).unwrap();

        at.client.board.advance(later);
        assert_eq!(ask(&mut at.client), expected);
        at.client.board.set_back(later);
        let used = at.decrypt(&mut data);
        assert!(
            matches!(used, Err(CallError::Refused(Status::KeyNotUsable))),
            "{expected:?}: {used:?}"
        );
    }
}
