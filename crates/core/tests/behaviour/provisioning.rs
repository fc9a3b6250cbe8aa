//! Anchors, keys under them, and the certificate that makes a device of one.

use keybearer_core::{Anchors, NoMedia, Slot, SlotKind};
use keybearer_crypto::Digest;
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{
    DebugStatus, Denial, DenialReason, Isolation, ProvisionToken, Roles, Serial, Ueid, UnixTime,
    Validity, key_digest,
};
use keybearer_rules::Level;
use keybearer_wire::Status;
use keybearer_wire::body;
use keybearer_wire::field::{Blob, Text};
use keybearer_wire::limits::MAX_ANCHORS;

use crate::support::{Device, NOW, Provisioned, Service};

/// Flips the last bit of a sealed message's middle, which is ciphertext.
pub(crate) fn unsealed(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    let middle = message.len() / 2;
    message[middle] ^= 1;
    message
}

/// Flips the last bit of a signed message, which is of its signature.
pub(crate) fn spoiled(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    *message.last_mut().unwrap() ^= 1;
    message
}

#[test]
fn a_device_is_certified_and_stays_so_across_restarts() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    let (digest, provisioned) = device.device_key(anchor).unwrap();
    assert!(!provisioned);
    let request = device.begin(anchor, &service.info()).unwrap();
    let read = service.read_provision(&request);
    assert_eq!(key_digest(&SoftCrypto, &read.device_key).unwrap().0, digest);
    assert_eq!(
        read.request.token,
        ProvisionToken::Enrolment(b"token".to_vec())
    );
    assert_eq!(read.request.evidence.level, Level::Low);
    assert_eq!(read.request.evidence.isolation, Isolation::InProcess);
    assert_eq!(read.request.evidence.debug, DebugStatus::Enabled);
    assert!(!read.request.evidence.time_anchored);

    let answer = service.certify(&request);
    let certified = Provisioned::Certified {
        level: Level::Medium.code(),
        debug: true,
    };
    assert_eq!(device.finish(anchor, &answer), Ok(certified));
    assert_eq!(device.device_key(anchor), Ok((digest, true)));
    device.reboot();
    assert_eq!(device.device_key(anchor), Ok((digest, true)));
    assert!(device.open(&mut service).is_ok());
}

#[test]
fn provisioning_again_replaces_the_certificate_and_keeps_the_key() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    device.provision(&mut service);
    let key = device.device_key(service.anchor()).unwrap();
    service.certifies = (Level::Low, DebugStatus::Disabled);
    let request = device.begin(service.anchor(), &service.info()).unwrap();
    assert!(
        service
            .read_provision(&request)
            .request
            .evidence
            .time_anchored
    );
    let answer = service.certify(&request);
    let certified = Provisioned::Certified {
        level: Level::Low.code(),
        debug: false,
    };
    assert_eq!(device.finish(service.anchor(), &answer), Ok(certified));
    assert_eq!(device.device_key(service.anchor()), Ok(key));
}

#[test]
fn a_factory_token_travels_as_one() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let info = service.info();
    let request = body::BeginProvisioning {
        anchor: service.anchor().0,
        service_info: Blob(&info),
        token_kind: body::TokenKind::Factory,
        token: Blob(b"factory"),
        model: Text("Model X"),
    };
    let message = device
        .call(&request, &mut NoMedia, |a| a.bytes.0.to_vec())
        .unwrap();
    let token = service.read_provision(&message).request.token;
    assert_eq!(token, ProvisionToken::Factory(b"factory".to_vec()));
}

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
    for anchor in 0..MAX_ANCHORS {
        assert!(
            device
                .device_key(Digest([u8::try_from(anchor).unwrap(); 32]))
                .is_ok()
        );
    }
    assert_eq!(
        device.device_key(Digest([0xff; 32])),
        Err(Status::LimitExceeded)
    );
    let mut service = Service::new(1);
    let info = service.info();
    assert_eq!(
        device.begin(service.anchor(), &info),
        Err(Status::LimitExceeded)
    );
    device.erase(Digest([0; 32])).unwrap();
    assert!(device.device_key(Digest([0xff; 32])).is_ok());
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

#[test]
fn erasing_makes_another_device() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    device.provision(&mut service);
    let request = device.begin(anchor, &service.info()).unwrap();
    let before = service.read_provision(&request).request.ueid;
    let answer = service.certify(&request);
    let (key, _) = device.device_key(anchor).unwrap();
    let session = device.open(&mut service).unwrap();
    device.erase(anchor).unwrap();
    assert_eq!(device.statuses(session), Err(Status::UnknownSession));
    assert_eq!(device.finish(anchor, &answer), Err(Status::NotProvisioned));
    assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
    assert!(
        device
            .world
            .get()
            .slots
            .keys()
            .all(|slot| slot.kind == SlotKind::Anchors)
    );
    let (other, provisioned) = device.device_key(anchor).unwrap();
    assert_ne!(key, other);
    assert!(!provisioned);
    assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
    assert_eq!(
        device.finish(anchor, &answer),
        Err(Status::NoPendingProvisioning)
    );
    let request = device.begin(anchor, &service.info()).unwrap();
    assert_ne!(service.read_provision(&request).request.ueid, before);
    // Erasing nothing is no error.
    device.erase(Digest([0x77; 32])).unwrap();
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

#[test]
fn a_model_and_a_token_must_be_what_the_protocol_carries() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let info = service.info();
    let long = vec![1; 5_000];
    let cases: [(&str, &[u8], Status); 5] = [
        ("", b"token", Status::Malformed),
        ("Modèle", b"token", Status::Malformed),
        (
            "a model name of more than 32 bytes",
            b"token",
            Status::Malformed,
        ),
        ("Model X", &long, Status::LimitExceeded),
        ("Model X", b"", Status::LimitExceeded),
    ];
    for (model, token, status) in cases {
        let request = body::BeginProvisioning {
            anchor: service.anchor().0,
            service_info: Blob(&info),
            token_kind: body::TokenKind::Enrollment,
            token: Blob(token),
            model: Text(model),
        };
        assert_eq!(
            device.call(&request, &mut NoMedia, |_| ()),
            Err(status),
            "{model} {token:?}"
        );
    }
}

/// A wrong answer writes nothing, and the right one is still taken afterwards.
#[test]
fn anything_wrong_with_the_answer_writes_nothing() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    assert_eq!(device.finish(anchor, &[]), Err(Status::NotProvisioned));
    device.device_key(anchor).unwrap();
    assert_eq!(
        device.finish(anchor, &[]),
        Err(Status::NoPendingProvisioning)
    );
    let first = device.begin(anchor, &service.info()).unwrap();
    let stale = service.certify(&first);
    let request = device.begin(anchor, &service.info()).unwrap();
    let before = device.world.get().slots.clone();

    let other_key = Device::new(2).begin(anchor, &service.info()).unwrap();
    let other_key = service.read_provision(&other_key).device_key;
    let stranger = Service::new(9);
    let cases = [
        (stale, Status::NotForThisRequest),
        (vec![0xa0], Status::BadMessage),
        (unsealed(&service.certify(&request)), Status::BadSignature),
        (
            service.certify_as(&request, |c| c.ueid = Ueid::from_device(&[9; 32])),
            Status::NotForThisDevice,
        ),
        (
            service.certify_as(&request, |c| c.signing_key = other_key),
            Status::NotForThisDevice,
        ),
        (service.certify_under(&stranger, &request), Status::BadChain),
    ];
    for (answer, status) in cases {
        assert_eq!(device.finish(anchor, &answer), Err(status));
        assert_eq!(device.world.get().slots, before, "{status:?}");
    }
    let validity = Validity {
        not_before: UnixTime(NOW - 10),
        not_after: UnixTime(NOW + 10_000),
    };
    service.recertify(Roles::LICENSE, validity);
    let unfit = service.certify_sealed_before(&request);
    assert_eq!(device.finish(anchor, &unfit), Err(Status::RoleMissing));
    assert_eq!(device.world.get().slots, before);
    service.recertify(Roles::PROVISIONING.union(Roles::TIME), validity);
    let answer = service.certify_sealed_before(&request);
    assert!(matches!(
        device.finish(anchor, &answer),
        Ok(Provisioned::Certified { .. })
    ));
    assert_eq!(
        device.finish(anchor, &answer),
        Err(Status::NoPendingProvisioning)
    );
}

#[test]
fn a_denial_is_reported_and_uses_the_request_up() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    let request = device.begin(anchor, &service.info()).unwrap();
    let denial = Denial::new(DenialReason::TokenReplayed);
    let answer = service.refuse_provisioning(&request, &denial);
    let denied = Provisioned::Denied(DenialReason::TokenReplayed.code());
    assert_eq!(device.finish(anchor, &answer), Ok(denied));
    assert_eq!(
        device.finish(anchor, &answer),
        Err(Status::NoPendingProvisioning)
    );
    let certificate = Slot::under(SlotKind::Certificate, &anchor);
    assert!(!device.world.get().slots.contains_key(&certificate));
    assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
}

#[test]
fn a_pending_request_belongs_to_its_client() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    let request = device.begin(anchor, &service.info()).unwrap();
    let answer = service.certify(&request);
    let owner = device.client;
    device.client = device.core.connect();
    assert_eq!(
        device.finish(anchor, &answer),
        Err(Status::NoPendingProvisioning)
    );
    device.core.disconnect(owner);
    device.client = owner;
    assert_eq!(
        device.finish(anchor, &answer),
        Err(Status::NoPendingProvisioning)
    );
}

#[test]
fn nobody_elses_pending_request_is_dropped_for_room() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    let mut owners = Vec::new();
    for _ in 0..MAX_ANCHORS {
        device.client = device.core.connect();
        let request = device.begin(anchor, &service.info()).unwrap();
        owners.push((device.client, service.certify(&request)));
    }
    device.client = device.core.connect();
    assert_eq!(
        device.begin(anchor, &service.info()),
        Err(Status::LimitExceeded)
    );
    let (owner, answer) = owners.remove(0);
    device.client = owner;
    assert!(device.finish(anchor, &answer).is_ok());
}

/// A sealed record from another slot, another device or another time of writing its bytes.
#[test]
fn sealed_records_open_only_where_they_were_sealed() {
    let (mut one, mut two) = (Device::new(1), Device::new(2));
    let (mut service, mut other) = (Service::new(1), Service::new(2));
    for device in [&mut one, &mut two] {
        device.provision(&mut service);
        device.provision(&mut other);
    }
    let list = service.revocation_list(1, &[Serial([1; 16])]);
    one.load_list(service.anchor(), &list).unwrap();
    let honest = one.world.get().slots.clone();
    let anchor = service.anchor();
    let slot = |kind| Slot::under(kind, &anchor);
    for kind in [SlotKind::Certificate, SlotKind::Time, SlotKind::Revocation] {
        let other_device = two.world.get().slots.get(&slot(kind)).cloned();
        let other_anchor = honest.get(&Slot::under(kind, &other.anchor())).cloned();
        let other_slot = honest[&slot(match kind {
            SlotKind::Time => SlotKind::Certificate,
            _ => SlotKind::Time,
        })]
            .clone();
        let mut damaged = vec![Vec::new(), vec![1; 12]];
        let record = honest[&slot(kind)].clone();
        for at in 0..record.len() {
            let mut flipped = record.clone();
            flipped[at] ^= 0x10;
            damaged.push(flipped);
        }
        damaged.push(record[..record.len() - 1].to_vec());
        damaged.push([&record[..], &[0]].concat());
        let foreign = [other_device, other_anchor, Some(other_slot)]
            .into_iter()
            .flatten();
        for record in foreign.chain(damaged) {
            one.world.get().slots = honest.clone();
            one.world.get().slots.insert(slot(kind), record);
            one.restart();
            assert_eq!(one.open(&mut service), Err(Status::Platform), "{kind:?}");
        }
    }
    one.world.get().slots = honest;
    one.restart();
    assert!(one.open(&mut service).is_ok());
}

#[test]
fn identity_records_of_another_format_are_refused() {
    let mut service = Service::new(1);
    for kind in [SlotKind::Identity, SlotKind::Anchors] {
        let mut device = Device::new(1);
        device.provision(&mut service);
        let slot = match kind {
            SlotKind::Anchors => Slot { kind, id: [0; 32] },
            _ => Slot::under(kind, &service.anchor()),
        };
        let record = device.world.get().slots[&slot].clone();
        let mut other_version = record.clone();
        other_version[0] = 2;
        for bad in [
            Vec::new(),
            other_version,
            record[..record.len() - 1].to_vec(),
        ] {
            device.world.get().slots.insert(slot, bad);
            device.restart();
            // The list is only read when an identity is made.
            let outcome = match kind {
                SlotKind::Anchors => device.device_key(Digest([5; 32])).map(|_| ()),
                _ => device.open(&mut service).map(|_| ()),
            };
            assert_eq!(outcome, Err(Status::Platform));
        }
    }
}
