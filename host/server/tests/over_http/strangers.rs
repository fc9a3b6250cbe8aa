//! What those who may have nothing can do to those who may: nothing.

use keybearer_license::{DenialReason, LicenseOutcome, ProvisionToken};
use keybearer_server::LogEvent;

use crate::support::{Device, World, denial, kid, license, open_content};

fn world(set: impl FnOnce(&mut keybearer_server::Limits)) -> World {
    World::with(|config| {
        config.contents = vec![open_content("film", 1)];
        set(&mut config.limits);
    })
}

fn events(world: &World) -> Vec<LogEvent> {
    let log = world.server.registry().log(0, 1000).unwrap();
    log.into_iter().map(|entry| entry.event).collect()
}

#[test]
fn unknown_tokens_are_refused_and_write_nothing() {
    let world = world(|_| {});
    for n in 0..20 {
        let guess = ProvisionToken::Enrolment(vec![n; 40]);
        let refused = Device::new(&world).provision(guess).unwrap_err();
        assert_eq!(refused.rule.as_deref(), Some("token-unknown"));
    }
    assert_eq!(events(&world), []);
    assert_eq!(world.server.registry().totals().unwrap().denials, 0);
    // They are counted where counting costs nothing.
    let metric = "keybearer_denials_total{reason=\"enrolment-refused\"}";
    assert_eq!(world.metric(metric), 20);
}

#[test]
fn refused_strangers_do_not_wash_licences_out_of_the_log() {
    let world = world(|limits| limits.log_entries = 8);
    let token = world.enrolment("default");
    let mut device = Device::new(&world);
    device.enrol(&token);
    license(device.acquire(&[kid(1)]));
    for _ in 0..20 {
        let used = ProvisionToken::Enrolment(token.clone());
        let refused = Device::new(&world).provision(used).unwrap_err();
        assert_eq!(refused.rule.as_deref(), Some("token-used"));
    }
    let events = events(&world);
    assert!(matches!(events[0], LogEvent::Provision { .. }));
    assert!(matches!(events[1], LogEvent::License { .. }));
    // The newest of the others are there too, in their place and with room of their own.
    let refused = |event: &LogEvent| matches!(event, LogEvent::Denial { device: None, .. });
    assert!(events.len() > 2 && events[2..].iter().all(refused));
    assert!(events.len() <= 2 + 8, "{} entries", events.len());
    assert_eq!(world.server.registry().totals().unwrap().denials, 20);
    let log = world.server.registry().log(0, 1000).unwrap();
    assert!(log.is_sorted_by(|one, next| one.number < next.number));
    let last = log.last().unwrap().number;
    assert_eq!(last, 22);
    assert_eq!(world.server.registry().log(last - 1, 5).unwrap().len(), 1);
}

#[test]
fn a_revoked_device_takes_nobody_s_place_among_the_kept_answers() {
    let world = world(|limits| limits.kept_answers = 4);
    let (device, mut revoked) = (world.low_device(), Device::new(&world));
    let serial = revoked.enrol(&world.enrolment("default")).claims.serial;
    world.server.registry().revoke_device(&serial).unwrap();
    let before = events(&world).len();
    for _ in 0..20 {
        let refused = denial(revoked.acquire(&[kid(1)]));
        assert_eq!(refused.reason, DenialReason::DeviceRevoked);
        let refused = revoked.ask_time().unwrap_err();
        assert_eq!(refused.reason, DenialReason::DeviceRevoked);
    }
    assert_eq!(events(&world).len(), before, "nor among the log's entries");
    license(device.acquire(&[kid(1)]));
}

#[test]
fn one_device_cannot_fill_the_house_for_the_others() {
    let world = world(|limits| limits.kept_answers = 40);
    let (greedy, other) = (world.low_device(), world.low_device());
    let asked = || (0..40).map(|_| greedy.acquire(&[kid(1)]));
    let served = |outcome: &LicenseOutcome| matches!(outcome, LicenseOutcome::License(_));
    // Its enrolment's answer is one of the sixteen that every device may have.
    assert_eq!(asked().filter(served).count(), 15);
    let refused = denial(greedy.acquire(&[kid(1)]));
    assert_eq!(refused.reason, DenialReason::Overloaded);
    assert!(refused.retry_after_seconds.is_some());
    license(other.acquire(&[kid(1)]));
    // Ten minutes later the house has room for it again.
    world.clock.advance(601);
    assert_eq!(asked().filter(served).count(), 16);
}

#[test]
fn a_lost_answer_asked_for_again_and_again_counts_as_the_device_s_own() {
    let world = world(|limits| limits.kept_answers = 40);
    let token = world.enrolment("default");
    let mut device = Device::new(&world);
    let ask = |device: &mut Device| device.provision(ProvisionToken::Enrolment(token.clone()));
    let served = (0..40).filter(|_| ask(&mut device).is_ok()).count();
    assert_eq!(served, 16);
    license(world.low_device().acquire(&[kid(1)]));
}
