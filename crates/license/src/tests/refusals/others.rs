//! Service info, lists, and what fails on the own side.

use alloc::vec;

use keybearer_crypto::Secret;

use super::super::exchanges::{ask, build};
use super::super::samples::{acquire, head, info, license, revocation_list, service};
use super::super::world::{BrokenRng, BrokenSigner, CRYPTO, NOW, TestRng, World, public};
use super::requests::opens;
use crate::LicenseError as E;
use crate::cose::sign::{SignedBy, sign};
use crate::*;

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

#[test]
fn a_failed_generator_gives_no_message() {
    let world = World::new();
    let mut service = service(&world);
    let (known, mut device) = (world.known(&service), world.device("device"));
    let (_, opened) = ask(&world, &service, &mut device, &acquire());
    let identity = &mut device.identity();
    let made = build_license_request(
        &CRYPTO,
        &mut BrokenRng,
        identity,
        &known,
        &acquire(),
        &mut unattested,
    );
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
    let made = build_license_request(&CRYPTO, rng, identity, &known, &acquire(), &mut unattested);
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
    let made = build_license_request(&CRYPTO, rng, identity, &known, &acquire(), &mut unattested);
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
