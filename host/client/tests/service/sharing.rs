//! One client, many threads and sessions.

use std::thread;
use std::time::{Duration, Instant};

use keybearer_client::{
    Cancel, ClientError, Ended, KeyId, KeyStatus, LicenseWanted, Session, Status, StatusEvents,
};
use keybearer_crypto::Secret;
use keybearer_license::{Scheme, TrackType};
use keybearer_server::{ContentSpec, KeySpec};

use crate::world::World;

/// Longer than any wait here may last.
const LONG: Duration = Duration::from_secs(60);
/// Threads of one session; as many requests as it may have unanswered.
const THREADS: u8 = 4;
/// Licences of each thread; together as many as a session may hold.
const EACH: u8 = 2;

/// The key that a thread brings as its `turn`th.
fn kid(thread: u8, turn: u8) -> KeyId {
    [thread * EACH + turn + 1; 16]
}

/// Contents of one key each, so that each key has a licence of its own.
fn contents(world: &World) {
    for number in 1..=THREADS * EACH {
        let id = keybearer_license::KeyId([number; 16]);
        let secret = Secret::copied_from(&[number; 16]);
        let key = KeySpec::new(id, secret, TrackType::Sd, Scheme::Cenc);
        world.put(ContentSpec::open(&format!("content-{number}"), vec![key]));
    }
}

fn wanted(id: KeyId) -> LicenseWanted {
    LicenseWanted {
        key_ids: vec![id],
        ..LicenseWanted::default()
    }
}

/// All that a subscriber has heard.
fn heard(events: &StatusEvents) -> Vec<(KeyId, Option<KeyStatus>, Option<KeyStatus>)> {
    let next = || events.next(Some(Duration::ZERO), &Cancel::new()).unwrap();
    let changes = std::iter::from_fn(next);
    changes
        .map(|change| (change.key_id, change.old, change.new))
        .collect()
}

/// Every thread brings its keys into the session of its group and waits for those of its neighbour.
#[test]
fn threads_bring_keys_into_one_session_and_sessions_stay_apart() {
    const SESSIONS: u8 = 3;
    let world = World::new();
    contents(&world);
    let client = world.device("device");
    let sessions: Vec<Session> = (0..SESSIONS)
        .map(|_| client.open_session().unwrap())
        .collect();
    let events: Vec<StatusEvents> = sessions.iter().map(|it| it.subscribe().unwrap()).collect();
    thread::scope(|scope| {
        // The last session brings nothing and must not get anything.
        for session in &sessions[..2] {
            for number in 0..THREADS {
                let client = &client;
                scope.spawn(move || {
                    for turn in 0..EACH {
                        client.acquire(session, &wanted(kid(number, turn))).unwrap();
                        let others = [kid((number + 1) % THREADS, turn)];
                        session
                            .wait_usable(&others, Some(LONG), &Cancel::new())
                            .unwrap();
                    }
                });
            }
        }
    });
    for (session, events) in sessions[..2].iter().zip(&events) {
        assert_eq!(
            session.statuses().unwrap().licenses.len(),
            usize::from(THREADS * EACH)
        );
        let mut changes = heard(events);
        changes.sort_unstable_by_key(|(id, ..)| *id);
        let once = |number: u8| ([number; 16], None, Some(KeyStatus::Usable));
        assert_eq!(changes, (1..=THREADS * EACH).map(once).collect::<Vec<_>>());
    }
    assert!(sessions[2].statuses().unwrap().licenses.is_empty());
    assert_eq!(heard(&events[2]), []);
    let totals = world.server.registry().totals().unwrap();
    assert_eq!(totals.licenses, u64::from(2 * THREADS * EACH));
}

/// More often than there is room for sessions: each that goes while somebody waits for its key is really
/// gone, and its key with it.
#[test]
fn a_session_destroyed_while_somebody_waits_for_its_key_leaves_nothing_behind() {
    let world = World::new();
    contents(&world);
    let client = world.device("device");
    let start = Instant::now();
    for round in 0..40 {
        let session = client.open_session().unwrap();
        client.acquire(&session, &wanted(kid(0, 0))).unwrap();
        let (watch, cancel) = (session.watch(), Cancel::new());
        thread::scope(|scope| {
            let waits = [(); 2]
                .map(|()| scope.spawn(|| watch.wait_usable(&[kid(0, 0), [99; 16]], None, &cancel)));
            if round % 2 == 0 {
                thread::sleep(Duration::from_millis(5));
            }
            drop(session);
            for wait in waits {
                let ended = wait.join().unwrap().unwrap_err();
                assert!(
                    matches!(
                        ended,
                        ClientError::Cancelled {
                            why: Ended::Session,
                            ..
                        }
                    ),
                    "{ended}"
                );
            }
        });
    }
    assert!(start.elapsed() < LONG / 4);
}

#[test]
fn a_client_shut_down_ends_what_its_threads_wait_for() {
    let world = World::new();
    contents(&world);
    let client = world.device("device");
    let session = client.open_session().unwrap();
    thread::scope(|scope| {
        let wait = scope.spawn(|| session.wait_usable(&[[99; 16]], None, &Cancel::new()));
        let other = client.clone();
        thread::sleep(Duration::from_millis(5));
        other.shut_down();
        let ended = wait.join().unwrap().unwrap_err();
        assert!(
            matches!(
                ended,
                ClientError::Cancelled {
                    why: Ended::Client,
                    ..
                }
            ),
            "{ended}"
        );
    });
    // The session is the application's until it is dropped.
    assert!(session.statuses().is_ok());
    assert!(
        client
            .acquire(&session, &wanted(kid(0, 0)))
            .unwrap_err()
            .is_cancelled()
    );
}

/// A licence request has used the challenge up: time can be asked for all the same.
#[test]
fn time_is_had_after_a_request_for_a_licence() {
    let world = World::new();
    contents(&world);
    let client = world.device("device");
    let session = client.open_session().unwrap();
    session.license_request(&wanted(kid(0, 0))).unwrap();
    let refused = session.time_request().unwrap_err();
    assert!(
        matches!(
            refused,
            ClientError::Refused {
                status: Status::NoChallenge,
                ..
            }
        ),
        "{refused}"
    );
    // An application with an HTTP stack of its own,
    session.renew_challenge(world.get("/v1/service-info").body);
    let request = session.time_request().unwrap();
    let answer = world.post("/v1/time", &request).body;
    session.load_time_answer(&answer).unwrap();
    // and one without.
    session.license_request(&wanted(kid(0, 0))).unwrap();
    client.sync_time(&session).unwrap();
    assert!(session.statuses().unwrap().time.is_some());
}
