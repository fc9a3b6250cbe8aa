//! Calls that wait, and what ends them.

use super::*;

#[test]
fn an_overloaded_service_is_asked_again_within_the_policy() {
    let overloaded = |seconds| denied_for(DenialReason::Overloaded, Some(seconds));
    let exchanges = |times| {
        let both = [
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"answer")),
        ];
        network(vec![both; times].into_iter().flatten().collect())
    };
    let asks = |last: Step, times| {
        let mut steps = vec![opened()];
        for _ in 1..times {
            steps.extend([message(b"request"), overloaded(0)]);
        }
        steps.extend([message(b"request"), last]);
        let (client, requests) = client(steps, exchanges(times));
        let client = client.with_retry(RetryPolicy {
            attempts: 3,
            first_pause: Duration::ZERO,
            deadline: Duration::from_secs(20),
        });
        let session = client.open_session().unwrap();
        let result = client.acquire(&session, &LicenseWanted::default());
        assert_eq!(requests.lock().unwrap().len(), 1 + 2 * times);
        result
    };
    asks(loaded(), 3).unwrap();
    let is_overloaded = |error: ClientError| matches!(&error, ClientError::Denied(d) if d.reason == Some(DenialReason::Overloaded));
    // Not more often than the policy says, and not where the wait is longer than the deadline.
    assert!(is_overloaded(asks(overloaded(0), 3).unwrap_err()));
    assert!(is_overloaded(asks(overloaded(60), 1).unwrap_err()));
}

/// The service asks to wait for a while, and the caller does not.
#[test]
fn a_wait_for_an_overloaded_service_ends_at_the_trigger() {
    let (client, requests) = client(
        vec![
            opened(),
            message(b"request"),
            denied_for(DenialReason::Overloaded, Some(20)),
        ],
        network(vec![
            ("/v1/service-info", ok(b"info")),
            ("/v1/license", ok(b"denial")),
        ]),
    );
    let session = client.open_session().unwrap();
    let cancel = Cancel::new();
    let client = client.cancelled_by(&cancel);
    let start = std::time::Instant::now();
    let ended = std::thread::scope(|scope| {
        let asking = scope.spawn(|| client.acquire(&session, &LicenseWanted::default()));
        while requests.lock().unwrap().len() < 3 {
            std::thread::yield_now();
        }
        cancel.cancel();
        asking.join().unwrap().unwrap_err()
    });
    assert!(
        matches!(
            ended,
            ClientError::Cancelled {
                why: Ended::Caller,
                ..
            }
        ),
        "{ended}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// What one caller gives up another may go on with.
#[test]
fn a_handle_ends_the_calls_it_was_given_to_and_no_others() {
    let (tee, network) = (
        crate::fake::FakeTee::default(),
        crate::fake::FakeNetwork::default(),
    );
    let client = crate::fake::client(&tee, &network);
    let cancel = Cancel::new();
    cancel.cancel();
    let given_up = client.cancelled_by(&cancel);
    assert!(given_up.open_session().is_err_and(|e| e.is_cancelled()));
    assert_eq!(network.count("/v1/service-info"), 0);
    assert!(client.open_session().is_ok());
}
