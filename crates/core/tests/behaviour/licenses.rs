//! Requests, answers, and the licences they bring.

use keybearer_core::CounterKind;
use keybearer_license::{
    Capabilities, CounterStrength, DenialReason, KeyId, LicenseId, LicenseKind, Renewal,
    RequestKind, Roles, RootId, RootKey, Secret, TrackType, UnixTime, Validity,
};
use keybearer_rules::{Level, MinSecurity, SecureMediaPath};
use keybearer_wire::Status;
use keybearer_wire::body::{self, KeyStatus, ReasonField};
use keybearer_wire::field::{Blob, List};
use keybearer_wire::limits::{
    MAX_KEYS_PER_SESSION, MAX_LICENSES_PER_SESSION, MAX_PENDING_PER_SESSION,
};

use super::provisioning::{spoiled, unsealed};
use crate::support::{
    Device, FakeCounter, Loaded, NOW, Service, cenc_use, key, license, samples, seconds,
};

/// A provisioned device with an open session.
pub(crate) fn ready(seed: u64) -> (Device, Service, u64) {
    let (mut device, mut service) = (Device::new(seed), Service::new(seed));
    device.provision(&mut service);
    let session = device.open(&mut service).unwrap();
    (device, service, session)
}

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
    assert_eq!(loaded.renew_at, Some(NOW + 60));
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

fn renewal() -> Renewal {
    Renewal {
        url: Some("https://license.example/renew".into()),
        delay_seconds: 60,
        retry_seconds: 10,
        recovery_seconds: None,
        on_first_use: false,
        with_usage: true,
    }
}

#[test]
fn what_the_host_states_is_marked_as_such() {
    let (mut device, service, session) = ready(1);
    let stated = Capabilities {
        digital_output: Some(false),
        ..Capabilities::default()
    };
    let bytes = stated.to_bytes().unwrap();
    let request = device
        .request_with(session, &[], |request| {
            request.capabilities = Blob(&bytes);
            request.init_data = List(vec![body::InitData {
                system_id: [3; 16],
                data: Blob(b"init"),
            }]);
        })
        .unwrap();
    let read = service.read(&request).request;
    assert_eq!(read.host_stated, stated);
    assert_eq!(read.capabilities, Capabilities::default());
    assert_eq!(
        (read.init_data[0].system_id, &read.init_data[0].data[..]),
        ([3; 16], &b"init"[..])
    );
}

#[test]
fn requests_that_ask_for_nonsense_are_refused() {
    let (mut device, _, session) = ready(1);
    let malformed = Err(Status::Malformed);
    assert_eq!(device.request(session, &[]), malformed);
    assert_eq!(device.request(session, &[[7; 16], [7; 16]]), malformed);
    let bad = device.request_with(session, &[[7; 16]], |r| r.capabilities = Blob(&[0x00]));
    assert_eq!(bad, malformed);
    let bad = device.request_with(session, &[[7; 16]], |r| r.license = Some([1; 16]));
    assert_eq!(bad, malformed);
    let bad = device.request_with(session, &[[7; 16]], |r| r.kind = body::RequestKind::Renew);
    assert_eq!(bad, malformed);
    assert_eq!(
        device.renewal(session, [1; 16]),
        Err(Status::UnknownLicense)
    );
    let stored = device.request_with(session, &[[7; 16]], |r| r.stored = true);
    assert_eq!(stored, Err(Status::StoredNotSupported));
    // None of them used the challenge up.
    assert!(device.request(session, &[[7; 16]]).is_ok());
}

#[test]
fn a_challenge_serves_one_request() {
    let (mut device, mut service, session) = ready(1);
    let first = device.request(session, &[[7; 16]]).unwrap();
    assert_eq!(
        device.request(session, &[[7; 16]]),
        Err(Status::NoChallenge)
    );
    assert_eq!(device.time_request(session), Err(Status::NoChallenge));
    // The answer brings the next one, and so does a newer service info.
    let answer = service.deny(&first, DenialReason::NotAuthorised);
    device.load(session, &answer).unwrap();
    let second = device.request(session, &[[7; 16]]).unwrap();
    let info = service.info();
    let third = device.request_fresh(session, &[[7; 16]], &info).unwrap();
    let challenges = [&first, &second, &third].map(|r| service.read(r).request.challenge);
    assert!(challenges[0] != challenges[1] && challenges[1] != challenges[2]);
}

#[test]
fn a_newer_service_info_must_be_the_same_services() {
    let (mut device, mut service, session) = ready(1);
    let mut sibling = service.sibling(2, "other.example", Roles::LICENSE);
    let mut cases = vec![
        (sibling.info(), Status::WrongService),
        (Service::new(9).info(), Status::BadChain),
        (vec![0xa0], Status::BadMessage),
        (spoiled(&service.info()), Status::BadSignature),
    ];
    let validity = Validity {
        not_before: UnixTime(NOW - 10),
        not_after: UnixTime(NOW + 10_000),
    };
    service.recertify(Roles::TIME, validity);
    cases.push((service.info(), Status::RoleMissing));
    for (info, status) in cases {
        let refused = device.request_fresh(session, &[[7; 16]], &info);
        assert_eq!(refused, Err(status));
    }
    // A new certificate of the same service is taken, and the request goes to it.
    service.recertify(Roles::LICENSE, validity);
    let info = service.info();
    let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
    assert_eq!(service.read(&request).request.keys.len(), 1);
}

#[test]
fn a_service_that_ended_or_was_revoked_meanwhile_gets_no_request() {
    let (mut device, mut service, _) = ready(1);
    service.recertify(
        Roles::LICENSE.union(Roles::TIME),
        Validity {
            not_before: UnixTime(NOW - 10),
            not_after: UnixTime(NOW + 10),
        },
    );
    let session = device.open(&mut service).unwrap();
    device.advance(10_000);
    assert_eq!(
        device.request(session, &[[7; 16]]),
        Err(Status::OutsideValidity)
    );
    assert_eq!(device.time_request(session), Err(Status::OutsideValidity));

    let (mut device, mut service, session) = ready(2);
    let list = service.revocation_list(1, &[service.serial]);
    device.load_list(service.anchor(), &list).unwrap();
    assert_eq!(device.request(session, &[[7; 16]]), Err(Status::Revoked));
    assert_eq!(device.time_request(session), Err(Status::Revoked));
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
fn the_oldest_unanswered_request_is_forgotten_first() {
    let (mut device, mut service, session) = ready(1);
    let mut requests = Vec::new();
    for _ in 0..=MAX_PENDING_PER_SESSION {
        let info = service.info();
        requests.push(device.request_fresh(session, &[[7; 16]], &info).unwrap());
    }
    let answers: Vec<_> = (1..)
        .zip(&requests)
        .map(|(id, request)| service.license(request, license(id, vec![key(id, cenc_use())])))
        .collect();
    assert_eq!(
        device.load(session, &answers[0]),
        Err(Status::NotForThisRequest)
    );
    // In any order.
    for answer in answers[1..].iter().rev() {
        assert!(device.load(session, answer).is_ok());
    }
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

/// Loads and reports what came of it.
fn outcome(
    device: &mut Device,
    service: &mut Service,
    made: keybearer_license::License,
) -> Result<Vec<KeyStatus>, Status> {
    let session = device.open(service).unwrap();
    let loaded = device.acquire(session, service, made).map(Loaded::license);
    let statuses = loaded.map(|license| license.keys.iter().map(|key| key.status).collect());
    device.close(session).unwrap();
    statuses
}

#[test]
fn a_key_above_this_level_is_not_kept() {
    let (mut device, mut service, session) = ready(1);
    let mut above = cenc_use();
    above.lowest_level = Level::Medium;
    let only = license(1, vec![key(7, above.clone())]);
    assert_eq!(
        outcome(&mut device, &mut service, only),
        Err(Status::LevelTooLow)
    );
    // Beside a key that may be used it is reported, and stops nothing else.
    let mixed = license(1, vec![key(7, above), key(8, cenc_use())]);
    let loaded = device
        .acquire(session, &mut service, mixed)
        .unwrap()
        .license();
    let [barred, free] = &loaded.keys[..] else {
        panic!("two keys")
    };
    assert_eq!(
        (barred.status, free.status),
        (KeyStatus::OutputRestricted, KeyStatus::Usable)
    );
    let reason = &barred.reasons.0[0];
    assert_eq!(
        (reason.field, reason.wanted, reason.found),
        (ReasonField::Level, Some(2), Some(1))
    );
    let data = &mut [0; 16];
    assert_eq!(
        device.decrypt(session, [7; 16], &samples(&[16]), data),
        Err(Status::KeyNotUsable)
    );
    assert!(
        device
            .decrypt(session, [8; 16], &samples(&[16]), data)
            .is_ok()
    );
}

#[test]
fn every_demand_on_the_level_counts() {
    let (mut device, mut service, _) = ready(1);
    type Edit = fn(&mut keybearer_license::KeyUse);
    let cases: [(Edit, bool); 7] = [
        (|u| u.lowest_level = Level::Low, true),
        (|u| u.lowest_level = Level::High, false),
        (
            |u| u.policy.min_security = MinSecurity::AtLeast(Level::Low),
            true,
        ),
        (
            |u| u.policy.min_security = MinSecurity::AtLeast(Level::Medium),
            false,
        ),
        (|u| u.policy.min_security = MinSecurity::Deny, false),
        (
            |u| u.policy.secure_media_path = SecureMediaPath::Required,
            false,
        ),
        (|u| u.require_worker = true, false),
    ];
    for (at, (edit, fits)) in cases.into_iter().enumerate() {
        let mut usage = cenc_use();
        edit(&mut usage);
        let expected = if fits {
            Ok(vec![KeyStatus::Usable])
        } else {
            Err(Status::LevelTooLow)
        };
        let made = license(1, vec![key(7, usage)]);
        assert_eq!(
            outcome(&mut device, &mut service, made),
            expected,
            "case {at}"
        );
    }
}

#[test]
fn a_worker_and_a_tee_meet_a_demand_for_a_worker() {
    use keybearer_license::Isolation;
    for isolation in [Isolation::Worker, Isolation::Tee] {
        let mut device = Device::with(1, |config, _| config.isolation = isolation);
        let mut service = Service::new(1);
        device.provision(&mut service);
        let mut usage = cenc_use();
        usage.require_worker = true;
        let made = license(1, vec![key(7, usage)]);
        assert_eq!(
            outcome(&mut device, &mut service, made),
            Ok(vec![KeyStatus::Usable])
        );
    }
    let (mut device, mut service, session) = ready(1);
    let mut usage = cenc_use();
    usage.require_worker = true;
    let made = license(1, vec![key(7, usage), key(8, cenc_use())]);
    let loaded = device
        .acquire(session, &mut service, made)
        .unwrap()
        .license();
    assert_eq!(loaded.keys[0].reasons.0[0].field, ReasonField::Worker);
}

#[test]
fn a_counter_that_is_not_there_is_not_pretended() {
    use CounterKind::{Hardware, Software};
    let cases = [
        (None, CounterStrength::Software, false),
        (None, CounterStrength::Hardware, false),
        (Some(Software), CounterStrength::Software, true),
        (Some(Software), CounterStrength::Hardware, false),
        (Some(Hardware), CounterStrength::Hardware, true),
    ];
    for (kind, wanted, fits) in cases {
        let mut device = Device::with(1, |_, parts| {
            let shared = parts.vault.0.clone();
            parts.counter = kind.map(|kind| FakeCounter { shared, kind });
        });
        let mut service = Service::new(1);
        device.provision(&mut service);
        let mut made = license(1, vec![key(7, cenc_use())]);
        made.counter = wanted;
        let expected = if fits {
            Ok(vec![KeyStatus::Usable])
        } else {
            Err(Status::CounterTooWeak)
        };
        assert_eq!(
            outcome(&mut device, &mut service, made),
            expected,
            "{kind:?} {wanted:?}"
        );
    }
}

#[test]
fn licences_this_core_cannot_keep_are_refused() {
    let (mut device, mut service, _) = ready(1);
    let mut stored = license(1, vec![key(7, cenc_use())]);
    stored.kind = LicenseKind::Stored;
    assert_eq!(
        outcome(&mut device, &mut service, stored),
        Err(Status::StoredNotSupported)
    );
    let mut rooted = license(1, vec![key(7, cenc_use())]);
    rooted.roots.push(RootKey {
        root_id: RootId([1; 16]),
        key: Secret::copied_from(&[3; 32]),
        usage: cenc_use(),
        first_period: 0,
        last_period: 9,
    });
    assert_eq!(
        outcome(&mut device, &mut service, rooted),
        Err(Status::NotSupported)
    );
    let mut device = Device::with(1, |_, parts| {
        let shared = parts.vault.0.clone();
        parts.counter = Some(FakeCounter {
            shared,
            kind: CounterKind::Hardware,
        });
    });
    device.provision(&mut service);
    let mut counted = license(1, vec![key(7, cenc_use())]);
    counted.counter = CounterStrength::Hardware;
    counted.max_plays = seconds(3);
    assert_eq!(
        outcome(&mut device, &mut service, counted),
        Err(Status::NotSupported)
    );
}

#[test]
fn a_session_holds_so_many_licences_and_keys() {
    let (mut device, mut service, session) = ready(1);
    let full = u8::try_from(MAX_LICENSES_PER_SESSION).unwrap();
    for id in 0..full {
        device
            .acquire(
                session,
                &mut service,
                license(id, vec![key(id, cenc_use())]),
            )
            .unwrap();
    }
    let refused = device.acquire(
        session,
        &mut service,
        license(99, vec![key(99, cenc_use())]),
    );
    assert_eq!(refused, Err(Status::TooManyLicenses));
    // All keys that were there still are.
    assert_eq!(
        device.statuses(session).unwrap().keys(),
        vec![KeyStatus::Usable; 8]
    );

    let session = device.open(&mut service).unwrap();
    let keys = |from: u8, to: u8| (from..to).map(|id| key(id, cenc_use())).collect::<Vec<_>>();
    let all = u8::try_from(MAX_KEYS_PER_SESSION).unwrap();
    device
        .acquire(session, &mut service, license(1, keys(0, all - 1)))
        .unwrap();
    let refused = device.acquire(session, &mut service, license(2, keys(100, 102)));
    assert_eq!(refused, Err(Status::TooManyKeys));
    let fresh = |device: &mut Device, service: &mut Service, made| {
        let info = service.info();
        let request = device.request_fresh(session, &[[7; 16]], &info).unwrap();
        let answer = service.license(&request, made);
        device.load(session, &answer)
    };
    assert!(fresh(&mut device, &mut service, license(2, keys(100, 101))).is_ok());
}

#[test]
fn licences_that_are_over_make_room() {
    let (mut device, mut service, session) = ready(1);
    for id in 0..8 {
        let mut made = license(id, vec![key(id, cenc_use())]);
        made.timing.license_seconds = seconds(if id == 3 { 10 } else { 1_000 });
        device.acquire(session, &mut service, made).unwrap();
    }
    device.advance(10_000);
    service.now += 10;
    assert_eq!(
        device.statuses(session).unwrap().keys()[3],
        KeyStatus::Expired
    );
    device
        .acquire(
            session,
            &mut service,
            license(50, vec![key(50, cenc_use())]),
        )
        .unwrap();
    let ids: Vec<_> = device
        .statuses(session)
        .unwrap()
        .licenses
        .iter()
        .map(|l| l.id[0])
        .collect();
    assert_eq!(ids, [0, 1, 2, 4, 5, 6, 7, 50]);
    let refused = device.acquire(
        session,
        &mut service,
        license(51, vec![key(51, cenc_use())]),
    );
    assert_eq!(refused, Err(Status::TooManyLicenses));
}

#[test]
fn a_licence_names_the_least_revocation_list() {
    let (mut device, mut service, session) = ready(1);
    let request = device.request(session, &[[7; 16]]).unwrap();
    let mut made = license(1, vec![key(7, cenc_use())]);
    made.least_revocation = 4;
    let answer = service.license(&request, made);
    assert_eq!(
        device.load(session, &answer),
        Err(Status::RevocationListNeeded)
    );
    let old = service.revocation_list(3, &[]);
    device.load_list(service.anchor(), &old).unwrap();
    assert_eq!(
        device.load(session, &answer),
        Err(Status::RevocationListNeeded)
    );
    let new = service.revocation_list(4, &[]);
    device.load_list(service.anchor(), &new).unwrap();
    assert!(device.load(session, &answer).is_ok());
}

#[test]
fn the_revocation_lists_number_never_goes_back() {
    let (mut device, mut service, _) = ready(1);
    let anchor = service.anchor();
    let (two, three) = (
        service.revocation_list(2, &[]),
        service.revocation_list(3, &[]),
    );
    device.load_list(anchor, &three).unwrap();
    assert_eq!(
        device.load_list(anchor, &two),
        Err(Status::StaleRevocationList)
    );
    device.load_list(anchor, &three).unwrap();
    device.reboot();
    assert_eq!(
        device.load_list(anchor, &two),
        Err(Status::StaleRevocationList)
    );
    assert_eq!(device.load_list(anchor, &[0xa0]), Err(Status::BadMessage));
    let four = service.revocation_list(4, &[]);
    assert_eq!(
        device.load_list(anchor, &spoiled(&four)),
        Err(Status::BadSignature)
    );
    let mut unfit = service.sibling(5, "other.example", Roles::LICENSE);
    let unfit = unfit.revocation_list(5, &[]);
    assert_eq!(device.load_list(anchor, &unfit), Err(Status::RoleMissing));
    let foreign = Service::new(9).revocation_list(5, &[]);
    assert_eq!(device.load_list(anchor, &foreign), Err(Status::BadChain));
    let mut other = Device::new(5);
    assert_eq!(other.load_list(anchor, &four), Err(Status::NotProvisioned));
    other.device_key(anchor).unwrap();
    assert_eq!(other.load_list(anchor, &four), Err(Status::NotProvisioned));
}

#[test]
fn a_revoked_service_stays_revoked_across_restarts() {
    let (mut device, mut service, _) = ready(1);
    let list = service.revocation_list(1, &[service.serial]);
    device.load_list(service.anchor(), &list).unwrap();
    device.reboot();
    assert_eq!(device.open(&mut service), Err(Status::Revoked));
}

#[test]
fn at_medium_a_revocation_list_ages() {
    let mut service = Service::new(1);
    let mut low = Device::new(1);
    let mut medium = Device::trusted(2, service.anchor());
    // A day to the next update and seven of grace.
    let last = 8 * 24 * 60 * 60;
    for (device, at_end) in [
        (&mut low, Ok(vec![KeyStatus::Usable])),
        (&mut medium, Err(Status::RevocationListNeeded)),
    ] {
        service.now = NOW;
        device.provision(&mut service);
        let made = || license(1, vec![key(7, cenc_use())]);
        // Without any list none is missed.
        assert_eq!(
            outcome(device, &mut service, made()),
            Ok(vec![KeyStatus::Usable])
        );
        let list = service.revocation_list(1, &[]);
        device.load_list(service.anchor(), &list).unwrap();
        service.now += last - 1;
        device.advance((last - 1) * 1_000);
        assert_eq!(
            outcome(device, &mut service, made()),
            Ok(vec![KeyStatus::Usable])
        );
        service.now += 1;
        device.advance(1_000);
        assert_eq!(outcome(device, &mut service, made()), at_end);
    }
}
