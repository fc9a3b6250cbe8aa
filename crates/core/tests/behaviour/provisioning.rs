//! How a device gets its certificate, and how it loses it.

use keybearer_core::{Caller, NoMedia, Slot, SlotKind};
use keybearer_crypto::Digest;
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{
    DebugStatus, Denial, DenialReason, Isolation, ProvisionToken, Roles, Ueid, UnixTime, Validity,
    key_digest,
};
use keybearer_rules::Level;
use keybearer_wire::field::{Blob, Text};
use keybearer_wire::limits::{MAX_ANCHORS, MAX_REQUEST};
use keybearer_wire::{Body, Status, body};

use super::scenes::unsealed;
use crate::support::{Device, NOW, Provisioned, Service};

#[test]
fn a_device_is_certified_and_stays_so_across_restarts() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    let request = device.begin(anchor, &service.info()).unwrap();
    let (digest, provisioned) = device.device_key(anchor).unwrap();
    assert!(!provisioned);
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
    service.certifies = (Level::Low, DebugStatus::Enabled);
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

/// One client must not take from all others what the device was certified for.
#[test]
fn a_valid_certificate_is_not_replaced_by_one_of_a_lower_level() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    service.certifies = (Level::Medium, DebugStatus::Disabled);
    device.provision(&mut service);
    for worse in [
        (Level::Low, DebugStatus::Disabled),
        (Level::Medium, DebugStatus::Enabled),
    ] {
        let before = device.world.get().slots.clone();
        let request = device.begin(anchor, &service.info()).unwrap();
        service.certifies = worse;
        let answer = service.certify(&request);
        assert_eq!(device.finish(anchor, &answer), Err(Status::LowerLevel));
        assert_eq!(device.world.get().slots, before);
        // The request goes on waiting for an answer that serves.
        service.certifies = (Level::Medium, DebugStatus::Disabled);
        let answer = service.certify(&request);
        assert!(device.finish(anchor, &answer).is_ok());
    }
}

/// What no longer counts may be replaced by anything.
#[test]
fn an_ended_or_revoked_certificate_is_replaced_by_any() {
    for revoked in [false, true] {
        let (mut device, mut service) = (Device::new(1), Service::new(1));
        let anchor = service.anchor();
        let request = device.begin(anchor, &service.info()).unwrap();
        let mut serial = None;
        let answer = service.certify_as(&request, |claims| {
            serial = Some(claims.serial);
            claims.validity.not_after = UnixTime(NOW + 100);
        });
        device.finish(anchor, &answer).unwrap();
        if revoked {
            let list = service.revocation_list(1, &[serial.unwrap()]);
            device.load_list(anchor, &list).unwrap();
        } else {
            service.now += 100;
            device.advance(100_000);
        }
        service.certifies = (Level::Low, DebugStatus::Disabled);
        let request = device.begin(anchor, &service.info()).unwrap();
        let answer = service.certify(&request);
        assert!(device.finish(anchor, &answer).is_ok(), "{revoked}");
    }
}

/// Eight typing errors would fill the room for identities, and they are durable.
#[test]
fn asking_for_a_key_makes_one_only_under_a_built_in_anchor() {
    let mut service = Service::new(1);
    let anchor = service.anchor();
    let mut device = Device::new(1);
    for typo in 0..=u8::try_from(MAX_ANCHORS).unwrap() {
        assert_eq!(
            device.device_key(Digest([typo; 32])),
            Err(Status::NotProvisioned)
        );
    }
    assert_eq!(device.world.get().slots.len(), 0);
    // The service has proved itself under the anchor: the key is there and may be asked for.
    device.begin(anchor, &service.info()).unwrap();
    assert!(device.device_key(anchor).is_ok());

    let mut trusted = Device::trusted(2, anchor);
    let (digest, provisioned) = trusted.device_key(anchor).unwrap();
    assert!(!provisioned);
    assert_eq!(trusted.device_key(anchor), Ok((digest, false)));
    assert_eq!(
        trusted.device_key(Digest([1; 32])),
        Err(Status::UnknownAnchor)
    );
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
    assert_eq!(device.open(&mut service), Err(Status::NotProvisioned));
    let request = device.begin(anchor, &service.info()).unwrap();
    let (other, provisioned) = device.device_key(anchor).unwrap();
    assert_ne!(key, other);
    assert!(!provisioned);
    assert_eq!(
        device.finish(anchor, &answer),
        Err(Status::NotForThisRequest)
    );
    assert_ne!(service.read_provision(&request).request.ueid, before);
    // Erasing nothing is no error.
    device.erase(Digest([0x77; 32])).unwrap();
}

#[test]
fn a_model_and_a_token_must_be_what_the_protocol_carries() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let info = service.info();
    let long = vec![1; 4_097];
    // The wire's limits are the protocol's: beyond them nothing can even be said.
    let said = |model, token| body::BeginProvisioning {
        anchor: [0; 32],
        service_info: Blob(&info),
        token_kind: body::TokenKind::Enrollment,
        token: Blob(token),
        model: Text(model),
    };
    let fits = |model, token| said(model, token).encode(MAX_REQUEST).is_ok();
    let model = "a model name of precisely 33 byte";
    assert!(fits(&model[1..], &long[1..]));
    assert!(!fits(model, &long[1..]) && !fits(&model[1..], &long));
    let cases: [(&str, &[u8], Status); 3] = [
        ("", b"token", Status::Malformed),
        ("Modèle", b"token", Status::Malformed),
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
fn the_answer_must_come_from_the_service_that_was_asked() {
    let (mut device, mut service) = (Device::new(1), Service::new(1));
    let anchor = service.anchor();
    // The first time round anchors the time.
    device.provision(&mut service);
    let request = device.begin(anchor, &service.info()).unwrap();
    let before = device.world.get().slots.clone();
    let mut ended = service.sibling(3, "service.example", Roles::PROVISIONING);
    let validity = Validity {
        not_before: UnixTime(NOW - 100),
        not_after: UnixTime(NOW - 50),
    };
    ended.recertify(Roles::PROVISIONING, validity);
    let cases = [
        (
            service.sibling(2, "other.example", Roles::PROVISIONING),
            Status::WrongService,
        ),
        (ended, Status::OutsideValidity),
        (Service::new(9), Status::BadChain),
    ];
    for (mut signer, status) in cases {
        let answer = service.certify_signed_by(&mut signer, &request);
        assert_eq!(device.finish(anchor, &answer), Err(status));
    }
    let answer = service.certify(&request);
    let list = service.revocation_list(1, &[service.serial]);
    assert_eq!(device.world.get().slots, before);
    device.load_list(anchor, &list).unwrap();
    assert_eq!(device.finish(anchor, &answer), Err(Status::Revoked));
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
    device.client = device.core.connect(Caller::Host).unwrap();
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
        device.client = device.core.connect(Caller::Host).unwrap();
        let request = device.begin(anchor, &service.info()).unwrap();
        owners.push((device.client, service.certify(&request)));
    }
    device.client = device.core.connect(Caller::Host).unwrap();
    assert_eq!(
        device.begin(anchor, &service.info()),
        Err(Status::LimitExceeded)
    );
    // Nor is a key made for a request that finds no room.
    let mut other = Service::new(2);
    let info = other.info();
    let before = device.world.get().slots.clone();
    assert_eq!(
        device.begin(other.anchor(), &info),
        Err(Status::LimitExceeded)
    );
    assert_eq!(device.world.get().slots, before);
    let (owner, answer) = owners.remove(0);
    device.client = owner;
    assert!(device.finish(anchor, &answer).is_ok());
}
