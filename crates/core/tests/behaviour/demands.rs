//! What a licence demands of the device, and how much a session holds.

use keybearer_core::CounterKind;
use keybearer_license::{
    CounterStrength, DenialReason, LicenseKind, RootId, RootKey, Rotation, Secret, UnixTime,
};
use keybearer_rules::{Level, MinSecurity, SecureMediaPath};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, ReasonField};
use keybearer_wire::limits::{MAX_KEYS_PER_SESSION, MAX_LICENSES_PER_SESSION};

use super::scenes::{outcome, ready};
use crate::support::{
    Device, FakeCounter, Loaded, NOW, Service, cenc_use, key, license, samples, seconds,
};

#[test]
fn a_key_above_this_level_is_not_kept() {
    let (mut device, mut service, session) = ready(1);
    let mut above = cenc_use();
    above.lowest_level = Level::Medium;
    let only = license(1, vec![key(7, above.clone())]);
    let denied = Loaded::Denied {
        reason: DenialReason::LevelTooLow.code(),
        level_needed: Some(Level::Medium.code()),
    };
    assert_eq!(device.acquire(session, &mut service, only), Ok(denied));
    assert_eq!(device.statuses(session).unwrap().licenses, []);
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
    let ok = || Ok(vec![KeyStatus::Usable]);
    let too_low = || Err(Status::LevelTooLow);
    let cases: [(Edit, Result<Vec<KeyStatus>, Status>); 7] = [
        (|u| u.lowest_level = Level::Low, ok()),
        (|u| u.lowest_level = Level::High, too_low()),
        (
            |u| u.policy.min_security = MinSecurity::AtLeast(Level::Low),
            ok(),
        ),
        (
            |u| u.policy.min_security = MinSecurity::AtLeast(Level::Medium),
            too_low(),
        ),
        (
            |u| u.policy.min_security = MinSecurity::Deny,
            Err(Status::UseDenied),
        ),
        (
            |u| u.policy.secure_media_path = SecureMediaPath::Required,
            too_low(),
        ),
        (|u| u.require_worker = true, Err(Status::WorkerRequired)),
    ];
    for (at, (edit, expected)) in cases.into_iter().enumerate() {
        let mut usage = cenc_use();
        edit(&mut usage);
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

/// A counter guards what is stored; a session licence names one at most for those who store it.
#[test]
fn a_session_licence_needs_no_counter() {
    for kind in [
        None,
        Some(CounterKind::Software),
        Some(CounterKind::Hardware),
    ] {
        let mut device = Device::with(1, |_, parts| {
            let shared = parts.vault.0.clone();
            parts.counter = kind.map(|kind| FakeCounter { shared, kind });
        });
        let mut service = Service::new(1);
        device.provision(&mut service);
        for wanted in [CounterStrength::Software, CounterStrength::Hardware] {
            let mut made = license(1, vec![key(7, cenc_use())]);
            made.counter = wanted;
            assert_eq!(
                outcome(&mut device, &mut service, made),
                Ok(vec![KeyStatus::Usable]),
                "{kind:?} {wanted:?}"
            );
        }
    }
}

/// Rotation erases the keys of past periods; a core that does not must not take such keys.
#[test]
fn licences_whose_keys_rotate_are_refused() {
    let (mut device, mut service, _) = ready(1);
    let rotation = Rotation {
        period_index: 4,
        period_start: UnixTime(NOW),
        period_seconds: seconds(60).unwrap(),
    };
    for period in [None, Some(4)] {
        let mut made = license(1, vec![key(7, cenc_use())]);
        made.rotation = Some(rotation);
        made.keys[0].period = period;
        assert_eq!(
            outcome(&mut device, &mut service, made),
            Err(Status::NotSupported)
        );
    }
}

#[test]
fn what_bars_a_whole_licence_is_told_apart() {
    type Edit = fn(&mut keybearer_license::KeyUse);
    const LEVEL: Edit = |u| u.lowest_level = Level::Medium;
    const WORKER: Edit = |u| u.require_worker = true;
    const DENY: Edit = |u| u.policy.min_security = MinSecurity::Deny;
    let cases: [(&[Edit], Status); 6] = [
        (&[LEVEL], Status::LevelTooLow),
        (&[WORKER], Status::WorkerRequired),
        (&[DENY], Status::UseDenied),
        // What would open the most, with the least change, is named.
        (&[DENY, LEVEL], Status::LevelTooLow),
        (&[LEVEL, WORKER], Status::WorkerRequired),
        (&[DENY, WORKER, DENY], Status::WorkerRequired),
    ];
    let (mut device, mut service, _) = ready(1);
    for (at, (edits, expected)) in cases.into_iter().enumerate() {
        let keys = (1..).zip(edits).map(|(id, edit)| {
            let mut usage = cenc_use();
            edit(&mut usage);
            key(id, usage)
        });
        let made = license(1, keys.collect());
        let found = outcome(&mut device, &mut service, made);
        assert_eq!(found, Err(expected), "case {at}");
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
