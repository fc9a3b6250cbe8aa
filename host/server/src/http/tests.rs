#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where by panicking"
)]

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use axum::http::StatusCode;
use keybearer_crypto::Digest;
use keybearer_license::{LicenseError, ServiceId, UnixTime};
use serde::Serialize;

use super::{App, json};
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::KeyDirectory;
use crate::metrics::{Endpoint, Rejection};
use crate::registry::Condition;
use crate::service::{Fault, Service};
use crate::store::Store;
use crate::usage::{Definitions, RuleBook};

const DAY: u64 = 24 * 60 * 60;

thread_local! {
    /// The time of the one test that moves it, on the thread that it runs on.
    static CLOCK: Cell<u64> = const { Cell::new(1_800_000_000) };
}

struct ThreadClock;

impl Clock for ThreadClock {
    fn now(&self) -> UnixTime {
        UnixTime(CLOCK.with(Cell::get))
    }
}

/// The shared part of a server that works on one message at a time.
fn app() -> (tempfile::TempDir, Arc<App>) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    KeyDirectory::create(&keys, &ServiceId::new("test").unwrap(), &ThreadClock).unwrap();
    let keys = KeyDirectory::open(&keys, &ThreadClock).unwrap();
    let store = folder.path().join("store.redb");
    let mut config = Config::new(folder.path(), &store);
    config.limits.concurrent_requests = 1;
    config.limits.request_seconds = 1;
    let store = Store::open(&store, 1024 * 1024).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ThreadClock);
    let book = RuleBook::new(Definitions::default()).unwrap();
    let service = Service::new(keys, store, clock, config, book, "http://test".into()).unwrap();
    (
        folder,
        Arc::new(App::new(Arc::new(service), Digest([0; 32]))),
    )
}

async fn rejection(
    app: &App,
    work: impl FnOnce(&Service) -> Result<(), Fault> + Send + 'static,
) -> Option<Rejection> {
    let problem = app.work(Endpoint::Time, work).await.err();
    problem.and_then(|problem| problem.rejection())
}

#[tokio::test]
async fn a_message_too_many_is_told_to_come_back() {
    let (_folder, app) = app();
    let place = Arc::clone(&app.permits).try_acquire_owned().unwrap();
    assert_eq!(
        rejection(&app, |_| Ok(())).await,
        Some(Rejection::Overloaded)
    );
    drop(place);
    assert_eq!(rejection(&app, |_| Ok(())).await, None);
}

#[tokio::test]
async fn work_that_takes_too_long_keeps_its_place_until_it_is_done() {
    let (_folder, app) = app();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let slow = rejection(&app, move |_| {
        let _ = released.recv();
        Ok(())
    });
    assert_eq!(
        slow.await,
        Some(Rejection::Overloaded),
        "nobody waits longer than a second"
    );
    assert_eq!(
        rejection(&app, |_| Ok(())).await,
        Some(Rejection::Overloaded),
        "still busy"
    );
    release.send(()).unwrap();
    while app.permits.available_permits() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(rejection(&app, |_| Ok(())).await, None);
}

#[tokio::test]
async fn what_fails_inside_is_internal_and_says_no_more() {
    let (_folder, app) = app();
    let failed = rejection(&app, |_| Err(LicenseError::Key.into()));
    assert_eq!(failed.await, Some(Rejection::Internal));
    let panicked = rejection(&app, |_| panic!("a defect, provoked by this test"));
    assert_eq!(panicked.await, Some(Rejection::Internal));
    assert_eq!(
        rejection(&app, |_| Ok(())).await,
        None,
        "the place was given back"
    );
}

/// Something that notes which thread puts it into JSON.
struct Noted(Arc<Mutex<Vec<ThreadId>>>);

impl Serialize for Noted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.lock().unwrap().push(std::thread::current().id());
        serializer.serialize_unit()
    }
}

#[tokio::test]
async fn answers_are_put_into_json_apart_from_where_requests_are_read() {
    let (_folder, app) = app();
    let threads = Arc::new(Mutex::new(Vec::new()));
    let noted = || Noted(Arc::clone(&threads));
    let (one, other) = (noted(), noted());
    let answer = json::told(&app, StatusCode::OK, move |_| Ok(one)).await;
    assert!(answer.is_ok());
    let any = Condition::default();
    let answer = json::shown(&app, any, move |_| json::whole(other)).await;
    assert!(answer.is_ok());
    // Of this runtime there is one thread for everything that is not handed on: the test's own.
    let threads = threads.lock().unwrap();
    assert_eq!(threads.len(), 3, "one of them also for its revision");
    assert!(!threads.contains(&std::thread::current().id()));
}

#[test]
fn every_fault_of_a_message_has_its_rejection() {
    use LicenseError as E;
    for (error, expected) in [
        (E::Sealed, Rejection::NotSealedHere),
        (E::WrongAudience, Rejection::WrongService),
        (E::Signature, Rejection::NotTrusted),
        (E::WrongAnchor, Rejection::NotTrusted),
        (E::Expired, Rejection::NotTrusted),
        (E::Size, Rejection::Malformed),
        (E::Version, Rejection::Malformed),
        (E::MessageType, Rejection::Malformed),
        (E::Invalid, Rejection::Malformed),
        (E::Random, Rejection::Internal),
        (E::Memory, Rejection::Internal),
    ] {
        assert_eq!(Fault::from(error).rejection(), expected, "{error}");
    }
}

#[test]
fn the_certificate_and_what_it_signed_are_renewed_while_the_server_runs() {
    let (_folder, app) = app();
    let state = || {
        let certificate = app.service.keys().service().verified.digest;
        (certificate, app.service.revocation_list().unwrap().1)
    };
    let first = state();
    app.service.tend();
    assert_eq!(state(), first, "nothing is due yet");
    CLOCK.with(|clock| clock.set(clock.get() + 2 * DAY));
    app.service.tend();
    let second = state();
    assert_eq!(second.0, first.0, "the certificate has weeks left");
    assert_ne!(second.1, first.1, "the list was a day old");
    CLOCK.with(|clock| clock.set(clock.get() + 14 * DAY));
    app.service.tend();
    let third = state();
    assert_ne!(third.0, second.0);
    assert_ne!(third.1, second.1, "signed under the new certificate");
}
