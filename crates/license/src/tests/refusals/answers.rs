//! Answers that a device refuses, or a service does not seal.

use alloc::vec::Vec;

use keybearer_crypto::{Digest, Label};

use super::super::exchanges::{answer, ask};
use super::super::samples::{
    acquire, bare_acquire, denial, head, license, provision, release, renew, revocation_list,
    service, usage_record,
};
use super::super::world::{CRYPTO, NOW, TestRng, World, challenge, public, signer};
use crate::LicenseError as E;
use crate::cose::encrypt::{SealContext, Sealed, Shown, seal};
use crate::cose::sign::{SignedBy, sign};
use crate::*;

pub(super) fn accepts(world: &World, pending: &PendingLicense, bytes: &[u8]) -> Option<E> {
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
        let (bytes, pending) = build_license_request(
            &CRYPTO,
            rng,
            &mut device.identity(),
            &known,
            &acquire(),
            &mut unattested,
        )
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

    let (bytes, pending) = build_provision_request(
        &CRYPTO,
        rng,
        &mut device.signer,
        &known,
        &provision(),
        &mut unattested,
    )
    .unwrap();
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
    let (bytes, _) =
        build_provision_request(&CRYPTO, rng, liar, &known, &provision(), &mut unattested).unwrap();
    let found = open_provision_request(&CRYPTO, &service.keys(), &bytes);
    assert_eq!(found.err(), Some(E::Signature));
}
