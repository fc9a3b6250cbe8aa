#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::{Method, MockTransport};

const QUICK: RetryPolicy = RetryPolicy {
    attempts: 3,
    first_pause: Duration::from_millis(2),
    deadline: Duration::from_secs(5),
};

fn request<'a>(body: &'a [u8], cancel: &'a Cancel) -> HttpRequest<'a> {
    let url = "http://service/v1/license";
    HttpRequest {
        method: Method::Post,
        url,
        body,
        limit: 10,
        timeout: Duration::ZERO,
        cancel,
    }
}

fn cut() -> TransportError {
    TransportError::Cut {
        url: "u".into(),
        reason: "r".into(),
    }
}

fn busy(retry_after: Option<Duration>) -> TransportError {
    let (code, message) = (None, String::new());
    TransportError::Answer {
        url: "u".into(),
        status: 503,
        code,
        message,
        retry_after,
    }
}

/// Body and timeout of each attempt.
type Sent = Vec<(Vec<u8>, Duration)>;

/// A transport that fails as told, then answers; what it was sent is kept.
fn failing(errors: Vec<TransportError>) -> (MockTransport, Arc<Mutex<Sent>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&sent);
    let mut errors = errors.into_iter();
    let mut transport = MockTransport::new();
    let errors = Mutex::new(move || errors.next());
    transport.expect_exchange().returning(move |request| {
        kept.lock()
            .unwrap()
            .push((request.body.to_vec(), request.timeout));
        match (errors.lock().unwrap())() {
            Some(error) => Err(error),
            None => Ok(HttpResponse {
                status: 200,
                retry_after: None,
                body: b"done".to_vec(),
            }),
        }
    });
    (transport, sent)
}

fn run(
    policy: RetryPolicy,
    errors: Vec<TransportError>,
) -> (Result<Vec<u8>, TransportError>, Sent) {
    let (transport, sent) = failing(errors);
    let cancel = Cancel::new();
    let budget = policy.begin(&cancel);
    let sealed = request(b"sealed", &cancel);
    let result = budget.run(&transport, sealed, |response| Ok(response.body));
    let sent = sent.lock().unwrap().clone();
    (result, sent)
}

#[test]
fn a_passing_failure_is_tried_again_with_the_very_same_bytes() {
    let (result, sent) = run(QUICK, vec![cut(), busy(None)]);
    assert_eq!(result.unwrap(), b"done");
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|(body, _)| body == b"sealed"));
}

#[test]
fn after_the_last_attempt_the_last_failure_is_the_answer() {
    let (result, sent) = run(QUICK, vec![cut(), cut(), busy(None), cut()]);
    assert_eq!((result.unwrap_err(), sent.len()), (busy(None), 3));
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    let tls = TransportError::Tls {
        url: "u".into(),
        reason: "r".into(),
    };
    let large = TransportError::TooLarge {
        url: "u".into(),
        limit: 1,
    };
    for error in [tls, large] {
        let (result, sent) = run(QUICK, vec![error.clone()]);
        assert_eq!((result.unwrap_err(), sent.len()), (error, 1));
    }
}

#[test]
fn the_services_own_error_is_tried_again_only_when_it_may_pass() {
    let mut transport = MockTransport::new();
    transport.expect_exchange().times(1).returning(|_| {
        Ok(HttpResponse {
            status: 400,
            retry_after: None,
            body: Vec::new(),
        })
    });
    let cancel = Cancel::new();
    let budget = QUICK.begin(&cancel);
    let refused = budget.run(&transport, request(b"", &cancel), |response| {
        let (url, code, message) = (String::new(), None, String::new());
        let status = response.status;
        Err(TransportError::Answer {
            url,
            status,
            code,
            message,
            retry_after: None,
        })
    });
    assert!(matches!(
        refused,
        Err(TransportError::Answer { status: 400, .. })
    ));
}

#[test]
fn a_wait_that_would_outlast_the_time_is_not_begun() {
    let start = Instant::now();
    let (result, sent) = run(QUICK, vec![busy(Some(Duration::from_secs(3600)))]);
    assert!(result.is_err());
    assert_eq!(sent.len(), 1);
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn the_services_wish_to_wait_is_kept() {
    let start = Instant::now();
    let wish = Duration::from_millis(40);
    let (result, sent) = run(QUICK, vec![busy(Some(wish))]);
    assert_eq!((result.is_ok(), sent.len()), (true, 2));
    assert!(start.elapsed() >= wish);
}

#[test]
fn one_attempt_is_always_made() {
    let (result, sent) = run(
        RetryPolicy {
            attempts: 0,
            ..QUICK
        },
        vec![cut()],
    );
    assert_eq!((result.unwrap_err(), sent.len()), (cut(), 1));
}

#[test]
fn pauses_are_spread_but_never_longer_than_said() {
    let pause = Duration::from_millis(100);
    let pauses: Vec<Duration> = (0..64).map(|_| shortened(pause)).collect();
    assert!(pauses.iter().all(|p| (pause / 2..=pause).contains(p)));
    assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn an_attempt_that_stalls_leaves_time_for_the_others() {
    let (_, sent) = run(QUICK, vec![cut(), cut()]);
    // A third, then half, then all of what is left; the first two took next to nothing.
    let shares = [QUICK.deadline / 3, QUICK.deadline / 2, QUICK.deadline];
    for ((_, timeout), share) in sent.iter().zip(shares) {
        assert!(
            *timeout <= share && *timeout > share * 9 / 10,
            "{timeout:?} of {share:?}"
        );
    }
}

/// However many exchanges a call of the client takes, it ends when its time is over.
#[test]
fn all_exchanges_of_one_call_share_its_time() {
    let (transport, sent) = failing(vec![]);
    let policy = RetryPolicy {
        deadline: Duration::from_millis(300),
        ..QUICK
    };
    let cancel = Cancel::new();
    let budget = policy.begin(&cancel);
    let exchange = || {
        budget.run(&transport, request(b"", &cancel), |response| {
            Ok(response.body)
        })
    };
    exchange().unwrap();
    thread::sleep(Duration::from_millis(120));
    exchange().unwrap();
    let timeouts: Vec<Duration> = sent.lock().unwrap().iter().map(|(_, time)| *time).collect();
    assert!(timeouts[0] <= Duration::from_millis(100), "a third of all");
    assert!(
        timeouts[1] <= Duration::from_millis(60),
        "a third of the rest"
    );
    thread::sleep(Duration::from_millis(180));
    let over = exchange().unwrap_err();
    assert!(matches!(over, TransportError::Timeout { .. }), "{over:?}");
    assert_eq!(sent.lock().unwrap().len(), 2, "nothing was sent any more");
}

#[test]
fn the_trigger_ends_a_pause_between_attempts() {
    let (transport, sent) = failing(vec![cut(), cut()]);
    let policy = RetryPolicy {
        attempts: 3,
        first_pause: Duration::from_secs(50),
        deadline: Duration::from_secs(100),
    };
    let cancel = Cancel::new();
    let start = Instant::now();
    let ended = thread::scope(|scope| {
        let running = scope.spawn(|| {
            let sealed = request(b"sealed", &cancel);
            policy
                .begin(&cancel)
                .run(&transport, sealed, |_| Err(cut()))
        });
        while sent.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        cancel.cancel();
        running.join().unwrap().unwrap_err()
    });
    assert!(
        matches!(ended, TransportError::Cancelled { .. }),
        "{ended:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(10));
    // Nor is anything begun after it.
    let sealed = request(b"sealed", &cancel);
    let again = policy
        .begin(&cancel)
        .run(&transport, sealed, |_| Err(cut()));
    assert!(matches!(again, Err(TransportError::Cancelled { .. })));
    assert_eq!(sent.lock().unwrap().len(), 1);
}
