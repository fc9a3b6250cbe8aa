#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::thread;
use std::time::Instant;

use keybearer_wire::body::KeyStatus::{Expired, StatusPending, Usable};
use keybearer_wire::{Command, Status};

use super::*;
use crate::fake::{FakeTee, license};

/// Longer than any wait here may last.
const LONG: Duration = Duration::from_secs(60);

fn session(tee: &FakeTee, client: &Cancel) -> Session {
    let anchor = AnchorDigest([1; 32]);
    let link = Device::connect(tee).unwrap().open_link(&anchor, b"info");
    Session::with_tick(
        link.unwrap(),
        anchor,
        client.clone(),
        Duration::from_millis(2),
    )
}

fn opened() -> (FakeTee, Session) {
    let tee = FakeTee::default();
    let session = session(&tee, &Cancel::new());
    (tee, session)
}

/// Has another thread wait for key 7, runs `then` and says how the wait ended. The session stays open
/// until then if it is given back.
fn waiting(
    session: Session,
    cancel: &Cancel,
    then: impl FnOnce(Session) -> Option<Session>,
) -> ClientError {
    let watch = session.watch();
    let start = Instant::now();
    let error = thread::scope(|scope| {
        let waiting = scope.spawn(|| watch.wait_usable(&[[7; 16]], Some(LONG), cancel));
        while !watch.changes().is_observed() {
            thread::yield_now();
        }
        let _kept = then(session);
        waiting.join().unwrap().unwrap_err()
    });
    assert!(start.elapsed() < LONG / 10);
    error
}

fn why(error: &ClientError) -> Option<Ended> {
    match error {
        ClientError::Cancelled { why, .. } => Some(*why),
        _ => None,
    }
}

#[test]
fn a_wait_ends_when_the_key_becomes_usable() {
    let (tee, session) = opened();
    tee.hold(vec![license(1, 7, StatusPending)]);
    thread::scope(|scope| {
        let wait = || session.wait_usable(&[[7; 16], [8; 16]], Some(LONG), &Cancel::new());
        let waiting = scope.spawn(wait);
        tee.hold(vec![license(1, 7, Usable)]);
        thread::sleep(Duration::from_millis(10));
        assert!(!waiting.is_finished(), "one of the two is missing");
        tee.hold(vec![license(1, 7, Usable), license(2, 8, Usable)]);
        waiting.join().unwrap().unwrap();
    });
    // At once when they are.
    session
        .wait_usable(&[[7; 16]], Some(Duration::ZERO), &Cancel::new())
        .unwrap();
    session
        .wait_usable(&[], Some(Duration::ZERO), &Cancel::new())
        .unwrap();
}

#[test]
fn a_licence_that_another_thread_loads_ends_the_wait_without_a_tick() {
    let tee = FakeTee::default();
    let anchor = AnchorDigest([1; 32]);
    let link = Device::connect(&tee).unwrap().open_link(&anchor, b"info");
    let session = Session::with_tick(link.unwrap(), anchor, Cancel::new(), LONG);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| session.wait_usable(&[[7; 16]], None, &Cancel::new()));
        while !session.watch().changes().is_observed() {
            thread::yield_now();
        }
        tee.state().grants = vec![license(1, 7, Usable)];
        session.load_license(b"answer").unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_wait_that_is_over_says_what_is_missing() {
    let (tee, session) = opened();
    let wait = || session.wait_usable(&[[7; 16]], Some(Duration::from_millis(5)), &Cancel::new());
    let missing = wait().unwrap_err();
    assert!(
        matches!(&missing, ClientError::KeysNotInTime { key_ids } if *key_ids == [[7; 16]]),
        "{missing}"
    );
    assert!(missing.to_string().contains("0707"), "{missing}");
    tee.hold(vec![license(1, 7, Expired)]);
    let expired = wait().unwrap_err();
    assert!(
        matches!(&expired, ClientError::KeyNotUsable { status: Expired, reasons, .. } if reasons.len() == 1),
        "{expired}"
    );
}

#[test]
fn the_trigger_ends_a_wait_at_once() {
    let (tee, session) = opened();
    let cancel = Cancel::new();
    let error = waiting(session, &cancel, |session| {
        cancel.cancel();
        // It has lost nothing by it.
        session.statuses().unwrap();
        let again = session
            .wait_usable(&[[7; 16]], Some(LONG), &cancel)
            .unwrap_err();
        assert_eq!(why(&again), Some(Ended::Caller));
        Some(session)
    });
    assert_eq!(why(&error), Some(Ended::Caller));
    assert_eq!(error.to_string(), "waiting for a key: cancelled");
    assert_eq!(tee.state().dropped, 1);
}

/// The session goes while somebody waits for one of its keys: its connection is closed by then, and
/// nobody waits on.
#[test]
fn a_session_that_is_dropped_ends_the_waits_for_its_keys() {
    let (tee, session) = opened();
    let error = waiting(session, &Cancel::new(), |session| {
        let start = Instant::now();
        drop(session);
        assert!(start.elapsed() < Duration::from_secs(1));
        None
    });
    assert_eq!(why(&error), Some(Ended::Session));
    assert_eq!(tee.state().dropped, 1);
}

#[test]
fn a_session_that_is_closed_ends_the_waits_for_its_keys() {
    let (tee, session) = opened();
    let error = waiting(session, &Cancel::new(), |session| {
        let mut device = session.close().unwrap();
        device.describe().unwrap();
        None
    });
    assert_eq!(why(&error), Some(Ended::Session));
    assert_eq!(tee.count(Command::CloseSession), 1);
}

#[test]
fn a_client_that_goes_ends_the_waits_of_its_sessions() {
    let (tee, client) = (FakeTee::default(), Cancel::new());
    let session = session(&tee, &client);
    let error = waiting(session, &Cancel::new(), |session| {
        client.cancel();
        session.statuses().unwrap();
        Some(session)
    });
    assert_eq!(why(&error), Some(Ended::Client));
}

#[test]
fn a_watch_outlives_its_session_and_says_so() {
    let (_tee, session) = opened();
    let watch = session.watch();
    drop(session);
    let cancel = Cancel::new();
    assert_eq!(why(&watch.subscribe().unwrap_err()), Some(Ended::Session));
    let error = watch.wait_usable(&[[7; 16]], None, &cancel).unwrap_err();
    assert_eq!(why(&error), Some(Ended::Session));
}

#[test]
fn a_refused_request_keeps_the_challenge_for_the_next() {
    let (tee, session) = opened();
    session.renew_challenge(b"newer".to_vec());
    tee.state().refuse = Some((Command::BuildTimeRequest, Status::Platform));
    session.time_request().unwrap_err();
    assert!(
        session
            .shared
            .link()
            .as_ref()
            .unwrap()
            .service_info
            .is_some()
    );
    session.time_request().unwrap();
    assert!(
        session
            .shared
            .link()
            .as_ref()
            .unwrap()
            .service_info
            .is_none()
    );
}

/// A thread that panics in a call must not take the session from the others.
#[test]
fn a_panic_elsewhere_leaves_the_session_usable() {
    let (_tee, session) = opened();
    thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            let _held = session.shared.link();
            panic!("in the middle of a call");
        });
        panicking.join().unwrap_err();
    });
    session.statuses().unwrap();
}
