//! Every refusal by name: wrong ends, wrong messages, wrong contents.

use alloc::vec;
use alloc::vec::Vec;

use keybearer_crypto::{Digest, Label, Secret};

use super::exchanges::{answer, ask, build};
use super::samples::{
    acquire, bare_acquire, bare_license, capabilities, content_key, denial, head, info, license,
    provision, release, renew, revocation_list, root_key, service, usage_record,
};
use super::world::{
    BrokenRng, BrokenSigner, CRYPTO, DAY, NOW, TestRng, TestService, World, challenge,
    device_claims, public, service_claims, signer, ueid, validity,
};
use crate::LicenseError as E;
use crate::cose::encrypt::{SealContext, Sealed, Shown, seal};
use crate::cose::sign::{SignedBy, sign};
use crate::*;

// ---- Requests at the service

fn opens(world: &World, service: &TestService, bytes: &[u8]) -> Option<E> {
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
    let (provision, _) =
        build_provision_request(&CRYPTO, rng, &mut device.signer, &known, &provision()).unwrap();
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
        build_license_request(&CRYPTO, rng, &mut device.identity(), &known, request)
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
        evidence: Evidence {
            attestation: Some(vec![0xff; MAX_ATTESTATION]),
            ..acquire().evidence
        },
        host_stated: capabilities.clone(),
        capabilities,
        token: Some(vec![0xff; MAX_TOKEN]),
        ..acquire()
    };
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &request);
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

// ---- Answers at the device

fn accepts(world: &World, pending: &PendingLicense, bytes: &[u8]) -> Option<E> {
    open_license_answer(&CRYPTO, pending, &world.trust(), bytes).err()
}

#[test]
fn only_the_diagonal_opens() {
    let world = World::new();
    let mut service = service(&world);
    let mut asked: Vec<(PendingLicense, Vec<u8>)> = Vec::new();
    for (name, seed) in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")] {
        let (known, mut device) = (world.known(&service), world.device(name));
        let rng = &mut TestRng::new(seed);
        let (bytes, pending) =
            build_license_request(&CRYPTO, rng, &mut device.identity(), &known, &acquire())
                .unwrap();
        let opened =
            open_license_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
        asked.push((pending, answer(&mut service, &opened, &license())));
    }
    for (asking, (pending, _)) in asked.iter().enumerate() {
        for (answering, (_, bytes)) in asked.iter().enumerate() {
            let expected = (asking != answering).then_some(E::WrongRequest);
            assert_eq!(accepts(&world, pending, bytes), expected);
        }
    }
}

#[test]
fn an_answer_made_for_another_device_does_not_open() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &acquire());
    // The envelope fits the request, but the key schedule names another device.
    let mut exchange = opened.exchange.clone();
    exchange.device = Some(Digest([0; 32]));
    let opened = OpenedLicense { exchange, ..opened };
    let bytes = answer(&mut service, &opened, &license());
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::Sealed));
}

#[test]
fn an_answer_under_the_request_s_label_does_not_open() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &acquire());
    let bytes = answer(&mut service, &opened, &license());
    let exchange = &opened.exchange;
    let id = license().license_id;
    let context = SealContext {
        label: Label::Answer,
        request_id: &exchange.request_id,
        license_id: Some(&id),
        request: Some(&exchange.request_digest),
        device: exchange.device.as_ref(),
    };
    let sealed = Sealed::parse(&bytes, 1 << 16).unwrap();
    let common = &pending.common;
    let plaintext = sealed
        .open(
            &CRYPTO,
            &common.agreement,
            &exchange.agreement_key,
            &context,
        )
        .unwrap();
    let shown = Shown {
        request_id: false,
        license_id: true,
    };
    let again = |context: &SealContext<'_>| {
        let rng = &mut TestRng::new("again");
        let to = &exchange.agreement_key;
        seal(&CRYPTO, rng, to, context, &shown, &plaintext, 1 << 16).unwrap()
    };
    assert_eq!(accepts(&world, &pending, &again(&context)), None);
    let other = SealContext {
        label: Label::Request,
        ..context
    };
    assert_eq!(accepts(&world, &pending, &again(&other)), Some(E::Sealed));
    let other_id = RequestId([0; 16]);
    let other = SealContext {
        request_id: &other_id,
        ..context
    };
    assert_eq!(accepts(&world, &pending, &again(&other)), Some(E::Sealed));
    // The envelope's licence id is part of the key schedule and must be the body's.
    let other_id = LicenseId([0; 16]);
    let other = SealContext {
        license_id: Some(&other_id),
        ..context
    };
    assert_eq!(
        accepts(&world, &pending, &again(&other)),
        Some(E::WrongLicense)
    );
    let none = SealContext {
        license_id: None,
        ..context
    };
    assert_eq!(
        accepts(&world, &pending, &again(&none)),
        Some(E::WrongLicense)
    );
}

#[test]
fn an_answer_of_another_service_is_refused() {
    let world = World::new();
    let (service, mut other) = (service(&world), world.service("other", Roles::ALL));
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &acquire());
    let bytes = answer(&mut other, &opened, &license());
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::WrongService));
}

#[test]
fn an_answer_under_another_anchor_is_refused() {
    let world = World::new();
    let service = service(&world);
    let other = World::of("other operator");
    let mut impostor = other.service("service", Roles::ALL);
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &acquire());
    let bytes = answer(&mut impostor, &opened, &license());
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::WrongAnchor));
    // Nor does it help to verify with the other anchor: the request was made under the first.
    assert_eq!(accepts(&other, &pending, &bytes), Some(E::WrongAnchor));
}

#[test]
fn an_answer_signed_with_another_key_than_its_certificate_s_is_refused() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &acquire());
    service.signer = signer("impostor");
    let bytes = answer(&mut service, &opened, &license());
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::Signature));
}

#[test]
fn each_answer_needs_its_role() {
    let world = World::new();
    let full = service(&world);
    let without = |role: Roles| {
        let rest = [
            Roles::LICENSE,
            Roles::TIME,
            Roles::REVOCATION,
            Roles::PROVISIONING,
        ];
        let roles = rest
            .into_iter()
            .filter(|other| *other != role)
            .fold(Roles::NONE, Roles::union);
        world.service("service", roles)
    };
    let (trust, head) = (world.trust(), head("next"));
    let (rng, mut device) = (&mut TestRng::new("roles"), world.device("device"));

    let (pending, opened) = ask(&world, &full, &mut device, &acquire());
    let bytes = answer(&mut without(Roles::LICENSE), &opened, &license());
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::RoleMissing));
    let mut service = without(Roles::LICENSE);
    let (identity, denial) = (&mut service.identity(), denial());
    let bytes = seal_denial(&CRYPTO, rng, identity, &opened.exchange, &head, &denial).unwrap();
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::RoleMissing));

    let known = world.known(&full);
    let request = TimeRequest {
        challenge: challenge("time"),
    };
    let (bytes, pending) =
        build_time_request(&CRYPTO, rng, &mut device.identity(), &known, &request).unwrap();
    let opened = open_time_request(&CRYPTO, &full.keys(), &trust, &bytes).unwrap();
    let mut service = without(Roles::TIME);
    let exchange = &opened.exchange;
    let bytes = seal_time_answer(&CRYPTO, rng, &mut service.identity(), exchange, &head).unwrap();
    let found = open_time_answer(&CRYPTO, &pending, &trust, &bytes);
    assert_eq!(found.err(), Some(E::RoleMissing));

    let (bytes, pending) =
        build_provision_request(&CRYPTO, rng, &mut device.signer, &known, &provision()).unwrap();
    let opened = open_provision_request(&CRYPTO, &full.keys(), &bytes).unwrap();
    let mut service = without(Roles::PROVISIONING);
    let identity = &mut service.identity();
    let bytes =
        seal_provision_answer(&CRYPTO, rng, identity, &opened, &head, &device.chain).unwrap();
    let found = open_provision_answer(&CRYPTO, &pending, &trust, &bytes);
    assert_eq!(found.err(), Some(E::RoleMissing));

    let mut service = without(Roles::REVOCATION);
    let bytes = sign_revocation_list(&mut service.identity(), &revocation_list()).unwrap();
    assert_eq!(
        open_revocation_list(&CRYPTO, &trust, &bytes),
        Err(E::RoleMissing)
    );
}

#[test]
fn an_answer_of_the_wrong_kind_is_refused() {
    let world = World::new();
    let mut service = service(&world);
    let mut device = world.device("device");
    let record = usage_record().digest(&CRYPTO).unwrap();
    let released = Released {
        license_id: license().license_id,
        record,
    };
    let head = head("next");
    let rng = &mut TestRng::new("kinds");

    let (pending, opened) = ask(&world, &service, &mut device, &renew());
    let identity = &mut service.identity();
    let bytes = seal_released(&CRYPTO, rng, identity, &opened.exchange, &head, &released).unwrap();
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::MessageType));

    let (pending, opened) = ask(&world, &service, &mut device, &release());
    let bytes = answer(&mut service, &opened, &license());
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::MessageType));

    // A time answer to a licence request, from a service that errs.
    let (pending, opened) = ask(&world, &service, &mut device, &acquire());
    let exchange = Exchange {
        nonce: Some(Nonce([1; 16])),
        ..opened.exchange
    };
    let bytes = seal_time_answer(&CRYPTO, rng, &mut service.identity(), &exchange, &head).unwrap();
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::MessageType));
}

#[test]
fn a_signed_message_s_type_is_not_for_the_carrier_to_choose() {
    // A licence body under a denial's type, and the other way round: both malformed.
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let exchange = &opened.exchange;
    let payload = keybearer_cbor::encode(1024, |e| {
        e.map(|m| {
            m.entry(6, |e| e.uint(NOW.0))?;
            m.entry(-65542, |e| e.bytes(&exchange.request_digest.0))?;
            m.entry(-65543, |e| e.bytes(&challenge("next").0))?;
            m.entry(-65564, |e| e.map(|m| m.entry(1, |e| e.uint(1))))
        })
    })
    .unwrap();
    let mut sealed_as = |kind| {
        let by = SignedBy::Chain(&service.chain);
        let signed = sign(&mut service.signer, kind, &by, None, &payload).unwrap();
        let context = SealContext {
            label: Label::Answer,
            request_id: &exchange.request_id,
            license_id: None,
            request: Some(&exchange.request_digest),
            device: exchange.device.as_ref(),
        };
        let shown = Shown {
            request_id: false,
            license_id: false,
        };
        let (rng, to) = (&mut TestRng::new("types"), &exchange.agreement_key);
        seal(&CRYPTO, rng, to, &context, &shown, &signed, 1 << 16).unwrap()
    };
    assert_eq!(
        accepts(&world, &pending, &sealed_as(MessageType::Denial)),
        None
    );
    let as_license = accepts(&world, &pending, &sealed_as(MessageType::License));
    assert!(matches!(as_license, Some(E::Malformed(_))));
    for kind in MessageType::ALL {
        if !matches!(kind, MessageType::Denial | MessageType::License) {
            assert_eq!(
                accepts(&world, &pending, &sealed_as(*kind)),
                Some(E::MessageType)
            );
        }
    }
}

#[test]
fn a_renewal_must_be_of_the_licence_and_newer() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &renew());
    for (sequence, expected) in [
        (6, Some(E::StaleSequence)),
        (7, Some(E::StaleSequence)),
        (8, None),
    ] {
        let bytes = answer(
            &mut service,
            &opened,
            &License {
                sequence,
                ..license()
            },
        );
        assert_eq!(accepts(&world, &pending, &bytes), expected);
    }
    let other = License {
        license_id: LicenseId([9; 16]),
        ..license()
    };
    let rng = &mut TestRng::new("answer");
    let (exchange, head) = (&opened.exchange, head("next"));
    let made = seal_license(
        &CRYPTO,
        rng,
        &mut service.identity(),
        exchange,
        &head,
        &other,
    );
    assert_eq!(made, Err(E::WrongLicense));
    // A service that seals it all the same is not believed: it must show the id to be opened, ...
    let erring = Exchange {
        license_id: None,
        ..exchange.clone()
    };
    let bytes = seal_license(
        &CRYPTO,
        rng,
        &mut service.identity(),
        &erring,
        &head,
        &other,
    )
    .unwrap();
    let shown = keybearer_cbor::Error::UnknownKey(-25);
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::Malformed(shown)));
}

#[test]
fn a_stored_licence_does_not_answer_a_session_request() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let stored = License {
        kind: LicenseKind::Stored,
        ..bare_license()
    };
    let bytes = answer(&mut service, &opened, &stored);
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::WrongKind));
}

#[test]
fn a_release_accepted_for_another_record_is_not_accepted() {
    let world = World::new();
    let mut service = service(&world);
    let (pending, opened) = ask(&world, &service, &mut world.device("device"), &release());
    let released = Released {
        license_id: license().license_id,
        record: Digest([0; 32]),
    };
    let rng = &mut TestRng::new("answer");
    let (exchange, head) = (&opened.exchange, head("next"));
    let bytes = seal_released(
        &CRYPTO,
        rng,
        &mut service.identity(),
        exchange,
        &head,
        &released,
    )
    .unwrap();
    assert_eq!(accepts(&world, &pending, &bytes), Some(E::WrongRequest));
    let other = Released {
        license_id: LicenseId([9; 16]),
        ..released
    };
    let made = seal_released(
        &CRYPTO,
        rng,
        &mut service.identity(),
        exchange,
        &head,
        &other,
    );
    assert_eq!(made, Err(E::WrongLicense));
}

#[test]
fn an_anchor_must_lie_inside_the_chain_that_signed_it() {
    let world = World {
        time: TimeView::Unknown,
        ..World::new()
    };
    let mut service = service(&world);
    let (pending, opened) = ask(
        &world,
        &service,
        &mut world.device("device"),
        &bare_acquire(),
    );
    let begin = NOW.0 - DAY;
    let end = NOW.0 + 20 * DAY;
    for (time, expected) in [
        (begin - 1, Some(E::TimeOutsideChain)),
        (begin, None),
        (end - 1, None),
        (end, Some(E::TimeOutsideChain)),
    ] {
        let head = AnswerHead {
            server_time: UnixTime(time),
            ..head("next")
        };
        let (rng, identity) = (&mut TestRng::new("answer"), &mut service.identity());
        let exchange = &opened.exchange;
        let bytes = seal_license(&CRYPTO, rng, identity, exchange, &head, &bare_license()).unwrap();
        assert_eq!(accepts(&world, &pending, &bytes), expected);
    }
}

#[test]
fn a_time_answer_to_another_nonce_is_refused() {
    let world = World::new();
    let (mut service, mut device) = (service(&world), world.device("device"));
    let (known, rng) = (world.known(&service), &mut TestRng::new("time"));
    let request = TimeRequest {
        challenge: challenge("time"),
    };
    let (bytes, pending) =
        build_time_request(&CRYPTO, rng, &mut device.identity(), &known, &request).unwrap();
    let opened = open_time_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    let head = head("next");
    let exchange = Exchange {
        nonce: Some(Nonce([0; 16])),
        ..opened.exchange.clone()
    };
    let bytes = seal_time_answer(&CRYPTO, rng, &mut service.identity(), &exchange, &head).unwrap();
    let found = open_time_answer(&CRYPTO, &pending, &world.trust(), &bytes);
    assert_eq!(found.err(), Some(E::WrongNonce));
    let exchange = Exchange {
        nonce: None,
        ..opened.exchange
    };
    let made = seal_time_answer(&CRYPTO, rng, &mut service.identity(), &exchange, &head);
    assert_eq!(made, Err(E::WrongNonce));
}

#[test]
fn a_certificate_for_another_device_provisions_nothing() {
    let world = World::new();
    let mut service = service(&world);
    let (known, rng) = (world.known(&service), &mut TestRng::new("provision"));
    let (bytes, pending) =
        build_provision_request(&CRYPTO, rng, &mut signer("device"), &known, &provision()).unwrap();
    let opened = open_provision_request(&CRYPTO, &service.keys(), &bytes).unwrap();
    let head = head("next");
    let mut answer = |opened: &OpenedProvision, chain: &CertificateChain| {
        let rng = &mut TestRng::new("answer");
        let identity = &mut service.identity();
        let bytes = seal_provision_answer(&CRYPTO, rng, identity, opened, &head, chain).unwrap();
        open_provision_answer(&CRYPTO, &pending, &world.trust(), &bytes).err()
    };
    let own = world.device("device").chain;
    assert_eq!(answer(&opened, &own), None);
    // Another device's certificate.
    assert_eq!(
        answer(&opened, &world.device("other").chain),
        Some(E::WrongDevice)
    );
    // The right key under another identifier.
    let claims = DeviceClaims {
        ueid: ueid("other"),
        ..device_claims("device")
    };
    let leaf = issue_device(&CRYPTO, &mut signer("device issuer"), &claims).unwrap();
    let issuers = vec![world.device_issuer()];
    assert_eq!(
        answer(&opened, &CertificateChain { leaf, issuers }),
        Some(E::WrongDevice)
    );
    // A certificate under another anchor.
    let foreign = World::of("other operator").device("device").chain;
    assert_eq!(answer(&opened, &foreign), Some(E::WrongAnchor));
    // The digest of another key.
    let other = OpenedProvision {
        request: provision(),
        device_key: public("other"),
        exchange: opened.exchange.clone(),
    };
    assert_eq!(answer(&other, &own), Some(E::WrongDevice));
    // Another nonce.
    let exchange = Exchange {
        nonce: Some(Nonce([0; 16])),
        ..opened.exchange.clone()
    };
    let other = OpenedProvision { exchange, ..opened };
    assert_eq!(answer(&other, &own), Some(E::WrongNonce));
}

#[test]
fn a_provision_request_proves_its_key() {
    // The key presented is not the key that signs.
    let world = World::new();
    let service = service(&world);
    let known = world.known(&service);
    struct Liar(keybearer_crypto_soft::SoftSigner);
    impl keybearer_crypto::Signer for Liar {
        fn public_key(&self) -> PublicKey {
            public("victim")
        }
        fn sign(&mut self, message: &[u8]) -> Result<Signature, keybearer_crypto::CryptoError> {
            self.0.sign(message)
        }
    }
    let (rng, liar) = (&mut TestRng::new("liar"), &mut Liar(signer("liar")));
    let (bytes, _) = build_provision_request(&CRYPTO, rng, liar, &known, &provision()).unwrap();
    let found = open_provision_request(&CRYPTO, &service.keys(), &bytes);
    assert_eq!(found.err(), Some(E::Signature));
}

#[test]
fn licences_that_contradict_themselves_are_not_sealed() {
    let world = World::new();
    let mut service = service(&world);
    let (_, opened) = ask(&world, &service, &mut world.device("device"), &acquire());
    let head = head("next");
    let mut refused = |license: License| {
        let rng = &mut TestRng::new("answer");
        let (identity, exchange) = (&mut service.identity(), &opened.exchange);
        seal_license(&CRYPTO, rng, identity, exchange, &head, &license).err()
    };
    assert_eq!(refused(license()), None);
    assert_eq!(
        refused(License {
            keys: vec![],
            ..bare_license()
        }),
        Some(E::Invalid)
    );
    let keys = vec![content_key(1), content_key(2), content_key(1)];
    assert_eq!(
        refused(License {
            keys,
            ..bare_license()
        }),
        Some(E::Invalid)
    );
    let roots = vec![root_key(), root_key()];
    assert_eq!(
        refused(License {
            roots,
            ..bare_license()
        }),
        Some(E::Invalid)
    );
    let roots = vec![RootKey {
        first_period: 51,
        ..root_key()
    }];
    assert_eq!(
        refused(License {
            roots,
            ..bare_license()
        }),
        Some(E::Invalid)
    );
    let counter = CounterStrength::None;
    assert_eq!(
        refused(License {
            counter,
            ..license()
        }),
        Some(E::Invalid)
    );
    assert_eq!(
        refused(License {
            rotation: None,
            ..license()
        }),
        Some(E::Invalid)
    );
    let early = Timing {
        not_before: Some(NOW),
        not_after: Some(NOW),
        ..Timing::UNLIMITED
    };
    assert_eq!(
        refused(License {
            timing: early,
            ..license()
        }),
        Some(E::Invalid)
    );
    let open_ended = Timing {
        not_before: Some(NOW),
        ..Timing::UNLIMITED
    };
    assert_eq!(
        refused(License {
            timing: open_ended,
            ..license()
        }),
        Some(E::Invalid)
    );
    let cap = Some(E::Malformed(keybearer_cbor::Error::SizeCap));
    let keys = (0..=MAX_KEYS)
        .map(|i| content_key(i.try_into().unwrap()))
        .collect();
    assert_eq!(
        refused(License {
            keys,
            ..bare_license()
        }),
        cap
    );
    let after = UnixTime(MAX_UNIX_TIME + 1);
    let timing = Timing {
        not_after: Some(after),
        ..Timing::UNLIMITED
    };
    let range = Some(E::Malformed(keybearer_cbor::Error::Range));
    assert_eq!(
        refused(License {
            timing,
            ..bare_license()
        }),
        range
    );
    let mut renewal = license().renewal;
    renewal.as_mut().unwrap().url = Some("two\nlines".into());
    let value = Some(E::Malformed(keybearer_cbor::Error::Value));
    assert_eq!(
        refused(License {
            renewal,
            ..bare_license()
        }),
        value
    );
}

// ---- Service info and lists

#[test]
fn service_info_under_another_root_is_refused() {
    let world = World::new();
    let mut service = service(&world);
    let identity = &mut service.identity();
    let bytes = seal_service_info(&CRYPTO, identity, &world.anchor, &info()).unwrap();
    let other = public("other operator");
    let digest = anchor_digest(&CRYPTO, &other).unwrap();
    for anchor in [AnchorRef::Key(&other), AnchorRef::Digest(&digest)] {
        let found = open_service_info(&CRYPTO, anchor, world.time, &world.revoked, &bytes);
        assert_eq!(found, Err(E::WrongAnchor));
    }
    // A service set up with a foreign root notices.
    let made = seal_service_info(&CRYPTO, identity, &other, &info());
    assert_eq!(made, Err(E::WrongAnchor));
}

#[test]
fn service_info_with_a_true_root_over_a_false_chain_is_refused() {
    let world = World::new();
    let other = World::of("other operator");
    let mut impostor = other.service("service", Roles::ALL);
    let payload = {
        let identity = &mut impostor.identity();
        let bytes = seal_service_info(&CRYPTO, identity, &other.anchor, &info()).unwrap();
        peek_sign1(&bytes).unwrap().payload
    };
    let by = SignedBy::Chain(&impostor.chain);
    let kind = MessageType::ServiceInfo;
    let root = Some(&world.anchor);
    let bytes = sign(&mut impostor.signer, kind, &by, root, &payload).unwrap();
    let anchor = AnchorRef::Key(&world.anchor);
    let found = open_service_info(&CRYPTO, anchor, world.time, &world.revoked, &bytes);
    assert_eq!(found, Err(E::WrongAnchor));
}

#[test]
fn service_info_is_not_a_revocation_list() {
    let world = World::new();
    let mut service = service(&world);
    let identity = &mut service.identity();
    let info = seal_service_info(&CRYPTO, identity, &world.anchor, &info()).unwrap();
    assert_eq!(
        open_revocation_list(&CRYPTO, &world.trust(), &info),
        Err(E::MessageType)
    );
    let list = sign_revocation_list(identity, &revocation_list()).unwrap();
    let anchor = AnchorRef::Key(&world.anchor);
    let found = open_service_info(&CRYPTO, anchor, world.time, &world.revoked, &list);
    assert_eq!(found, Err(E::MessageType));
}

#[test]
fn revocation_lists_are_sorted_and_point_forward() {
    let world = World::new();
    let mut service = service(&world);
    let identity = &mut service.identity();
    let (a, b) = (Serial([1; 16]), Serial([2; 16]));
    for serials in [vec![b, a], vec![a, a]] {
        let list = RevocationList {
            serials,
            ..revocation_list()
        };
        assert_eq!(sign_revocation_list(identity, &list), Err(E::Invalid));
    }
    let list = RevocationList {
        next_update: NOW,
        ..revocation_list()
    };
    assert_eq!(sign_revocation_list(identity, &list), Err(E::Invalid));
}

// ---- What fails on the own side

#[test]
fn a_failed_generator_gives_no_message() {
    let world = World::new();
    let mut service = service(&world);
    let (known, mut device) = (world.known(&service), world.device("device"));
    let (_, opened) = ask(&world, &service, &mut device, &acquire());
    let identity = &mut device.identity();
    let made = build_license_request(&CRYPTO, &mut BrokenRng, identity, &known, &acquire());
    assert_eq!(made.err(), Some(E::Random));
    let (exchange, head) = (&opened.exchange, head("next"));
    let identity = &mut service.identity();
    let made = seal_license(
        &CRYPTO,
        &mut BrokenRng,
        identity,
        exchange,
        &head,
        &license(),
    );
    assert_eq!(made, Err(E::Random));
}

#[test]
fn a_failed_signer_gives_no_message() {
    let world = World::new();
    let service = service(&world);
    let (known, device) = (world.known(&service), world.device("device"));
    let mut broken = BrokenSigner(public("device"));
    let identity = &mut DeviceIdentity {
        signer: &mut broken,
        chain: &device.chain,
    };
    let rng = &mut TestRng::new("request");
    let made = build_license_request(&CRYPTO, rng, identity, &known, &acquire());
    assert_eq!(made.err(), Some(E::Key));
}

#[test]
fn an_agreement_key_off_the_curve_is_refused() {
    let world = World::new();
    let service = service(&world);
    let mut known = world.known(&service);
    known.claims.agreement_key = PublicKey {
        x: [1; 32],
        y: [1; 32],
    };
    let mut device = world.device("device");
    let (identity, rng) = (&mut device.identity(), &mut TestRng::new("request"));
    let made = build_license_request(&CRYPTO, rng, identity, &known, &acquire());
    assert_eq!(made.err(), Some(E::Sealed));
}

#[test]
fn a_service_with_another_agreement_key_opens_nothing() {
    let world = World::new();
    let mut service = service(&world);
    let (bytes, _) = build(&world, &service, &mut world.device("device"), &acquire());
    service.agreement = Secret::copied_from(&[7; 32]);
    assert_eq!(opens(&world, &service, &bytes), Some(E::Sealed));
}
