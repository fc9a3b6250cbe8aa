//! Requests that a service refuses, or a device does not build.

use alloc::vec;
use alloc::vec::Vec;

use keybearer_crypto::Label;

use super::super::exchanges::{answer, ask, build};
use super::super::samples::{
    acquire, attest, capabilities, content_key, license, provision, release, revocation_list,
    root_key, service, usage_record,
};
use super::super::world::{
    CRYPTO, TestRng, TestService, World, challenge, device_claims, service_claims, signer, validity,
};
use crate::LicenseError as E;
use crate::cose::encrypt::{SealContext, Sealed, Shown, seal};
use crate::*;

pub(super) fn opens(world: &World, service: &TestService, bytes: &[u8]) -> Option<E> {
    open_license_request(&CRYPTO, &service.keys(), &world.trust(), bytes).err()
}

#[test]
fn a_request_to_another_service_does_not_open() {
    let world = World::new();
    let (service, other) = (service(&world), world.service("other", Roles::ALL));
    let mut device = world.device("device");
    let (bytes, _) = build(&world, &service, &mut device, &acquire());
    assert_eq!(opens(&world, &other, &bytes), Some(E::Sealed));
}

#[test]
fn a_request_to_the_service_s_former_certificate_is_refused() {
    let world = World::new();
    let old = service(&world);
    let mut claims = service_claims("service", Roles::ALL);
    claims.validity = validity(25);
    let new = world.service_with(&claims);
    let (bytes, _) = build(&world, &old, &mut world.device("device"), &acquire());
    // The keys are the same; only the certificate differs.
    assert_eq!(opens(&world, &new, &bytes), Some(E::WrongAudience));
}

#[test]
fn a_service_cannot_pass_a_request_on() {
    // A hostile service opens a request to itself and seals it again to another service.
    let world = World::new();
    let (hostile, honest) = (world.service("hostile", Roles::ALL), service(&world));
    let (bytes, pending) = build(&world, &hostile, &mut world.device("device"), &acquire());
    let id = pending.request_id();
    let context = request_context(&id);
    let plaintext = unsealed(&hostile, &bytes, &context);
    let shown = Shown {
        request_id: true,
        license_id: false,
    };
    let rng = &mut TestRng::new("again");
    let to = &honest.agreement_public;
    let again = seal(&CRYPTO, rng, to, &context, &shown, &plaintext, 1 << 16).unwrap();
    assert_eq!(opens(&world, &honest, &again), Some(E::WrongAudience));
}

fn request_context(id: &RequestId) -> SealContext<'_> {
    SealContext {
        label: Label::Request,
        request_id: id,
        license_id: None,
        request: None,
        device: None,
    }
}

fn unsealed(service: &TestService, bytes: &[u8], context: &SealContext<'_>) -> Vec<u8> {
    let sealed = Sealed::parse(bytes, 1 << 16).unwrap();
    let public = &service.agreement_public;
    sealed
        .open(&CRYPTO, &service.agreement, public, context)
        .unwrap()
        .to_vec()
}

#[test]
fn a_request_of_a_foreign_device_is_refused() {
    let world = World::new();
    let service = service(&world);
    let mut device = World::of("other operator").device("device");
    let (bytes, _) = build(&world, &service, &mut device, &acquire());
    assert_eq!(opens(&world, &service, &bytes), Some(E::WrongAnchor));
}

#[test]
fn a_request_signed_with_another_device_s_key_is_refused() {
    let world = World::new();
    let service = service(&world);
    let mut device = world.device("device");
    device.signer = signer("thief");
    let (bytes, _) = build(&world, &service, &mut device, &acquire());
    assert_eq!(opens(&world, &service, &bytes), Some(E::Signature));
}

#[test]
fn a_revoked_device_is_refused_where_the_service_asks_for_it() {
    let world = World::new();
    let service = service(&world);
    let (bytes, _) = build(&world, &service, &mut world.device("device"), &acquire());
    let revoked = RevokedSerials::from_serials(vec![device_claims("device").serial]).unwrap();
    let strict = World {
        revoked,
        ..World::new()
    };
    assert_eq!(opens(&strict, &service, &bytes), Some(E::Revoked));
}

#[test]
fn one_request_is_not_another() {
    let world = World::new();
    let service = service(&world);
    let (known, mut device) = (world.known(&service), world.device("device"));
    let rng = &mut TestRng::new("requests");
    let (keys, trust) = (service.keys(), world.trust());
    let (license, _) = build(&world, &service, &mut device, &acquire());
    let time = TimeRequest {
        challenge: challenge("time"),
    };
    let (time, _) =
        build_time_request(&CRYPTO, rng, &mut device.identity(), &known, &time).unwrap();
    let (provision, _) = build_provision_request(
        &CRYPTO,
        rng,
        &mut device.signer,
        &known,
        &provision(),
        &mut unattested,
    )
    .unwrap();
    for bytes in [&time, &provision] {
        let found = open_license_request(&CRYPTO, &keys, &trust, bytes);
        assert_eq!(found.err(), Some(E::MessageType));
    }
    for bytes in [&license, &provision] {
        let found = open_time_request(&CRYPTO, &keys, &trust, bytes);
        assert_eq!(found.err(), Some(E::MessageType));
    }
    for bytes in [&license, &time] {
        let found = open_provision_request(&CRYPTO, &keys, bytes);
        assert_eq!(found.err(), Some(E::MessageType));
    }
}

#[test]
fn an_answer_is_not_a_request() {
    let world = World::new();
    let mut service = service(&world);
    let (_, opened) = ask(&world, &service, &mut world.device("device"), &acquire());
    let bytes = answer(&mut service, &opened, &license());
    assert_eq!(opens(&world, &service, &bytes), Some(E::MessageType));
}

#[test]
fn a_request_sealed_under_the_answer_s_label_does_not_open() {
    let world = World::new();
    let service = service(&world);
    let (bytes, pending) = build(&world, &service, &mut world.device("device"), &acquire());
    let id = pending.request_id();
    let plaintext = unsealed(&service, &bytes, &request_context(&id));
    for label in [
        Label::Answer,
        Label::Leaf,
        Label::Vault,
        Label::Challenge,
        Label::Ueid,
    ] {
        let context = SealContext {
            label,
            ..request_context(&id)
        };
        let shown = Shown {
            request_id: true,
            license_id: false,
        };
        let (rng, to) = (&mut TestRng::new("again"), &service.agreement_public);
        let other = seal(&CRYPTO, rng, to, &context, &shown, &plaintext, 1 << 16).unwrap();
        assert_eq!(opens(&world, &service, &other), Some(E::Sealed));
    }
}

#[test]
fn a_request_under_another_id_than_its_envelope_s_is_refused() {
    let world = World::new();
    let service = service(&world);
    let (bytes, pending) = build(&world, &service, &mut world.device("device"), &acquire());
    let plaintext = unsealed(&service, &bytes, &request_context(&pending.request_id()));
    let other = RequestId([0xee; 16]);
    let shown = Shown {
        request_id: true,
        license_id: false,
    };
    let (rng, to) = (&mut TestRng::new("again"), &service.agreement_public);
    let context = request_context(&other);
    let again = seal(&CRYPTO, rng, to, &context, &shown, &plaintext, 1 << 16).unwrap();
    assert_eq!(opens(&world, &service, &again), Some(E::WrongRequest));
}

#[test]
fn requests_that_contradict_themselves_are_not_built() {
    let world = World::new();
    let service = service(&world);
    let mut device = world.device("device");
    let known = world.known(&service);
    let mut refused = |request: &LicenseRequest| {
        let rng = &mut TestRng::new("request");
        build_license_request(
            &CRYPTO,
            rng,
            &mut device.identity(),
            &known,
            request,
            &mut unattested,
        )
        .err()
        .unwrap()
    };
    let key = KeyId([1; 16]);
    let twice = LicenseRequest {
        keys: vec![key, KeyId([2; 16]), key],
        ..acquire()
    };
    assert_eq!(refused(&twice), E::Invalid);
    let nothing = LicenseRequest {
        keys: vec![],
        init_data: vec![],
        ..acquire()
    };
    assert_eq!(refused(&nothing), E::Invalid);
    let foreign = UsageRecord {
        license_id: LicenseId([9; 16]),
        ..usage_record()
    };
    let with = |usage| LicenseRef {
        license_id: LicenseId([0x1c; 16]),
        sequence: 7,
        usage,
    };
    let kind = RequestKind::Release(with(vec![usage_record(), foreign]));
    assert_eq!(refused(&LicenseRequest { kind, ..release() }), E::Invalid);
    let kind = RequestKind::Release(with(vec![]));
    assert_eq!(refused(&LicenseRequest { kind, ..release() }), E::Invalid);
    let cap = E::Malformed(keybearer_cbor::Error::SizeCap);
    let long = LicenseRequest {
        token: Some(vec![0; MAX_TOKEN + 1]),
        ..acquire()
    };
    assert_eq!(refused(&long), cap);
    let many = (0..=MAX_KEYS)
        .map(|i| KeyId([i.try_into().unwrap(); 16]))
        .collect();
    assert_eq!(
        refused(&LicenseRequest {
            keys: many,
            ..acquire()
        }),
        cap
    );
    let item = InitData {
        system_id: SYSTEM_ID,
        data: vec![0; MAX_INIT_DATA_BYTES + 1],
    };
    assert_eq!(
        refused(&LicenseRequest {
            init_data: vec![item],
            ..acquire()
        }),
        cap
    );
    let item = InitData {
        system_id: SYSTEM_ID,
        data: vec![],
    };
    let many = LicenseRequest {
        init_data: vec![item; MAX_INIT_DATA + 1],
        ..acquire()
    };
    assert_eq!(refused(&many), cap);
    let outputs = capabilities()
        .outputs
        .map(|outputs| vec![outputs[0]; MAX_OUTPUTS + 1]);
    let capabilities = Capabilities {
        outputs,
        ..capabilities()
    };
    assert_eq!(
        refused(&LicenseRequest {
            capabilities,
            ..acquire()
        }),
        cap
    );
}

#[test]
fn the_fullest_request_and_the_fullest_licence_fit() {
    let world = World::new();
    let mut service = service(&world);
    let outputs = capabilities()
        .outputs
        .map(|outputs| vec![outputs[0]; MAX_OUTPUTS]);
    let capabilities = Capabilities {
        outputs,
        ..capabilities()
    };
    let item = InitData {
        system_id: SYSTEM_ID,
        data: vec![0xff; MAX_INIT_DATA_BYTES],
    };
    let record = UsageRecord {
        plays: u32::MAX,
        counter: u64::MAX,
        ..usage_record()
    };
    let license_id = record.license_id;
    let usage = vec![record; MAX_USAGE_RECORDS];
    let ids = 0..u8::try_from(MAX_KEYS).unwrap();
    let request = LicenseRequest {
        kind: RequestKind::Renew(LicenseRef {
            license_id,
            sequence: 7,
            usage,
        }),
        keys: ids.clone().map(|id| KeyId([id; 16])).collect(),
        init_data: vec![item; MAX_INIT_DATA],
        host_stated: capabilities.clone(),
        capabilities,
        token: Some(vec![0xff; MAX_TOKEN]),
        ..acquire()
    };
    let mut longest = |nonce: &Digest| {
        let attestation = attest(nonce)?.map(|attestation| Attestation {
            proof: vec![0xff; MAX_ATTESTATION],
            ..attestation
        });
        Ok(attestation)
    };
    let (known, rng) = (world.known(&service), &mut TestRng::new("request"));
    let device = &mut world.device("device");
    let (bytes, pending) = build_license_request(
        &CRYPTO,
        rng,
        &mut device.identity(),
        &known,
        &request,
        &mut longest,
    )
    .unwrap();
    let opened = open_license_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    let full_use = || {
        let mut usage = root_key().usage;
        usage.source.profile = Some("p".repeat(MAX_TEXT));
        usage.max_clear_bytes = Some(u32::MAX);
        usage
    };
    let full = License {
        keys: ids
            .map(|id| ContentKey {
                usage: full_use(),
                period: Some(u64::MAX),
                ..content_key(id)
            })
            .collect(),
        roots: (0..u8::try_from(MAX_ROOTS).unwrap())
            .map(|id| RootKey {
                root_id: RootId([id; 16]),
                usage: full_use(),
                last_period: u64::MAX,
                ..root_key()
            })
            .collect(),
        ..license()
    };
    let bytes = answer(&mut service, &opened, &full);
    assert!(bytes.len() < MAX_LICENSE_ANSWER);
    assert!(open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes).is_ok());
}

#[test]
fn oversized_messages_are_refused_unread() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, _) = ask(&world, &service, &mut world.device("device"), &acquire());
    let too_long = vec![0; MAX_LICENSE_REQUEST + 1];
    assert_eq!(opens(&world, &service, &too_long), Some(E::Size));
    let too_long = vec![0; MAX_LICENSE_ANSWER + 1];
    let found = open_license_answer(&CRYPTO, &pending, &world.trust(), &too_long);
    assert_eq!(found.err(), Some(E::Size));
    let too_long = vec![0; MAX_REVOCATION_LIST + 1];
    let found = open_revocation_list(&CRYPTO, &world.trust(), &too_long);
    assert_eq!(found.err(), Some(E::Size));
    let serials = (0..=MAX_REVOKED)
        .map(|i| Serial(u128::try_from(i).unwrap().to_be_bytes()))
        .collect::<Vec<_>>();
    let list = RevocationList {
        serials: serials.clone(),
        ..revocation_list()
    };
    assert_eq!(
        sign_revocation_list(&mut service.identity(), &list),
        Err(E::Size)
    );
    let most = RevocationList {
        serials: serials[1..].to_vec(),
        ..revocation_list()
    };
    let bytes = sign_revocation_list(&mut service.identity(), &most).unwrap();
    assert_eq!(
        open_revocation_list(&CRYPTO, &world.trust(), &bytes),
        Ok(most)
    );
}
