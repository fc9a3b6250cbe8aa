#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::{SoftConfig, SoftTee};
use crate::platform::with_identities;
use keybearer_tee::{CallError, ClearSession, Tee, TeeError};
use keybearer_wire::body::{CloseSession, Describe, DeviceKey, EraseIdentity, Isolation};
use keybearer_wire::{Status, limits::ABI_VERSION};

fn tee() -> (tempfile::TempDir, SoftTee) {
    let dir = tempfile::tempdir().unwrap();
    let tee = SoftTee::open(SoftConfig::new(dir.path().join("state"))).unwrap();
    (dir, tee)
}

fn connect(tee: &SoftTee) -> ClearSession {
    ClearSession::new(tee.connect().unwrap())
}

#[test]
fn it_says_what_it_is_and_claims_no_more() {
    let (_dir, tee) = tee();
    let mut session = connect(&tee);
    let said = session.exchange(&Describe {}).unwrap();
    assert_eq!(said.abi, ABI_VERSION);
    assert_eq!(said.level, keybearer_rules::Level::Low.code());
    assert_eq!(said.isolation, Isolation::InProcess);
    assert_eq!((said.debug, said.counter, said.clock), (false, None, true));
    assert!(said.application_anchors);
    assert_eq!(tee.info().name, "in-process");
}

/// A state directory with identities under these anchors, as provisioning makes them.
fn provisioned(anchors: &[[u8; 32]]) -> (tempfile::TempDir, SoftTee) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    with_identities(&state, anchors);
    let tee = SoftTee::open(SoftConfig::new(state)).unwrap();
    (dir, tee)
}

/// A typing error in an anchor must not fill the room for identities.
#[test]
fn asking_for_a_key_makes_none() {
    let (dir, tee) = tee();
    let refused = connect(&tee).exchange(&DeviceKey { anchor: [5; 32] });
    assert!(
        matches!(refused, Err(CallError::Refused(Status::NotProvisioned))),
        "{refused:?}"
    );
    let vault = std::fs::read(dir.path().join("state/vault")).unwrap();
    assert_eq!(vault.len(), 64, "a header and no record");
}

#[test]
fn an_identity_outlives_the_process_and_ends_when_erased() {
    let anchor = [5; 32];
    let (dir, tee) = provisioned(&[anchor, [6; 32]]);
    let first = connect(&tee).exchange(&DeviceKey { anchor }).unwrap();
    let other = connect(&tee)
        .exchange(&DeviceKey { anchor: [6; 32] })
        .unwrap();
    assert_ne!(
        first.key_digest, other.key_digest,
        "one key for each anchor"
    );
    drop(tee);

    let again = SoftTee::open(SoftConfig::new(dir.path().join("state"))).unwrap();
    let mut session = connect(&again);
    assert_eq!(session.exchange(&DeviceKey { anchor }).unwrap(), first);
    session.exchange(&EraseIdentity { anchor }).unwrap();
    let gone = session.exchange(&DeviceKey { anchor });
    assert!(
        matches!(gone, Err(CallError::Refused(Status::NotProvisioned))),
        "{gone:?}"
    );
}

#[test]
fn clients_of_many_threads_share_one_core_and_one_key() {
    let (_dir, tee) = provisioned(&[[1; 32]]);
    let digests: Vec<[u8; 32]> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    connect(&tee)
                        .exchange(&DeviceKey { anchor: [1; 32] })
                        .unwrap()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap().key_digest)
            .collect()
    });
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn refusals_of_the_core_come_back_as_its_status() {
    let (_dir, tee) = tee();
    let refused = connect(&tee).exchange(&CloseSession { session: 1 });
    assert!(
        matches!(refused, Err(CallError::Refused(Status::UnknownSession))),
        "{refused:?}"
    );

    let mut raw = tee.connect().unwrap();
    let mut response = vec![0xee; 3];
    raw.call(0xdead, &[], &mut response, keybearer_tee::Media::None)
        .unwrap();
    let answer = keybearer_wire::decode_response::<keybearer_wire::body::Empty>(&response).unwrap();
    assert_eq!(answer, Err(Status::UnknownCommand));
}

#[test]
fn a_core_that_panicked_is_dead_to_all_clients() {
    let (_dir, tee) = tee();
    let mut session = connect(&tee);
    let core = std::sync::Arc::clone(&tee.core);
    let died = std::thread::spawn(move || {
        let _guard = core.lock().unwrap();
        panic!("as if inside a call");
    })
    .join();
    assert!(died.is_err());
    let answer = session.exchange(&Describe {});
    assert!(
        matches!(answer, Err(CallError::Transport(TeeError::Dead))),
        "{answer:?}"
    );
    assert!(matches!(tee.connect(), Err(TeeError::Dead)));
}
