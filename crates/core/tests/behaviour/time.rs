//! Trusted time: where it comes from, what it ends, and that it never goes back.

use keybearer_license::{Enforcement, Roles, Timing, UnixTime, Validity};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, ReasonField};
use proptest::prelude::*;

use super::licenses::ready;
use super::provisioning::unsealed;
use crate::support::{Device, NOW, Service, cenc_use, key, license, samples, seconds};

/// A service without the time role beside one that has it, and a device that knows no time.
fn timeless() -> (Device, Service, Service) {
    let mut device = Device::new(1);
    let mut service = Service::with(
        1,
        "service.example",
        Roles::LICENSE
            .union(Roles::PROVISIONING)
            .union(Roles::REVOCATION),
    );
    let clock = service.sibling(2, "time.example", Roles::LICENSE.union(Roles::TIME));
    device.provision(&mut service);
    (device, service, clock)
}

fn limited(id: u8, timing: impl FnOnce(&mut Timing)) -> keybearer_license::License {
    let mut made = license(id, vec![key(7, cenc_use())]);
    timing(&mut made.timing);
    made
}

fn status(device: &mut Device, session: u64) -> (KeyStatus, Option<ReasonField>) {
    let report = device.statuses(session).unwrap();
    let key = &report.licenses[0].keys[0];
    (key.status, key.reasons.0.first().map(|reason| reason.field))
}

fn use_key(device: &mut Device, session: u64) -> Result<u64, Status> {
    device.decrypt(session, [7; 16], &samples(&[16]), &mut [0; 16])
}

#[test]
fn a_time_answer_anchors_the_time() {
    let (mut device, mut service, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    assert_eq!(device.statuses(session).unwrap().time, None);
    device.fetch_time(session, &mut clock);
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW));
    device.advance(5_999);
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW + 5));
    // It is the anchor's time: a session with another service under it has it too.
    let other = device.open(&mut service).unwrap();
    assert_eq!(device.statuses(other).unwrap().time, Some(NOW + 5));
    let request = device.request(other, &[[7; 16]]).unwrap();
    assert!(service.read(&request).request.evidence.time_anchored);
}

#[test]
fn a_licence_of_a_signer_with_the_time_role_anchors_it_too() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let made = limited(1, |t| t.license_seconds = seconds(60));
    device.acquire(session, &mut clock, made).unwrap();
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW));
    assert_eq!(use_key(&mut device, session), Ok(16));
}

#[test]
fn without_the_time_role_a_limited_licence_waits_for_time() {
    let (mut device, mut service, mut clock) = timeless();
    let session = device.open(&mut service).unwrap();
    let request = device.request(session, &[[7; 16]]).unwrap();
    assert!(!service.read(&request).request.evidence.time_anchored);
    let answer = service.license(&request, limited(1, |t| t.license_seconds = seconds(60)));
    device.load(session, &answer).unwrap();
    let waiting = (KeyStatus::StatusPending, Some(ReasonField::TrustedTime));
    assert_eq!(status(&mut device, session), waiting);
    assert_eq!(use_key(&mut device, session), Err(Status::KeyNotUsable));
    let before = device.statuses(session).unwrap().sequence;
    let other = device.open(&mut clock).unwrap();
    device.fetch_time(other, &mut clock);
    assert_eq!(status(&mut device, session), (KeyStatus::Usable, None));
    assert!(device.statuses(session).unwrap().sequence > before);
    assert_eq!(use_key(&mut device, session), Ok(16));
}

#[test]
fn an_answer_older_than_thirty_seconds_is_no_anchor() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let request = device.time_request(session).unwrap();
    let answer = clock.time(&request);
    device.advance(30_001);
    assert_eq!(device.load_time(session, &answer), Err(Status::Late));
    assert_eq!(device.statuses(session).unwrap().time, None);

    let session = device.open(&mut clock).unwrap();
    let request = device.time_request(session).unwrap();
    let answer = clock.time(&request);
    device.advance(30_000);
    assert_eq!(device.load_time(session, &answer), Ok(None));
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW));
}

#[test]
fn a_late_licence_loads_but_brings_no_time() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let request = device.request(session, &[[7; 16]]).unwrap();
    let answer = clock.license(&request, limited(1, |t| t.license_seconds = seconds(600)));
    device.advance(30_001);
    device.load(session, &answer).unwrap();
    assert_eq!(device.statuses(session).unwrap().time, None);
    assert_eq!(status(&mut device, session).0, KeyStatus::StatusPending);
}

#[test]
fn an_answer_across_a_reboot_of_the_clock_is_late() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let request = device.time_request(session).unwrap();
    let answer = clock.time(&request);
    device.world.get().reboot();
    assert_eq!(device.load_time(session, &answer), Err(Status::Late));
}

#[test]
fn time_answers_are_for_one_request() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let request = device.time_request(session).unwrap();
    let answer = clock.time(&request);
    assert_eq!(
        device.load_time(session, &unsealed(&answer)),
        Err(Status::BadSignature)
    );
    assert_eq!(device.load_time(session, &[0xa0]), Err(Status::BadMessage));
    let other = device.open(&mut clock).unwrap();
    let foreign = device.time_request(other).unwrap();
    let foreign = clock.time(&foreign);
    assert_eq!(
        device.load_time(session, &foreign),
        Err(Status::NotForThisRequest)
    );
    assert_eq!(
        device.load(session, &answer),
        Err(Status::NotForThisRequest)
    );
    assert_eq!(device.load_time(session, &answer), Ok(None));
    assert_eq!(
        device.load_time(session, &answer),
        Err(Status::NotForThisRequest)
    );
    // The answer brought the challenge for the next request.
    let request = device.time_request(session).unwrap();
    let denial = clock.deny_time(&request);
    assert!(device.load_time(session, &denial).unwrap().is_some());
    assert_eq!(
        device.load_time(session, &denial),
        Err(Status::NotForThisRequest)
    );
}

#[test]
fn a_service_without_the_role_is_not_asked_for_time() {
    let (mut device, mut service, _) = timeless();
    let session = device.open(&mut service).unwrap();
    assert_eq!(device.time_request(session), Err(Status::RoleMissing));
}

#[test]
fn a_time_outside_its_signers_validity_is_refused() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let request = device.time_request(session).unwrap();
    // Past the end by its own word, on a device that cannot know better.
    let validity = Validity {
        not_before: UnixTime(NOW - 100),
        not_after: UnixTime(NOW - 50),
    };
    clock.recertify(Roles::TIME.union(Roles::LICENSE), validity);
    let answer = clock.time_sealed_before(&request);
    assert_eq!(
        device.load_time(session, &answer),
        Err(Status::OutsideValidity)
    );
    assert_eq!(device.statuses(session).unwrap().time, None);
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

/// What was verified before there was time is verified again once there is.
#[test]
fn a_signer_that_had_ended_before_time_came_ends_its_licences() {
    for (not_after, holds) in [(NOW + 100, true), (NOW - 50, false)] {
        let (mut device, mut service, mut clock) = timeless();
        let validity = Validity {
            not_before: UnixTime(NOW - 1_000),
            not_after: UnixTime(not_after),
        };
        service.recertify(Roles::LICENSE, validity);
        let session = device.open(&mut service).unwrap();
        device
            .acquire(session, &mut service, limited(1, |_| ()))
            .unwrap();
        assert_eq!(status(&mut device, session), (KeyStatus::Usable, None));
        device.advance(200_000);
        clock.now = NOW + 200;
        let other = device.open(&mut clock).unwrap();
        device.fetch_time(other, &mut clock);
        let expected = if holds {
            (KeyStatus::Usable, None)
        } else {
            (KeyStatus::Expired, Some(ReasonField::ServiceCertificate))
        };
        assert_eq!(status(&mut device, session), expected);
        assert_eq!(use_key(&mut device, session).is_ok(), holds);
    }
}

#[test]
fn after_a_reboot_the_sealed_floor_holds_until_the_next_anchor() {
    let (mut device, mut service, session) = ready(1);
    device.advance(3_600_000);
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW + 3_600));
    device.reboot();
    let validity = Validity {
        not_before: UnixTime(NOW - 10),
        not_after: UnixTime(NOW + 3_600),
    };
    let anchor = service.anchor();
    // Ended by the floor, though there is no anchored time.
    let mut ended = service.sibling(2, "ended.example", Roles::LICENSE);
    ended.recertify(Roles::LICENSE, validity);
    assert_eq!(
        device.open_with(anchor, &ended.info()),
        Err(Status::OutsideValidity)
    );
    let session = device.open(&mut service).unwrap();
    assert_eq!(device.statuses(session).unwrap().time, None);
    // A server whose clock went back cannot take time below the floor.
    service.now = NOW + 100;
    device.fetch_time(session, &mut service);
    assert!(device.statuses(session).unwrap().time >= Some(NOW + 3_600));
}

#[test]
fn a_clock_that_goes_back_takes_the_anchor_away() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| t.license_seconds = seconds(1_000));
    device.acquire(session, &mut service, made).unwrap();
    device.advance(10_000);
    assert_eq!(status(&mut device, session).0, KeyStatus::Usable);
    device.world.get().millis -= 5_000;
    assert_eq!(status(&mut device, session).0, KeyStatus::StatusPending);
    assert_eq!(device.statuses(session).unwrap().time, None);
    service.now += 5;
    device.fetch_time(session, &mut service);
    assert_eq!(status(&mut device, session).0, KeyStatus::Usable);
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW + 10));
}

#[test]
fn the_floor_is_not_written_with_every_call() {
    let (mut device, _, session) = ready(1);
    let before = device.world.get().writes;
    for _ in 0..600 {
        device.advance(1_000);
        device.statuses(session).unwrap();
    }
    let written = device.world.get().writes - before;
    assert!(
        (9..=11).contains(&written),
        "{written} writes in ten minutes"
    );
}

#[test]
fn a_floor_that_cannot_be_sealed_is_not_relied_on() {
    let (mut device, mut service, session) = ready(1);
    device
        .acquire(session, &mut service, limited(1, |_| ()))
        .unwrap();
    device.advance(120_000);
    device.world.get().writes_left = Some(0);
    assert_eq!(device.statuses(session), Err(Status::Platform));
    let mut data = [0; 16];
    let refused = device.decrypt(session, [7; 16], &samples(&[16]), &mut data);
    assert_eq!((refused, data), (Err(Status::Platform), [0; 16]));
    device.world.get().writes_left = None;
    assert!(device.statuses(session).is_ok());
    assert!(use_key(&mut device, session).is_ok());
}

#[test]
fn a_service_under_one_anchor_cannot_end_licences_under_another() {
    let (mut device, mut service, session) = ready(1);
    let made = limited(1, |t| t.license_seconds = seconds(100));
    device.acquire(session, &mut service, made).unwrap();
    let mut liar = Service::new(2);
    liar.now += 1_000_000;
    device.provision(&mut liar);
    let other = device.open(&mut liar).unwrap();
    device.fetch_time(other, &mut liar);
    assert_eq!(device.statuses(other).unwrap().time, Some(NOW + 1_000_000));
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW));
    assert_eq!(status(&mut device, session).0, KeyStatus::Usable);
}

#[derive(Clone, Debug)]
enum Event {
    Advance(u32),
    Back(u32),
    Reboot,
    Restart,
    /// A time answer from a server whose clock is off by so many seconds.
    Answer(i32),
    Delayed(u16, i32),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..200_000_u32).prop_map(Event::Advance),
        1 => (0..100_000_u32).prop_map(Event::Back),
        1 => Just(Event::Reboot),
        1 => Just(Event::Restart),
        4 => (-5_000..5_000_i32).prop_map(Event::Answer),
        2 => (0..40_000_u16, -500..500_i32).prop_map(|(d, o)| Event::Delayed(d, o)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever clocks, reboots and servers do, no reported time is lower than one before it.
    #[test]
    fn reported_time_never_decreases(events in prop::collection::vec(event(), 1..25)) {
        let (mut device, mut service, _) = ready(1);
        let mut truth = NOW;
        let mut last = 0;
        for event in events {
            let (delay, offset) = match event {
                Event::Advance(millis) => {
                    device.advance(millis.into());
                    truth += u64::from(millis) / 1_000;
                    (0, None)
                }
                Event::Back(millis) => {
                    let mut world = device.world.get();
                    world.millis = world.millis.saturating_sub(millis.into());
                    (0, None)
                }
                Event::Reboot => {
                    device.reboot();
                    (0, None)
                }
                Event::Restart => {
                    device.restart();
                    (0, None)
                }
                Event::Answer(offset) => (0, Some(offset)),
                Event::Delayed(delay, offset) => (delay, Some(offset)),
            };
            let Ok(session) = device.open(&mut service) else { continue };
            if let Some(offset) = offset {
                service.now = truth.saturating_add_signed(offset.into());
                let request = device.time_request(session).unwrap();
                let answer = service.time(&request);
                device.advance(delay.into());
                let loaded = device.load_time(session, &answer);
                prop_assert_eq!(loaded.is_ok(), delay <= 30_000);
            }
            if let Some(time) = device.statuses(session).unwrap().time {
                prop_assert!(time >= last, "{time} after {last}");
                last = time;
            }
            device.close(session).unwrap();
        }
    }
}
