//! Trusted time: where it comes from, and that it never goes back.

use keybearer_license::{Roles, UnixTime, Validity};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, ReasonField};
use proptest::prelude::*;

use super::scenes::{limited, ready, status, timeless, unsealed, use_key};
use crate::support::{NOW, Service, samples, seconds};

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
    // It is done with, but for the challenge it brought.
    assert_eq!(
        device.load_time(session, &answer),
        Err(Status::NotForThisRequest)
    );
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
fn a_time_answer_must_come_from_the_service_that_was_asked() {
    let (mut device, _, mut clock) = timeless();
    let session = device.open(&mut clock).unwrap();
    let request = device.time_request(session).unwrap();
    let cases = [
        (
            clock.sibling(5, "other.example", Roles::TIME),
            Status::WrongService,
        ),
        (
            clock.sibling(6, "time.example", Roles::LICENSE),
            Status::RoleMissing,
        ),
        (
            Service::with(7, "time.example", Roles::TIME),
            Status::BadChain,
        ),
    ];
    for (mut signer, status) in cases {
        let answer = clock.time_signed_by(&mut signer, &request);
        assert_eq!(device.load_time(session, &answer), Err(status));
    }
    let answer = clock.time(&request);
    let list = Service::revocation_list(
        &mut clock.sibling(8, "list.example", Roles::REVOCATION),
        1,
        &[clock.serial],
    );
    device.load_list(clock.anchor(), &list).unwrap();
    assert_eq!(device.load_time(session, &answer), Err(Status::Revoked));
    assert_eq!(device.statuses(session).unwrap().time, None);
}

#[test]
fn a_service_without_the_role_is_not_asked_for_time() {
    let (mut device, mut service, _) = timeless();
    let session = device.open(&mut service).unwrap();
    assert_eq!(device.time_request(session), Err(Status::RoleMissing));
}

/// A licence request has used the challenge up: time can still be asked for.
#[test]
fn a_newer_service_info_brings_a_time_request_its_challenge() {
    let (mut device, mut service, _) = timeless();
    let mut clock = service.sibling(3, "time.example", Roles::LICENSE.union(Roles::TIME));
    let session = device.open(&mut clock).unwrap();
    device.request(session, &[[7; 16]]).unwrap();
    assert_eq!(device.time_request(session), Err(Status::NoChallenge));

    // Another service's challenge is none of this session's.
    let foreign = service.info();
    let refused = device.time_request_with(session, Some(&foreign));
    assert_eq!(refused, Err(Status::WrongService));
    // A certificate without the role makes no clock, and neither it nor its challenge is kept.
    let since = |begin| Validity {
        not_before: UnixTime(begin),
        not_after: UnixTime(NOW + 10_000),
    };
    let first = clock.info();
    clock.recertify(Roles::LICENSE, since(NOW - 20));
    let refused = device.time_request_with(session, Some(&clock.info()));
    assert_eq!(refused, Err(Status::RoleMissing));
    assert_eq!(device.time_request(session), Err(Status::NoChallenge));

    // The newest certificate takes the place of the one at hand, and an older one does not come back.
    clock.recertify(Roles::LICENSE.union(Roles::TIME), since(NOW - 10));
    let newest = clock.info();
    let request = device.time_request_with(session, Some(&newest)).unwrap();
    let answer = clock.time(&request);
    assert_eq!(device.load_time(session, &answer), Ok(None));
    assert_eq!(device.statuses(session).unwrap().time, Some(NOW));
    let refused = device.time_request_with(session, Some(&first));
    assert_eq!(refused, Err(Status::StaleServiceInfo));
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

/// A clock that began anew says nothing about when the licence was loaded: the present counts, at
/// which its signer's certificate has ended.
#[test]
fn the_moment_of_loading_counts_only_on_the_clock_that_told_it() {
    for (began_anew, holds) in [(false, true), (true, false)] {
        let (mut device, mut service, mut clock) = timeless();
        let validity = Validity {
            not_before: UnixTime(NOW - 1_000),
            not_after: UnixTime(NOW + 100),
        };
        service.recertify(Roles::LICENSE, validity);
        let session = device.open(&mut service).unwrap();
        device
            .acquire(session, &mut service, limited(1, |_| ()))
            .unwrap();
        device.advance(200_000);
        if began_anew {
            device.world.get().boot = [9; 16];
        }
        clock.now = NOW + 200;
        let other = device.open(&mut clock).unwrap();
        device.fetch_time(other, &mut clock);
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
