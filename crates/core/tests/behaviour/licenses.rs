//! Answers, and the licences they bring.

use keybearer_license::{
    Capabilities, CounterStrength, DenialReason, KeyId, LicenseId, LicenseKind, RequestKind, Roles,
    TrackType, UnixTime, Validity,
};
use keybearer_rules::Level;
use keybearer_wire::Status;
use keybearer_wire::body::KeyStatus;

use super::scenes::{ready, renewal, unsealed};
use crate::support::{Loaded, NOW, Service, cenc_use, key, license, samples};

#[test]
fn a_licence_is_asked_for_and_loaded() {
    let (mut device, mut service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    let read = service.read(&request).request;
    assert_eq!(read.keys, [KeyId([7; 16])]);
    assert_eq!(read.kind, RequestKind::Acquire);
    assert_eq!(read.wanted, LicenseKind::Session);
    assert_eq!(read.model.as_str(), "Model X");
    assert_eq!(read.token.as_deref(), Some(&b"authorisation"[..]));
    assert_eq!(read.evidence.level, Level::Low);
    assert_eq!(read.evidence.counter, CounterStrength::None);
    assert_eq!(read.capabilities, Capabilities::default());
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.renewal = Some(renewal());
    let answer = service.license(&request, made);
    let loaded = device.load(session, &answer).unwrap().license();
    assert_eq!(
        (loaded.id, loaded.sequence, loaded.ends),
        ([1; 16], 1, None)
    );
    assert_eq!(
        (loaded.renew_at, loaded.renew_retry),
        (Some(NOW + 60), Some(10))
    );
    let [held] = &loaded.keys[..] else {
        panic!("one key")
    };
    assert_eq!((held.key_id, held.status), ([7; 16], KeyStatus::Usable));
    assert_eq!(held.reasons.0, []);
    assert_eq!(
        (held.track_type, held.level, held.scheme),
        (TrackType::Hd.code(), 0, 1)
    );
    assert_eq!(device.statuses(session).unwrap().licenses, [loaded]);
}

#[test]
fn a_denial_is_reported_and_uses_the_request_up() {
    let (mut device, mut service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    let answer = service.deny(&request, DenialReason::LevelTooLow);
    let denied = Loaded::Denied {
        reason: DenialReason::LevelTooLow.code(),
        level_needed: Some(Level::High.code()),
    };
    assert_eq!(device.load(session, &answer), Ok(denied));
    assert_eq!(
        device.load(session, &answer),
        Err(Status::NotForThisRequest)
    );
    let late = service.license(&request, license(1, vec![key(7, cenc_use())]));
    assert_eq!(device.load(session, &late), Err(Status::NotForThisRequest));
    assert_eq!(device.statuses(session).unwrap().licenses, []);
}

#[test]
fn an_answer_is_loaded_once() {
    let (mut device, mut service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    assert_eq!(device.load(session, &[]), Err(Status::BadMessage));
    let answer = service.license(&request, license(1, vec![key(7, cenc_use())]));
    device.load(session, &answer).unwrap();
    assert_eq!(
        device.load(session, &answer),
        Err(Status::NotForThisRequest)
    );
    // A second answer to the same request is a foreign one too.
    let again = service.license(&request, license(2, vec![key(7, cenc_use())]));
    assert_eq!(device.load(session, &again), Err(Status::NotForThisRequest));
}

/// Every cut and every flipped bit of an answer; then the answer itself still loads.
#[test]
fn a_damaged_answer_leaves_the_request_waiting() {
    let (mut device, mut service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    let answer = service.license(&request, license(1, vec![key(7, cenc_use())]));
    for end in 0..answer.len() {
        let refused = device.load(session, &answer[..end]).unwrap_err();
        assert_eq!(refused, Status::BadMessage, "cut at {end}");
    }
    for at in 0..answer.len() {
        let mut damaged = answer.clone();
        damaged[at] ^= 1;
        let refused = device.load(session, &damaged).unwrap_err();
        assert!(
            matches!(
                refused,
                Status::BadMessage
                    | Status::BadSignature
                    | Status::NotForThisRequest
                    | Status::UnsupportedVersion
            ),
            "flip at {at}: {refused:?}"
        );
    }
    assert_eq!(
        device.load(session, &unsealed(&answer)),
        Err(Status::BadSignature)
    );
    assert!(device.load(session, &answer).is_ok());
}

#[test]
fn an_answer_must_come_from_the_service_that_was_asked() {
    let (mut device, mut service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    let made = || license(1, vec![key(7, cenc_use())]);
    let mut sibling = service.sibling(2, "other.example", Roles::LICENSE);
    let answer = service.license_signed_by(&mut sibling, &request, &made());
    assert_eq!(device.load(session, &answer), Err(Status::WrongService));
    let mut unfit = service.sibling(3, "service.example", Roles::TIME);
    let answer = service.license_signed_by(&mut unfit, &request, &made());
    assert_eq!(device.load(session, &answer), Err(Status::RoleMissing));
    let mut foreign = Service::new(9);
    let answer = service.license_signed_by(&mut foreign, &request, &made());
    assert_eq!(device.load(session, &answer), Err(Status::BadChain));
    let mut ended = service.sibling(4, "service.example", Roles::LICENSE);
    ended.recertify(
        Roles::LICENSE,
        Validity {
            not_before: UnixTime(NOW - 100),
            not_after: UnixTime(NOW - 50),
        },
    );
    let answer = service.license_signed_by(&mut ended, &request, &made());
    assert_eq!(device.load(session, &answer), Err(Status::OutsideValidity));
    let list = service.revocation_list(1, &[sibling.serial, service.serial]);
    device.load_list(service.anchor(), &list).unwrap();
    let answer = service.license(&request, made());
    assert_eq!(device.load(session, &answer), Err(Status::Revoked));
    assert_eq!(device.statuses(session).unwrap().licenses, []);
}

#[test]
fn a_renewal_replaces_its_predecessor_at_once() {
    let (mut device, mut service, session) = ready(1);
    let mut first = license(1, vec![key(7, cenc_use()), key(8, cenc_use())]);
    first.renewal = Some(renewal());
    device.acquire(session, &mut service, first).unwrap();
    let before = device.statuses(session).unwrap().sequence;
    let mut data = [0; 16];
    device
        .decrypt(session, [7; 16], &samples(&[16]), &mut data)
        .unwrap();

    device.advance(5_000);
    service.now += 5;
    let request = device.renewal(session, [1; 16]).unwrap();
    let RequestKind::Renew(reference) = service.read(&request).request.kind else {
        panic!("a renewal")
    };
    assert_eq!(
        (reference.license_id, reference.sequence),
        (LicenseId([1; 16]), 1)
    );
    let [record] = &reference.usage[..] else {
        panic!("one record")
    };
    assert_eq!(record.first_use, Some(UnixTime(NOW)));
    assert_eq!(
        (record.plays, record.rollback_possible, record.released),
        (1, true, false)
    );

    let mut stale = license(1, vec![key(7, cenc_use())]);
    stale.sequence = 1;
    let answer = service.license(&request, stale);
    assert_eq!(device.load(session, &answer), Err(Status::StaleSequence));
    let mut second = license(1, vec![key(7, cenc_use())]);
    second.sequence = 2;
    let answer = service.license(&request, second);
    let loaded = device.load(session, &answer).unwrap().license();
    assert_eq!((loaded.sequence, loaded.keys.len()), (2, 1));
    let report = device.statuses(session).unwrap();
    assert_eq!(report.licenses, [loaded]);
    assert!(report.sequence > before);
    assert_eq!(
        device.decrypt(session, [8; 16], &samples(&[16]), &mut data),
        Err(Status::UnknownKey)
    );
}

#[test]
fn the_same_licence_from_two_requests_must_rise() {
    let (mut device, mut service, session) = ready(1);
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.sequence = 5;
    device.acquire(session, &mut service, made).unwrap();
    for (sequence, outcome) in [
        (5, Err(Status::StaleSequence)),
        (4, Err(Status::StaleSequence)),
    ] {
        let mut again = license(1, vec![key(7, cenc_use())]);
        again.sequence = sequence;
        let info = service.info();
        let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
        let answer = service.license(&request, again);
        assert_eq!(device.load(session, &answer).map(|_| ()), outcome);
    }
    let mut newer = license(1, vec![key(7, cenc_use())]);
    newer.sequence = 6;
    let info = service.info();
    let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
    let answer = service.license(&request, newer);
    assert_eq!(device.load(session, &answer).unwrap().license().sequence, 6);
    assert_eq!(device.statuses(session).unwrap().licenses.len(), 1);
}

#[test]
fn a_removed_licence_is_gone() {
    let (mut device, mut service, session) = ready(1);
    device
        .acquire(session, &mut service, license(1, vec![key(7, cenc_use())]))
        .unwrap();
    let before = device.statuses(session).unwrap().sequence;
    assert_eq!(device.remove(session, [2; 16]), Err(Status::UnknownLicense));
    assert_eq!(device.remove(session, [1; 16]), Ok(()));
    assert_eq!(device.remove(session, [1; 16]), Err(Status::UnknownLicense));
    assert!(device.statuses(session).unwrap().sequence > before);
    assert_eq!(
        device.decrypt(session, [7; 16], &samples(&[16]), &mut [0; 16]),
        Err(Status::UnknownKey)
    );
}
