//! Which anchors and which services the core believes.

use keybearer_core::Anchors;
use keybearer_crypto::Digest;
use keybearer_license::{Isolation, Roles, UnixTime, Validity};
use keybearer_rules::Level;
use keybearer_wire::Status;
use keybearer_wire::limits::MAX_ANCHORS;

use super::scenes::spoiled;
use crate::support::{Device, NOW, Service};

#[test]
fn only_permitted_anchors_are_used() {
    let (mut service, other) = (Service::new(1), Service::new(2));
    let mut device = Device::trusted(1, other.anchor());
    let anchor = service.anchor();
    assert_eq!(device.device_key(anchor), Err(Status::UnknownAnchor));
    assert_eq!(
        device.begin(anchor, &service.info()),
        Err(Status::UnknownAnchor)
    );
    assert_eq!(device.finish(anchor, &[]), Err(Status::UnknownAnchor));
    assert_eq!(device.erase(anchor), Err(Status::UnknownAnchor));
    assert_eq!(device.open(&mut service), Err(Status::UnknownAnchor));
    assert_eq!(device.load_list(anchor, &[]), Err(Status::UnknownAnchor));
    assert!(device.world.get().slots.is_empty());
    assert!(device.device_key(other.anchor()).is_ok());
}

#[test]
fn at_medium_and_high_the_application_names_no_anchor() {
    for level in [Level::Medium, Level::High] {
        let mut device = Device::with(1, |config, _| {
            config.level = level;
            config.isolation = Isolation::Tee;
            config.anchors = Anchors::Application;
        });
        assert_eq!(
            device.device_key(Digest([1; 32])),
            Err(Status::UnknownAnchor)
        );
    }
}

#[test]
fn identities_are_limited_in_number() {
    let mut device = Device::new(1);
    let mut services: Vec<_> = (0..=MAX_ANCHORS)
        .map(|seed| Service::new(u64::try_from(seed).unwrap()))
        .collect();
    let mut last = services.pop().unwrap();
    for service in &mut services {
        device.provision(service);
    }
    let (anchor, info) = (last.anchor(), last.info());
    assert_eq!(device.begin(anchor, &info), Err(Status::LimitExceeded));
    device.erase(services[0].anchor()).unwrap();
    assert!(device.begin(anchor, &info).is_ok());
}

#[test]
fn anchors_share_nothing_that_links_the_device() {
    let (mut device, mut one, mut two) = (Device::new(1), Service::new(1), Service::new(2));
    device.provision(&mut one);
    device.provision(&mut two);
    let mut said = Vec::new();
    for service in [&mut one, &mut two] {
        let request = device.begin(service.anchor(), &service.info()).unwrap();
        let read = service.read_provision(&request);
        said.push((
            read.device_key,
            read.request.ueid,
            read.request.evidence.boot_id,
        ));
    }
    assert_ne!(said[0].0, said[1].0);
    assert_ne!(said[0].1, said[1].1);
    assert_ne!(said[0].2, said[1].2);
    // Within an anchor identifier and key stay; the boot identity stays for the boot.
    let request = device.begin(one.anchor(), &one.info()).unwrap();
    let again = one.read_provision(&request);
    assert_eq!(
        (again.device_key, again.request.ueid),
        (said[0].0, said[0].1)
    );
    assert_eq!(again.request.evidence.boot_id, said[0].2);
    device.reboot();
    let request = device.begin(one.anchor(), &one.info()).unwrap();
    let rebooted = one.read_provision(&request);
    assert_eq!(rebooted.request.ueid, said[0].1);
    assert_ne!(rebooted.request.evidence.boot_id, said[0].2);
}

/// Everything wrong with a service info, for the commands that take one.
#[test]
fn a_service_must_prove_itself_before_anything_is_written() {
    let (mut service, mut other) = (Service::new(1), Service::new(2));
    let anchor = service.anchor();
    let mut without_role = service.sibling(3, "license.example", Roles::LICENSE);
    let cases = [
        (other.info(), Status::BadChain),
        (vec![0xa0], Status::BadMessage),
        (Vec::new(), Status::BadMessage),
        (spoiled(&service.info()), Status::BadSignature),
        (without_role.info(), Status::RoleMissing),
    ];
    for (info, status) in cases {
        let mut device = Device::new(1);
        assert_eq!(device.begin(anchor, &info), Err(status));
        assert!(device.world.get().slots.is_empty(), "{status:?}");
    }
    let mut provisioner = service.sibling(4, "provisioning.example", Roles::PROVISIONING);
    let cases = [
        (other.info(), Status::BadChain),
        (vec![0xa0], Status::BadMessage),
        (spoiled(&service.info()), Status::BadSignature),
        (provisioner.info(), Status::RoleMissing),
    ];
    let mut device = Device::new(1);
    device.provision(&mut service);
    for (info, status) in cases {
        assert_eq!(device.open_with(anchor, &info), Err(status));
    }
}

#[test]
fn an_ended_or_revoked_service_is_refused() {
    let mut service = Service::new(1);
    let mut device = Device::new(1);
    // The provision answer anchors the time.
    device.provision(&mut service);
    let anchor = service.anchor();
    let mut ended = service.sibling(
        2,
        "ended.example",
        Roles::LICENSE.union(Roles::PROVISIONING),
    );
    ended.recertify(
        Roles::LICENSE.union(Roles::PROVISIONING),
        Validity {
            not_before: UnixTime(NOW - 100),
            not_after: UnixTime(NOW + 10),
        },
    );
    let info = ended.info();
    assert!(device.open_with(anchor, &info).is_ok());
    device.advance(10_000);
    assert_eq!(
        device.open_with(anchor, &info),
        Err(Status::OutsideValidity)
    );
    assert_eq!(device.begin(anchor, &info), Err(Status::OutsideValidity));
    let mut early = service.sibling(3, "early.example", Roles::LICENSE);
    early.recertify(
        Roles::LICENSE,
        Validity {
            not_before: UnixTime(NOW + 1_000),
            not_after: UnixTime(NOW + 2_000),
        },
    );
    assert_eq!(
        device.open_with(anchor, &early.info()),
        Err(Status::OutsideValidity)
    );

    let info = service.info();
    let list = service.revocation_list(1, &[service.serial]);
    device.load_list(anchor, &list).unwrap();
    assert_eq!(device.open_with(anchor, &info), Err(Status::Revoked));
    assert_eq!(device.begin(anchor, &info), Err(Status::Revoked));
}
