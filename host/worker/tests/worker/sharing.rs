//! Several clients at once, and what they can do to each other.

use keybearer_core::response_limit;
use keybearer_scripted_service::{Service, cenc_use};
use keybearer_tee::{CallError, Media, Tee, TeeError};
use keybearer_wire::body::{CloseSession, Describe, Isolation, KeyStatus};
use keybearer_wire::limits::{ABI_VERSION, MAX_CLIENTS, MAX_REQUEST};
use keybearer_wire::{Status, decode_response};

use crate::support::{
    acquire, clear, connect, decrypt, open, protected, provision, ready, started,
};

#[test]
fn it_says_what_it_is() {
    let (_dir, tee) = started();
    let mut session = connect(&tee);
    let said = session.exchange(&Describe {}).unwrap();
    assert_eq!(said.abi, ABI_VERSION);
    assert_eq!(said.level, 1);
    assert_eq!(said.isolation, Isolation::Worker);
    assert_eq!((said.debug, said.counter, said.clock), (false, None, true));
    assert_eq!(tee.info().name, "worker");
}

/// A licence may demand the worker: here it is one.
#[test]
fn a_licence_that_demands_the_worker_loads_in_it() {
    let (_dir, tee) = started();
    let (mut session, mut service) = (connect(&tee), Service::new(41));
    provision(&mut session, &mut service);
    let licensed = open(&mut session, &mut service);
    let mut usage = cenc_use();
    usage.require_worker = true;
    let status = acquire(&mut session, &mut service, licensed, usage);
    assert_eq!(status.unwrap(), KeyStatus::Usable);
    let mut data = protected(100);
    decrypt(&mut session, licensed, Media::InPlace(&mut data)).unwrap();
    assert_eq!(data, clear(100));
}

/// And the core in the application's own process is none.
#[test]
fn a_licence_that_demands_the_worker_is_refused_in_the_applications_process() {
    use keybearer_tee_soft::{SoftConfig, SoftTee};
    let dir = tempfile::tempdir().unwrap();
    let tee = SoftTee::open(SoftConfig::new(dir.path().join("state"))).unwrap();
    let (mut session, mut service) = (connect(&tee), Service::new(41));
    provision(&mut session, &mut service);
    let licensed = open(&mut session, &mut service);
    let mut usage = cenc_use();
    usage.require_worker = true;
    let refused = acquire(&mut session, &mut service, licensed, usage);
    assert!(
        matches!(refused, Err(CallError::Refused(Status::WorkerRequired))),
        "{refused:?}"
    );
}

#[test]
fn two_clients_at_once_have_their_own_sessions() {
    let (_dir, tee) = started();
    let (mut one, licensed) = ready(&tee, 42);
    let mut other = connect(&tee);
    let mut data = protected(100);
    let refused = decrypt(&mut other, licensed, Media::InPlace(&mut data));
    assert!(
        matches!(refused, Err(CallError::Refused(Status::UnknownSession))),
        "{refused:?}"
    );
    let refused = other.exchange(&CloseSession { session: licensed });
    assert!(refused.is_err());
    decrypt(&mut one, licensed, Media::InPlace(&mut data)).unwrap();
    assert_eq!(data, clear(100));
}

#[test]
fn thirty_two_connections_decrypt_at_once_each_its_own() {
    const CONNECTIONS: usize = 32;
    let (_dir, tee) = started();
    let mut service = Service::new(43);
    provision(&mut connect(&tee), &mut service);
    let sessions: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut session = connect(&tee);
            let licensed = open(&mut session, &mut service);
            acquire(&mut session, &mut service, licensed, cenc_use()).unwrap();
            (session, licensed)
        })
        .collect();
    std::thread::scope(|scope| {
        for (number, (mut session, licensed)) in sessions.into_iter().enumerate() {
            scope.spawn(move || {
                for round in 0..20 {
                    let len = 1 + number * 997 + round * 31;
                    let mut data = protected(len);
                    decrypt(&mut session, licensed, Media::InPlace(&mut data)).unwrap();
                    assert!(data == clear(len), "connection {number}, round {round}");
                }
            });
        }
    });
}

#[test]
fn the_room_of_a_dropped_connection_is_free_at_once() {
    let (_dir, tee) = started();
    let mut all: Vec<_> = (0..MAX_CLIENTS).map(|_| tee.connect().unwrap()).collect();
    for _ in 0..20 {
        let full = tee.connect();
        assert!(matches!(full, Err(TeeError::Unavailable(_))));
        drop(all.pop());
        all.push(tee.connect().unwrap());
    }
    let mut last = connect_raw(all);
    last.exchange(&Describe {}).unwrap();
}

fn connect_raw(mut all: Vec<Box<dyn keybearer_tee::TeeSession>>) -> keybearer_tee::ClearSession {
    keybearer_tee::ClearSession::new(all.pop().unwrap())
}

/// Dropping a connection frees its licence sessions before the next call of anybody.
#[test]
fn the_sessions_of_a_dropped_connection_are_free_at_once() {
    use keybearer_wire::limits::{MAX_SESSIONS, MAX_SESSIONS_PER_CLIENT};
    let (_dir, tee) = started();
    let mut service = Service::new(44);
    let mut watcher = connect(&tee);
    provision(&mut watcher, &mut service);
    for _ in 0..3 {
        let mut holders: Vec<_> = (0..MAX_SESSIONS / MAX_SESSIONS_PER_CLIENT)
            .map(|_| connect(&tee))
            .collect();
        for holder in &mut holders {
            for _ in 0..MAX_SESSIONS_PER_CLIENT {
                open(holder, &mut service);
            }
        }
        let info = service.info();
        let request = keybearer_wire::body::OpenSession {
            anchor: service.anchor().0,
            service_info: keybearer_wire::field::Blob(&info),
            protected: false,
        };
        assert!(watcher.exchange(&request).is_err(), "all are in use");
        drop(holders);
        let opened = watcher.exchange(&request).unwrap().session;
        watcher.exchange(&CloseSession { session: opened }).unwrap();
    }
}

#[test]
fn any_bytes_as_a_request_get_an_answer_within_its_limit() {
    let (_dir, tee) = started();
    let mut raw = tee.connect().unwrap();
    let mut response = vec![0xee; 3];
    for command in [0, 1, 7, 0xdead, u32::MAX] {
        for request in [vec![], vec![0xff; 10], vec![0; MAX_REQUEST]] {
            raw.call(command, &request, &mut response, Media::None)
                .unwrap();
            assert!(response.len() <= response_limit(command));
        }
    }
    let answer = decode_response::<keybearer_wire::body::Empty>(&response).unwrap();
    assert_eq!(answer, Err(Status::UnknownCommand));
    let refused = raw.call(1, &vec![0; MAX_REQUEST + 1], &mut response, Media::None);
    assert!(
        matches!(
            refused,
            Err(TeeError::TooLarge {
                what: "request",
                ..
            })
        ),
        "{refused:?}"
    );
}
