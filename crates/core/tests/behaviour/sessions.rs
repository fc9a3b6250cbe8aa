//! Sessions, their handles and their limits.

use std::collections::BTreeMap;

use keybearer_core::Caller;
use keybearer_wire::Status;
use keybearer_wire::limits::{MAX_CLIENTS, MAX_SESSIONS, MAX_SESSIONS_PER_CLIENT};
use proptest::prelude::*;

use crate::support::{Device, Service, cenc_use, key, license};

#[test]
fn a_session_is_opened_and_closed() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
    let info = service.info();
    device.begin(service.anchor(), &info).unwrap();
    assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    assert_eq!(device.statuses(session).unwrap().licenses, []);
    assert_eq!(device.close(session), Ok(()));
    assert_eq!(device.close(session), Err(Status::UnknownSession));
}

/// Every command that takes a handle, with one that names nothing.
fn refuse_everywhere(device: &mut Device, session: u64) {
    let unknown = Status::UnknownSession;
    assert_eq!(device.close(session), Err(unknown));
    assert_eq!(device.request(session, &[[7; 16]]), Err(unknown));
    assert_eq!(device.load(session, &[0xa0]), Err(unknown));
    assert_eq!(device.statuses(session), Err(unknown));
    assert_eq!(device.remove(session, [9; 16]), Err(unknown));
    assert_eq!(device.time_request(session), Err(unknown));
    assert_eq!(device.load_time(session, &[0xa0]), Err(unknown));
    assert_eq!(device.decrypt(session, [7; 16], &[], &mut []), Err(unknown));
}

#[test]
fn stale_foreign_and_invented_handles_name_nothing() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    for invented in [0, 1, session ^ 1, session + 256, session << 8, u64::MAX] {
        refuse_everywhere(&mut device, invented);
    }
    let owner = device.client;
    device.client = device.core.connect(Caller::Host).unwrap();
    refuse_everywhere(&mut device, session);
    device.client = owner;
    assert!(device.statuses(session).is_ok());
    device.close(session).unwrap();
    refuse_everywhere(&mut device, session);
    // The place is used again, the handle is not.
    let next = device.open(&mut service).unwrap();
    assert_ne!(session, next);
    refuse_everywhere(&mut device, session);
}

#[test]
fn sessions_are_limited_over_all_clients_and_nobody_loses_one() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let info = service.info();
    let anchor = service.anchor();
    let mut open = Vec::new();
    for at in 0..MAX_SESSIONS {
        if at % 2 == 0 {
            device.client = device.core.connect(Caller::Host).unwrap();
        }
        open.push((device.client, device.open_with(anchor, &info).unwrap()));
    }
    device.client = device.core.connect(Caller::Host).unwrap();
    assert_eq!(
        device.open_with(anchor, &info),
        Err(Status::TooManySessions)
    );
    for (client, session) in &open {
        device.client = *client;
        assert!(device.statuses(*session).is_ok());
    }
    // A client that goes takes its two sessions along.
    device.core.disconnect(open[0].0);
    device.client = open[0].0;
    assert_eq!(device.statuses(open[0].1), Err(Status::UnknownSession));
    device.client = device.core.connect(Caller::Host).unwrap();
    assert!(device.open_with(anchor, &info).is_ok());
    assert!(device.open_with(anchor, &info).is_ok());
    assert_eq!(
        device.open_with(anchor, &info),
        Err(Status::TooManySessions)
    );
}

#[test]
fn one_client_cannot_take_all_sessions() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let (info, anchor) = (service.info(), service.anchor());
    let mut first = 0;
    for _ in 0..MAX_SESSIONS_PER_CLIENT {
        first = device.open_with(anchor, &info).unwrap();
    }
    let refused = Err(Status::TooManySessions);
    assert_eq!(device.open_with(anchor, &info), refused);
    let greedy = device.client;
    device.client = device.core.connect(Caller::Host).unwrap();
    assert!(device.open_with(anchor, &info).is_ok());
    // Its own places come back to it.
    device.client = greedy;
    device.close(first).unwrap();
    assert!(device.open_with(anchor, &info).is_ok());
    assert_eq!(device.open_with(anchor, &info), refused);
    const { assert!(2 * MAX_SESSIONS_PER_CLIENT <= MAX_SESSIONS) };
}

#[test]
fn clients_are_limited_and_one_that_goes_makes_room() {
    let mut device = Device::new(1);
    let others: Vec<_> = std::iter::from_fn(|| device.core.connect(Caller::Host)).collect();
    assert_eq!(others.len(), MAX_CLIENTS - 1);
    device.core.disconnect(others[3]);
    device.core.disconnect(others[3]);
    let next = device.core.connect(Caller::Host).unwrap();
    assert!(!others.contains(&next) && next != device.client);
    assert_eq!(device.core.connect(Caller::Host), None);
}

#[test]
fn no_stale_handle_ever_resolves() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let info = service.info();
    let mut stale = std::collections::BTreeSet::new();
    for _ in 0..400 {
        let session = device.open_with(service.anchor(), &info).unwrap();
        assert!(stale.insert(session), "{session} was given out before");
        device.close(session).unwrap();
    }
    for session in stale {
        assert_eq!(device.statuses(session), Err(Status::UnknownSession));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Connect,
    Disconnect(usize),
    Open(usize),
    Close(usize, usize),
    Use(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Connect),
        1 => (0..8_usize).prop_map(Step::Disconnect),
        6 => (0..8_usize).prop_map(Step::Open),
        3 => (0..8_usize, 0..64_usize).prop_map(|(c, s)| Step::Close(c, s)),
        4 => (0..8_usize, 0..64_usize).prop_map(|(c, s)| Step::Use(c, s)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The table of sessions against a map from handle to owner.
    #[test]
    fn handles_behave_like_the_model(steps in prop::collection::vec(step(), 1..80)) {
        let (mut device, mut service) = (Device::new(1), Service::new(1));
        device.provision(&mut service);
        let info = service.info();
        let mut clients = vec![device.client];
        let mut gone = Vec::new();
        let mut handles: Vec<u64> = Vec::new();
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Connect => clients.extend(device.core.connect(Caller::Host)),
                Step::Disconnect(client) => {
                    let client = clients[client % clients.len()];
                    device.core.disconnect(client);
                    model.retain(|_, owner| *owner != client);
                    gone.push(client);
                }
                Step::Open(client) => {
                    device.client = clients[client % clients.len()];
                    let opened = device.open_with(service.anchor(), &info);
                    let own = model.values().filter(|owner| **owner == device.client).count();
                    if model.len() == MAX_SESSIONS || own == MAX_SESSIONS_PER_CLIENT {
                        prop_assert_eq!(opened, Err(Status::TooManySessions));
                    } else {
                        let handle = opened.unwrap();
                        prop_assert!(!handles.contains(&handle));
                        handles.push(handle);
                        model.insert(handle, device.client);
                    }
                }
                Step::Close(client, handle) | Step::Use(client, handle) if !handles.is_empty() => {
                    device.client = clients[client % clients.len()];
                    let handle = handles[handle % handles.len()];
                    let known = model.get(&handle) == Some(&device.client);
                    let expected = if known { Ok(()) } else { Err(Status::UnknownSession) };
                    if matches!(step, Step::Close(..)) {
                        prop_assert_eq!(device.close(handle), expected);
                        if known {
                            model.remove(&handle);
                        }
                    } else {
                        prop_assert_eq!(device.statuses(handle).map(|_| ()), expected);
                    }
                }
                Step::Close(..) | Step::Use(..) => {}
            }
        }
    }
}

#[test]
fn a_closed_session_takes_its_keys_along() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    device
        .acquire(session, &mut service, license(1, vec![key(7, cenc_use())]))
        .unwrap();
    device.close(session).unwrap();
    let next = device.open(&mut service).unwrap();
    let samples = crate::support::samples(&[16]);
    let decrypted = device.decrypt(next, [7; 16], &samples, &mut [0; 16]);
    assert_eq!(decrypted, Err(Status::UnknownKey));
}
