//! A request is worked on and counted once, however often and whenever it comes.

use std::sync::{Arc, Barrier};

use keybearer_license::{DenialReason, LicenseRequest, PendingLicense};

use crate::support::{
    Answer, Device, World, denial, key, kid, license, open_content, post, request, send_raw,
};

fn send(world: &World, message: &[u8]) -> Answer {
    post(world.server.local_addr(), "/v1/license", message)
}

/// Two signed requests with one id, which a well-behaved device never makes: the id is the first
/// thing that building a request draws from its generator.
fn two_under_one_id(device: &Device) -> [(Vec<u8>, PendingLicense); 2] {
    [kid(1), kid(2)].map(|kid| {
        device.license_request_drawn(&[kid], &mut Predictable(7), |_: &mut LicenseRequest| {})
    })
}

/// A generator that everyone can predict.
struct Predictable(u8);

impl keybearer_crypto::Rng for Predictable {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), keybearer_crypto::CryptoError> {
        out.fill(self.0);
        self.0 = self.0.wrapping_add(1);
        Ok(())
    }
}

#[test]
fn a_repeat_gets_the_same_bytes_and_is_counted_once() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let (message, pending) = device.license_request(&[kid(1)]);
    let first = send(&world, &message);
    license(device.open_license(&pending, &first.body));
    for _ in 0..3 {
        let again = send(&world, &message);
        assert_eq!((again.status, &again.body), (200, &first.body));
    }
    assert_eq!(world.metric("keybearer_licenses_total"), 1);
    assert_eq!(world.metric("keybearer_replays_total{kind=\"repeat\"}"), 3);
    assert_eq!(world.server.registry().totals().unwrap().licenses, 1);
}

#[test]
fn of_64_identical_requests_at_once_exactly_one_is_counted() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let (message, pending) = device.license_request(&[kid(1)]);
    let (message, barrier) = (Arc::new(message), Arc::new(Barrier::new(64)));
    let address = world.server.local_addr();
    let threads: Vec<_> = (0..64)
        .map(|_| {
            let (message, barrier) = (Arc::clone(&message), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                post(address, "/v1/license", &message)
            })
        })
        .collect();
    let answers: Vec<Answer> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    license(device.open_license(&pending, &answers[0].body));
    assert_eq!(world.metric("keybearer_licenses_total"), 1);
    assert_eq!(world.metric("keybearer_replays_total{kind=\"repeat\"}"), 63);
    let log = world.server.registry().log(0, 1000).unwrap();
    let licenses = log
        .iter()
        .filter(|entry| format!("{entry:?}").contains("License {"));
    assert_eq!(licenses.count(), 1);
}

#[test]
fn a_repeat_after_a_restart_gets_the_same_bytes() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let (message, _) = device.license_request(&[kid(1)]);
    let first = send(&world, &message);
    let (unsent, pending) = device.license_request(&[kid(1)]);
    let world = world.restarted(|config| config.contents = vec![open_content("film", 1)]);
    assert_eq!(send(&world, &message).body, first.body);
    assert_eq!(
        world.metric("keybearer_licenses_total"),
        0,
        "this process issued none"
    );
    assert_eq!(world.server.registry().totals().unwrap().licenses, 1);
    // A challenge from before the restart is still good.
    license(device.open_license(&pending, &send(&world, &unsent).body));
    assert_eq!(world.server.registry().totals().unwrap().licenses, 2);
}

#[test]
fn a_repeat_later_than_the_challenge_still_gets_the_same_bytes() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let (message, pending) = device.license_request(&[kid(1)]);
    let first = send(&world, &message);
    world.clock.advance(600);
    assert_eq!(send(&world, &message).body, first.body);
    // Then it is forgotten with the next change, and its challenge is long over.
    world.clock.advance(1);
    world.low_device();
    let late = denial(device.open_license(&pending, &send(&world, &message).body));
    assert_eq!(late.reason, DenialReason::ChallengeExpired);
    assert_eq!(world.server.registry().totals().unwrap().licenses, 1);
}

#[test]
fn denials_are_repeated_and_counted_once_too() {
    let world = World::new(Vec::new());
    let device = world.low_device();
    let (message, pending) = device.license_request(&[kid(1)]);
    let first = send(&world, &message);
    assert_eq!(send(&world, &message).body, first.body);
    let refused = denial(device.open_license(&pending, &first.body));
    assert_eq!(refused.reason, DenialReason::KeyUnknown);
    assert_eq!(
        world.metric("keybearer_denials_total{reason=\"key-unknown\"}"),
        1
    );
}

#[test]
fn another_request_under_the_same_id_is_denied_as_replayed() {
    let world = World::new(vec![keybearer_server::ContentSpec::open(
        "film",
        vec![key(1), key(2)],
    )]);
    let device = world.low_device();
    let [(first, first_pending), (second, second_pending)] = two_under_one_id(&device);
    assert_eq!(first_pending.request_id(), second_pending.request_id());
    let answer = send(&world, &first);
    license(device.open_license(&first_pending, &answer.body));
    for _ in 0..2 {
        let refused = denial(device.open_license(&second_pending, &send(&world, &second).body));
        assert_eq!(refused.reason, DenialReason::Replayed);
    }
    assert_eq!(
        send(&world, &first).body,
        answer.body,
        "the first keeps its answer"
    );
    assert_eq!(world.metric("keybearer_licenses_total"), 1);
    assert_eq!(
        world.metric("keybearer_replays_total{kind=\"conflict\"}"),
        2
    );
}

#[test]
fn a_request_cut_anywhere_is_never_counted() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let (message, pending) = device.license_request(&[kid(1)]);
    let headers = [("Content-Type", "application/cose")];
    let whole = request("POST", "/v1/license", &headers, &message);
    let address = world.server.local_addr();
    for cut in 0..whole.len() {
        let answer = send_raw(address, &whole[..cut]);
        assert!(
            !answer.starts_with(b"HTTP/1.1 200"),
            "answered after {cut} bytes"
        );
    }
    assert_eq!(world.metric("keybearer_licenses_total"), 0);
    // The whole of it is still new to the server.
    license(device.open_license(&pending, &send(&world, &message).body));
}

#[test]
fn a_full_house_denies_new_requests_and_serves_repeats() {
    let world = World::with(|config| {
        config.contents = vec![open_content("film", 1)];
        config.limits.kept_answers = 2;
    });
    // The enrolment's answer is the first kept one.
    let device = world.low_device();
    let (message, _) = device.license_request(&[kid(1)]);
    let first = send(&world, &message);
    let refused = denial(device.acquire(&[kid(1)]));
    assert_eq!(refused.reason, DenialReason::Overloaded);
    assert!(refused.retry_after_seconds.is_some());
    assert_eq!(send(&world, &message).body, first.body);
    world.clock.advance(601);
    license(device.acquire(&[kid(1)]));
}

#[test]
fn strangers_cannot_fill_the_house() {
    let world = World::with(|config| {
        config.contents = vec![open_content("film", 1)];
        config.limits.kept_answers = 10;
    });
    let device = world.low_device();
    for _ in 0..20 {
        let mut stranger = Device::new(&world);
        let token = keybearer_license::ProvisionToken::Enrolment(b"guess".to_vec());
        let refused = stranger.provision(token).unwrap_err();
        assert_eq!(refused.reason, DenialReason::EnrolmentRefused);
    }
    license(device.acquire(&[kid(1)]));
}
