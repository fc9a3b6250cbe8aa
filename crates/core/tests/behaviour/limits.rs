//! When licences begin and end.

use keybearer_license::{Enforcement, Timing, UnixTime};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, ReasonField};

use super::scenes::{limited, ready, status, timeless, use_key};
use crate::support::{Device, NOW, Service, samples, seconds};

#[test]
fn a_licence_that_has_ended_is_not_loaded() {
    let (mut device, mut service, session) = ready(1);
    let ended = limited(1, |t| t.not_after = Some(UnixTime(NOW)));
    assert_eq!(
        device.acquire(session, &mut service, ended),
        Err(Status::LicenseEnded)
    );
}

#[test]
fn a_licence_begins_when_it_says() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| {
        t.not_before = Some(UnixTime(NOW + 10));
        t.not_after = Some(UnixTime(NOW + 20));
    });
    device.acquire(session, &mut service, made).unwrap();
    let future = (KeyStatus::UsableInFuture, Some(ReasonField::NotBefore));
    assert_eq!(status(&mut device, session), future);
    assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
    device.advance(9_999);
    assert_eq!(status(&mut device, session), future);
    device.advance(1);
    assert_eq!(status(&mut device, session), (KeyStatus::Usable, None));
    device.advance(10_000);
    let ended = (KeyStatus::Expired, Some(ReasonField::NotAfter));
    assert_eq!(status(&mut device, session), ended);
    assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
}

/// How long an answer took is doubt about the time, and doubt never helps the holder.
#[test]
fn ends_come_at_the_upper_edge_and_beginnings_at_the_lower() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let request = device.request(session, &[[7; 16]]).unwrap();
    let answer = clock.license(
        &request,
        limited(1, |t| {
            t.not_before = Some(UnixTime(NOW + 5));
            t.not_after = Some(UnixTime(NOW + 40));
        }),
    );
    device.advance(20_000);
    device.load(session, &answer).unwrap();
    // The time is between NOW and NOW + 20.
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW));
    device.advance(4_999);
    assert_eq!(status(&mut device, session).0, KeyStatus::UsableInFuture);
    device.advance(1);
    assert_eq!(status(&mut device, session).0, KeyStatus::Usable);
    device.advance(14_999);
    assert_eq!(status(&mut device, session).0, KeyStatus::Usable);
    device.advance(1);
    assert_eq!(status(&mut device, session).0, KeyStatus::Expired);
    // An exact answer narrows the doubt, but what has ended has ended.
    clock.now = NOW + 20;
    device.fetch_time(session, &mut clock);
    assert_eq!(status(&mut device, session).0, KeyStatus::Expired);
}

#[test]
fn each_limit_ends_a_licence_and_is_named() {
    type Edit = fn(&mut Timing);
    let cases: [(Edit, u64, ReasonField); 4] = [
        (
            |t| t.not_after = Some(UnixTime(NOW + 50)),
            50,
            ReasonField::NotAfter,
        ),
        (
            |t| t.license_seconds = seconds(40),
            40,
            ReasonField::LicenseDuration,
        ),
        (
            |t| t.rental_seconds = seconds(30),
            30,
            ReasonField::RentalDuration,
        ),
        (
            |t| {
                t.license_seconds = seconds(20);
                t.rental_seconds = seconds(25);
                t.not_after = Some(UnixTime(NOW + 60));
            },
            20,
            ReasonField::LicenseDuration,
        ),
    ];
    for (edit, end, field) in cases {
        let (mut device, mut service, session) = ready(1);
        let loaded = device
            .acquire(session, &mut service, limited(1, edit))
            .unwrap()
            .license();
        assert_eq!(loaded.ends, Some(NOW + end));
        device.advance(end * 1_000 - 1);
        assert_eq!(status(&mut device, session), (KeyStatus::Usable, None));
        let before = device.statuses(session).unwrap().sequence;
        device.advance(1);
        // The first call after the end, whatever it is, ends it.
        assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
        let report = device.statuses(session).unwrap();
        assert_eq!(report.sequence, before + 1);
        let reason = &report.licenses[0].keys[0].reasons.0[0];
        let at = i64::try_from(NOW + end).unwrap();
        assert_eq!(
            (reason.field, reason.wanted, reason.found),
            (field, Some(at), Some(at))
        );
        assert_eq!(report.licenses[0].ends, Some(NOW + end));
    }
}

#[test]
fn the_first_use_starts_the_playback_clock_after_its_grace() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| {
        t.rental_seconds = seconds(100);
        t.playback_seconds = seconds(10);
        t.start_grace_seconds = seconds(3);
    });
    let loaded = device
        .acquire(session, &mut service, made)
        .unwrap()
        .license();
    assert_eq!(loaded.ends, Some(NOW + 100));
    device.advance(50_000);
    use_key(&mut device, session).unwrap();
    assert_eq!(
        device.statuses(session).unwrap().licenses[0].ends,
        Some(NOW + 63)
    );
    device.advance(12_999);
    use_key(&mut device, session).unwrap();
    device.advance(1);
    assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
    let ended = (KeyStatus::Expired, Some(ReasonField::PlaybackDuration));
    assert_eq!(status(&mut device, session), ended);
}

/// A refused decrypt is no use.
#[test]
fn a_refused_call_does_not_start_the_playback_clock() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| t.playback_seconds = seconds(10));
    device.acquire(session, &mut service, made).unwrap();
    let refused = device.decrypt(session, [7; 16], &samples(&[17]), &mut [0; 16]);
    assert_eq!(refused, Err(Status::MediaMismatch));
    assert_eq!(device.statuses(session).unwrap().licenses[0].ends, None);
}

#[test]
fn a_soft_limit_lets_a_playback_finish_and_a_hard_one_does_not() {
    type Edit = fn(&mut Timing);
    let cases: [(Edit, Enforcement); 6] = [
        (
            |t| t.not_after = Some(UnixTime(NOW + 10)),
            Enforcement::Soft,
        ),
        (
            |t| t.not_after = Some(UnixTime(NOW + 10)),
            Enforcement::Hard,
        ),
        (|t| t.rental_seconds = seconds(10), Enforcement::Soft),
        (|t| t.rental_seconds = seconds(10), Enforcement::Hard),
        (|t| t.playback_seconds = seconds(10), Enforcement::Soft),
        (|t| t.playback_seconds = seconds(10), Enforcement::Hard),
    ];
    for (edit, enforce) in cases {
        for used in [true, false] {
            let (mut device, mut service, session) = ready(1);
            let made = limited(1, |t| {
                edit(t);
                t.enforce_absolute = enforce;
                t.enforce_rental = enforce;
                t.enforce_playback = enforce;
            });
            let plays = made.timing.playback_seconds.is_some();
            device.acquire(session, &mut service, made).unwrap();
            if used {
                use_key(&mut device, session).unwrap();
            }
            device.advance(10_000);
            // An unused playback duration has not begun; everything else has ended for the unused.
            let goes_on = if used {
                enforce == Enforcement::Soft
            } else {
                plays
            };
            assert_eq!(
                use_key(&mut device, session).is_ok(),
                goes_on,
                "{enforce:?} {used}"
            );
        }
    }
}

#[test]
fn a_renewal_does_not_restart_the_playback_clock() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| t.playback_seconds = seconds(10));
    device.acquire(session, &mut service, made).unwrap();
    use_key(&mut device, session).unwrap();
    device.advance(5_000);
    service.now += 5;
    let request = device.renewal(session, [1; 16]).unwrap();
    let mut renewed = limited(1, |t| t.playback_seconds = seconds(10));
    renewed.sequence = 2;
    let answer = service.license(&request, renewed);
    assert_eq!(
        device.load(session, &answer).unwrap().license().ends,
        Some(NOW + 10)
    );
}

#[test]
fn a_platform_without_a_clock_takes_no_limited_licence() {
    let mut device = Device::with(1, |_, parts| parts.clock = None);
    let mut service = Service::new(1);
    device.provision(&mut service);
    let cases: [fn(&mut Timing); 5] = [
        |t| t.not_after = Some(UnixTime(NOW + 60)),
        |t| {
            t.not_before = Some(UnixTime(NOW - 60));
            t.not_after = Some(UnixTime(NOW + 60));
        },
        |t| t.license_seconds = seconds(60),
        |t| t.rental_seconds = seconds(60),
        |t| t.playback_seconds = seconds(60),
    ];
    for timing in cases {
        let session = device.open(&mut service).unwrap();
        let made = limited(1, timing);
        let refused = device.acquire(session, &mut service, made);
        assert_eq!(refused, Err(Status::NoTrustedTime));
        device.close(session).unwrap();
    }
    let session = device.open(&mut service).unwrap();
    assert_eq!(device.time_request(session), Err(Status::NoTrustedTime));
    device
        .acquire(session, &mut service, limited(1, |_| ()))
        .unwrap();
    assert_eq!(use_key(&mut device, session), Ok(16));
    assert_eq!(device.statuses(session).unwrap().time, None);
}

/// The answer itself says so, not only the next status report.
#[test]
fn a_renewal_of_a_playback_that_is_over_is_over_at_once() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| t.playback_seconds = seconds(10));
    device.acquire(session, &mut service, made).unwrap();
    use_key(&mut device, session).unwrap();
    device.advance(11_000);
    service.now += 11;
    let request = device.renewal(session, [1; 16]).unwrap();
    let mut renewed = limited(1, |t| t.playback_seconds = seconds(10));
    renewed.sequence = 2;
    let answer = service.license(&request, renewed);
    let loaded = device.load(session, &answer).unwrap().license();
    assert_eq!(loaded.keys[0].status, KeyStatus::Expired);
    assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
}

#[test]
fn the_sequence_number_stands_still_while_no_status_changes() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| t.license_seconds = seconds(60));
    device.acquire(session, &mut service, made).unwrap();
    let mut sequence = || device.statuses(session).unwrap().sequence;
    let before = sequence();
    assert_eq!(sequence(), before);
    device.advance(60_000);
    let mut sequence = || device.statuses(session).unwrap().sequence;
    // The very call that finds the end tells of it, and no other.
    assert_eq!(sequence(), before + 1);
    assert_eq!(sequence(), before + 1);
}
