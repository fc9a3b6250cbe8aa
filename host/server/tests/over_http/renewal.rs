//! Renewals: the same licence, the next number, judged again.

use keybearer_license::{DenialReason, License, LicenseOutcome, LicenseRef, RequestKind};
use keybearer_rules::Level;
use keybearer_server::{ContentSpec, RenewalSpec};

use crate::support::{Device, World, denial, key, kid, license, open_content};

fn renewable(id: &str, n: u8) -> ContentSpec {
    let renewal = RenewalSpec {
        url: Some("https://renew.example".into()),
        delay_seconds: 10,
        retry_seconds: 5,
        recovery_seconds: None,
        on_first_use: false,
        with_usage: false,
    };
    ContentSpec {
        renewal: Some(renewal),
        ..open_content(id, n)
    }
}

fn renew(device: &Device, of: &License, sequence: u64) -> LicenseOutcome {
    let kids: Vec<_> = of.keys.iter().map(|key| key.key_id).collect();
    device.acquire_with(&kids, |request| {
        let license_id = of.license_id;
        request.kind = RequestKind::Renew(LicenseRef {
            license_id,
            sequence,
            usage: Vec::new(),
        });
    })
}

#[test]
fn a_renewal_keeps_the_id_and_raises_the_number() {
    let world = World::new(vec![renewable("film", 1)]);
    let device = world.low_device();
    let first = license(device.acquire(&[kid(1)]));
    let second = license(renew(&device, &first, 1));
    assert_eq!((second.license_id, second.sequence), (first.license_id, 2));
    let third = license(renew(&device, &first, 2));
    assert_eq!(third.sequence, 3);
    // The second answer was lost: the device still holds number 1, and goes on from there.
    assert_eq!(license(renew(&device, &first, 1)).sequence, 4);
    assert_eq!(world.metric("keybearer_licenses_total"), 4);
}

#[test]
fn a_renewal_is_for_the_device_that_has_the_licence() {
    let world = World::new(vec![renewable("film", 1)]);
    let (device, other) = (world.low_device(), world.low_device());
    let first = license(device.acquire(&[kid(1)]));
    assert_eq!(
        denial(renew(&other, &first, 1)).reason,
        DenialReason::LicenseUnknown
    );
    // A number that was never issued comes from nowhere.
    assert_eq!(
        denial(renew(&device, &first, 2)).reason,
        DenialReason::LicenseUnknown
    );
}

#[test]
fn a_renewal_is_judged_like_a_first_request() {
    let world = World::new(Vec::new());
    let registry = world.server.registry();
    registry.put_content(renewable("film", 1)).unwrap();
    let device = world.low_device();
    let first = license(device.acquire(&[kid(1)]));
    let mut dearer = key(1);
    dearer.lowest_level = Level::Medium;
    let mut content = renewable("film", 1);
    content.keys = vec![dearer];
    registry.put_content(content).unwrap();
    assert_eq!(
        denial(renew(&device, &first, 1)).reason,
        DenialReason::LevelTooLow
    );
    registry.put_content(open_content("film", 1)).unwrap();
    assert_eq!(
        denial(renew(&device, &first, 1)).reason,
        DenialReason::RenewalNotAllowed
    );
    registry.remove_content("film").unwrap();
    assert_eq!(
        denial(renew(&device, &first, 1)).reason,
        DenialReason::KeyUnknown
    );
}

#[test]
fn a_licence_without_renewal_is_not_remembered() {
    let world = World::new(vec![open_content("film", 1)]);
    let device = world.low_device();
    let first = license(device.acquire(&[kid(1)]));
    assert!(first.renewal.is_none());
    assert_eq!(
        denial(renew(&device, &first, 1)).reason,
        DenialReason::LicenseUnknown
    );
}

#[test]
fn renewals_go_on_after_a_restart() {
    let world = World::new(vec![renewable("film", 1)]);
    let mut device = world.low_device();
    let first = license(device.acquire(&[kid(1)]));
    let world = world.restarted(|config| config.contents = vec![renewable("film", 1)]);
    device.follow(&world);
    assert_eq!(license(renew(&device, &first, 1)).sequence, 2);
}
