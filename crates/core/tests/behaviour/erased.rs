//! What a session remembers of licences that it no longer holds.

use keybearer_license::{RequestKind, UnixTime};
use keybearer_wire::Status;
use keybearer_wire::body::KeyStatus;
use keybearer_wire::limits::{MAX_ERASED_PER_SESSION, MAX_KEYS_PER_SESSION};

use super::scenes::{limited, ready, renewal, timeless, use_key};
use crate::support::{Device, NOW, Service, cenc_use, key, license, seconds};

/// A licence of 100 s of playback, to be renewed with a report of its use.
fn rented(id: u8, sequence: u64) -> keybearer_license::License {
    let mut made = limited(id, |t| t.playback_seconds = seconds(100));
    made.renewal = Some(renewal());
    made.sequence = sequence;
    made
}

/// A renewal request with a challenge of its own.
fn renew(device: &mut Device, service: &mut Service, session: u64) -> Vec<u8> {
    let info = service.info();
    device.renewal_fresh(session, [1; 16], &info).unwrap()
}

#[test]
fn a_renewal_of_a_removed_licence_does_not_restart_the_playback_clock() {
    let (mut device, mut service, session) = ready(1);
    device.acquire(session, &mut service, rented(1, 1)).unwrap();
    use_key(&mut device, session).unwrap();
    let request = renew(&mut device, &mut service, session);
    let answer = service.license(&request, rented(1, 2));
    device.remove(session, [1; 16]).unwrap();
    let loaded = device.load(session, &answer).unwrap().license();
    assert_eq!(loaded.ends, Some(NOW + 100));
    device.advance(110_000);
    assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
}

#[test]
fn a_superseded_instance_is_not_revived_by_removing_its_successor() {
    let (mut device, mut service, session) = ready(1);
    device.acquire(session, &mut service, rented(1, 1)).unwrap();
    let requests = [2, 3].map(|sequence| (renew(&mut device, &mut service, session), sequence));
    let [second, third] =
        requests.map(|(request, sequence)| service.license(&request, rented(1, sequence)));
    device.load(session, &third).unwrap();
    device.remove(session, [1; 16]).unwrap();
    assert_eq!(device.load(session, &second), Err(Status::StaleSequence));
    assert_eq!(device.statuses(session).unwrap().licenses, []);
}

/// An answer to a new request may name a licence that was held before.
#[test]
fn an_acquired_licence_goes_on_where_its_erased_instance_stood() {
    let (mut device, mut service, session) = ready(1);
    device.acquire(session, &mut service, rented(1, 5)).unwrap();
    use_key(&mut device, session).unwrap();
    device.remove(session, [1; 16]).unwrap();
    for sequence in [4, 5] {
        let info = service.info();
        let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
        let answer = service.license(&request, rented(1, sequence));
        assert_eq!(device.load(session, &answer), Err(Status::StaleSequence));
    }
    device.advance(50_000);
    service.now += 50;
    let info = service.info();
    let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
    let answer = service.license(&request, rented(1, 6));
    let loaded = device.load(session, &answer).unwrap().license();
    assert_eq!(loaded.ends, Some(NOW + 100));
    // Another session never held it.
    let other = device.open(&mut service).unwrap();
    let loaded = device.acquire(other, &mut service, rented(1, 1)).unwrap();
    assert_eq!(loaded.license().ends, None);
}

#[test]
fn a_licence_that_made_room_is_remembered_too() {
    let (mut device, mut service, session) = ready(1);
    let mut short = license(1, vec![key(1, cenc_use())]);
    short.timing.license_seconds = seconds(10);
    short.sequence = 3;
    device.acquire(session, &mut service, short).unwrap();
    for id in 2..=8 {
        let made = license(id, vec![key(id, cenc_use())]);
        device.acquire(session, &mut service, made).unwrap();
    }
    device.advance(10_000);
    service.now += 10;
    let made = license(9, vec![key(9, cenc_use())]);
    device.acquire(session, &mut service, made).unwrap();
    device.remove(session, [9; 16]).unwrap();
    let again = license(1, vec![key(1, cenc_use())]);
    assert_eq!(
        device.acquire(session, &mut service, again),
        Err(Status::StaleSequence)
    );
}

#[test]
fn licences_that_are_over_give_way_to_keys_where_there_is_no_other_room() {
    let (mut device, mut service, session) = ready(1);
    let all = u8::try_from(MAX_KEYS_PER_SESSION).unwrap();
    let with = |id: u8, keys: std::ops::Range<u8>| {
        license(id, keys.map(|id| key(id, cenc_use())).collect())
    };
    let mut short = with(1, 0..4);
    short.timing.license_seconds = seconds(10);
    device.acquire(session, &mut service, short).unwrap();
    device.advance(10_000);
    service.now += 10;
    for (made, held) in [
        (with(2, 4..8), vec![1, 2]),
        (with(3, 8..all), vec![1, 2, 3]),
        (with(4, 100..101), vec![2, 3, 4]),
    ] {
        device.acquire(session, &mut service, made).unwrap();
        let licenses = device.statuses(session).unwrap().licenses;
        let ids: Vec<_> = licenses.iter().map(|license| license.id[0]).collect();
        assert_eq!(ids, held);
    }
}

/// What a session remembers is bounded; what is forgotten takes along the requests whose answers
/// could have brought it back.
#[test]
fn what_is_forgotten_cannot_be_brought_back_by_an_older_request() {
    let (mut device, mut service, session) = ready(1);
    device.acquire(session, &mut service, rented(1, 1)).unwrap();
    use_key(&mut device, session).unwrap();
    let request = renew(&mut device, &mut service, session);
    let answer = service.license(&request, rented(1, 2));
    device.remove(session, [1; 16]).unwrap();
    let first = 2_u8;
    let last = first + u8::try_from(MAX_ERASED_PER_SESSION).unwrap();
    for id in first..last {
        let made = license(id, vec![key(id, cenc_use())]);
        let info = service.info();
        let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
        let made = service.license(&request, made);
        device.load(session, &made).unwrap();
        device.remove(session, [id; 16]).unwrap();
    }
    assert_eq!(
        device.load(session, &answer),
        Err(Status::NotForThisRequest)
    );
}

#[test]
fn what_is_forgotten_takes_along_every_older_request_and_no_newer_one() {
    let (mut device, mut service, session) = ready(1);
    device.acquire(session, &mut service, rented(1, 1)).unwrap();
    let older = [2, 3].map(|sequence| {
        let request = renew(&mut device, &mut service, session);
        service.license(&request, rented(1, sequence))
    });
    device.remove(session, [1; 16]).unwrap();
    let mut ask = |device: &mut Device, id: u8| {
        let info = service.info();
        let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
        service.license(&request, license(id, vec![key(id, cenc_use())]))
    };
    let newer = ask(&mut device, 100);
    for id in 2..=u8::try_from(MAX_ERASED_PER_SESSION).unwrap() + 1 {
        let made = ask(&mut device, id);
        device.load(session, &made).unwrap();
        device.remove(session, [id; 16]).unwrap();
    }
    for answer in older {
        let refused = device.load(session, &answer);
        assert_eq!(refused, Err(Status::NotForThisRequest));
    }
    device.load(session, &newer).unwrap();
}

/// A use that no clock could date is a use.
#[test]
fn a_renewal_reports_a_use_without_trusted_time() {
    let (mut device, mut service, _) = timeless();
    let session = device.open(&mut service).unwrap();
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.renewal = Some(renewal());
    device.acquire(session, &mut service, made).unwrap();
    let plays = |device: &mut Device, service: &mut Service| {
        let request = renew(device, service, session);
        let RequestKind::Renew(reference) = service.read(&request).request.kind else {
            panic!("a renewal")
        };
        let [record] = &reference.usage[..] else {
            panic!("one record")
        };
        (record.plays, record.first_use)
    };
    assert_eq!(plays(&mut device, &mut service), (0, None));
    use_key(&mut device, session).unwrap();
    assert_eq!(plays(&mut device, &mut service), (1, None));
}

#[test]
fn playback_ends_when_no_renewal_came_in_its_recovery_time() {
    let (mut device, mut service, session) = ready(1);
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.renewal = Some(keybearer_license::Renewal {
        recovery_seconds: seconds(30),
        ..renewal()
    });
    let loaded = device
        .acquire(session, &mut service, made)
        .unwrap()
        .license();
    assert_eq!(
        (loaded.renew_at, loaded.ends),
        (Some(NOW + 60), Some(NOW + 90))
    );
    device.advance(89_999);
    use_key(&mut device, session).unwrap();
    let request = renew(&mut device, &mut service, session);
    device.advance(1);
    assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
    let ended = super::scenes::status(&mut device, session);
    let recovery = keybearer_wire::body::ReasonField::Recovery;
    assert_eq!(ended, (KeyStatus::Expired, Some(recovery)));
    // The renewal brings it back, with limits reckoned from its own issue.
    service.now += 90;
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.sequence = 2;
    let answer = service.license(&request, made);
    device.load(session, &answer).unwrap();
    use_key(&mut device, session).unwrap();
}

/// A renewal that is due at the first use is late only after it.
#[test]
fn recovery_counts_from_the_first_use_where_the_renewal_does() {
    let (mut device, mut service, session) = ready(1);
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.renewal = Some(keybearer_license::Renewal {
        recovery_seconds: seconds(30),
        on_first_use: true,
        ..renewal()
    });
    let loaded = device
        .acquire(session, &mut service, made)
        .unwrap()
        .license();
    assert_eq!(loaded.ends, None);
    device.advance(500_000);
    use_key(&mut device, session).unwrap();
    let ends = device.statuses(session).unwrap().licenses[0].ends;
    assert_eq!(ends, Some(UnixTime(NOW + 530).0));
}
