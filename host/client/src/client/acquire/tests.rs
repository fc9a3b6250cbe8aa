#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use keybearer_wire::body::KeyStatus::Usable;

use super::*;
use crate::fake::{FakeNetwork, FakeTee, client, key_report, license, license_of};
use crate::{InitData, KeyId};

fn kid(number: usize) -> KeyId {
    (number as u128).to_be_bytes()
}

fn holding(id: u8, keys: std::ops::Range<usize>) -> keybearer_wire::body::LicenseReport<'static> {
    license_of(id, keys.map(|key| key_report(kid(key), Usable)).collect())
}

fn wanted(keys: std::ops::Range<usize>) -> LicenseWanted {
    LicenseWanted {
        key_ids: keys.map(kid).collect(),
        ..LicenseWanted::default()
    }
}

#[test]
fn many_keys_are_asked_for_at_once_and_more_than_fit_in_turn() {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    let client = client(&tee, &network);
    let session = client.open_session().unwrap();
    tee.state().grants = vec![holding(1, 0..MAX_KEY_IDS), holding(2, MAX_KEY_IDS..100)];
    let mut wanted = wanted(0..100);
    // Twice the same is once.
    wanted.key_ids.extend((0..100).map(kid));
    let licenses = client.acquire_keys(&session, &wanted).unwrap();
    assert_eq!(licenses.len(), 2);
    let asked: Vec<usize> = tee.state().asked.iter().map(Vec::len).collect();
    assert_eq!(asked, [MAX_KEY_IDS, 100 - MAX_KEY_IDS]);
}

#[test]
fn more_init_data_than_fits_goes_in_turn() {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    let client = client(&tee, &network);
    let session = client.open_session().unwrap();
    tee.state().grants = vec![holding(1, 0..1), holding(2, 1..2)];
    let item = |number: u8| InitData {
        system_id: [number; 16],
        data: vec![number],
    };
    let mut wanted = wanted(0..1);
    wanted.init_data = (0..=4).map(item).collect();
    let licenses = client.acquire_keys(&session, &wanted).unwrap();
    assert_eq!(licenses.len(), 2);
    // The second request has no keys of its own to ask for.
    assert_eq!(tee.state().asked, [vec![kid(0)], vec![]]);
}

#[test]
fn what_an_answer_leaves_out_is_asked_for_again_and_named_when_nobody_has_it() {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    let client = client(&tee, &network);
    let session = client.open_session().unwrap();
    tee.state().grants = vec![holding(1, 0..2), holding(2, 2..3)];
    let missing = client.acquire_keys(&session, &wanted(0..5)).unwrap_err();
    let ClientError::KeysMissing { key_ids, denial } = missing else {
        panic!("{missing}")
    };
    assert_eq!(key_ids, [kid(3), kid(4)]);
    assert_eq!(denial.unwrap().reason, Some(DenialReason::KeyUnknown));
    let asked: Vec<usize> = tee.state().asked.iter().map(Vec::len).collect();
    assert_eq!(asked, [5, 3, 2]);
    // What came is there.
    assert_eq!(session.statuses().unwrap().licenses.len(), 2);
}

#[test]
fn a_licence_with_other_keys_only_names_those_that_were_wanted() {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    let client = client(&tee, &network);
    let session = client.open_session().unwrap();
    tee.state().grants = vec![license(1, 9, Usable)];
    let missing = client.acquire_keys(&session, &wanted(1..3)).unwrap_err();
    let text = missing.to_string();
    assert!(
        text.contains(&hex::encode(kid(1))) && text.contains(&hex::encode(kid(2))),
        "{text}"
    );
    assert_eq!(
        tee.state().asked.len(),
        1,
        "asking again would bring the same"
    );
}

/// However many licences it takes, the call ends when its time is over.
#[test]
fn all_that_one_call_asks_for_has_one_deadline() {
    let (tee, network) = (FakeTee::default(), FakeNetwork::default());
    let client = client(&tee, &network);
    let session = client.open_session().unwrap();
    let client = client.with_retry(crate::RetryPolicy {
        attempts: 1,
        first_pause: Duration::ZERO,
        deadline: Duration::from_millis(50),
    });
    network.state().delay = Duration::from_millis(20);
    tee.state().grants = (0..60)
        .map(|key| holding(key, key.into()..usize::from(key) + 1))
        .collect();
    let over = client.acquire_keys(&session, &wanted(0..60)).unwrap_err();
    assert!(
        matches!(
            &over,
            ClientError::Http {
                source: TransportError::Timeout { .. },
                ..
            }
        ),
        "{over}"
    );
    assert!((1..=4).contains(&network.count("/v1/license")));
}
