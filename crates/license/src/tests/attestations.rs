//! An attestation belongs to one request and to no other.

use alloc::vec;

use super::samples::{acquire, attest, provision, service};
use super::world::{
    CRYPTO, TestDevice, TestRng, TestService, World, challenge, public, service_claims, signer,
};
use crate::LicenseError as E;
use crate::*;

/// The nonce that the platform is given for a request, which is the one that the service finds.
fn nonce(
    world: &World,
    service: &TestService,
    device: &mut TestDevice,
    request: &LicenseRequest,
    random: &'static str,
) -> Digest {
    let (known, rng) = (world.known(service), &mut TestRng::new(random));
    let mut given = None;
    let mut asked = |nonce: &Digest| {
        given = Some(*nonce);
        attest(nonce)
    };
    let (bytes, _) = build_license_request(
        &CRYPTO,
        rng,
        &mut device.identity(),
        &known,
        request,
        &mut asked,
    )
    .unwrap();
    let opened = open_license_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    let attested = opened.attested.unwrap();
    assert_eq!(Some(attested.nonce), given);
    assert_eq!(attest(&attested.nonce), Ok(Some(attested.attestation)));
    attested.nonce
}

#[test]
fn its_nonce_is_this_request_s_alone() {
    let world = World::new();
    let (one, mut device) = (service(&world), world.device("device"));
    let of_one = nonce(&world, &one, &mut device, &acquire(), "request");
    let again = nonce(&world, &one, &mut device, &acquire(), "request");
    assert_eq!(of_one, again, "the same request has the same nonce");
    // Another id and another agreement key.
    let later = nonce(&world, &one, &mut device, &acquire(), "later");
    // Another challenge.
    let fresh = LicenseRequest {
        challenge: challenge("fresh"),
        ..acquire()
    };
    let fresh = nonce(&world, &one, &mut device, &fresh, "request");
    // Another service.
    let mut claims = service_claims("service", Roles::ALL);
    claims.serial = Serial([0x77; 16]);
    let other = world.service_with(&claims);
    let elsewhere = nonce(&world, &other, &mut device, &acquire(), "request");
    // Another device.
    let stranger = &mut world.device("stranger");
    let strange = nonce(&world, &one, stranger, &acquire(), "request");
    let all = [of_one, later, fresh, elsewhere, strange];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "{at}");
    }
}

#[test]
fn a_provision_request_carries_one_over_the_new_key() {
    let world = World::new();
    let service = service(&world);
    let known = world.known(&service);
    let mut nonces = vec![];
    for device in ["device", "another"] {
        let rng = &mut TestRng::new("provision");
        let signer = &mut signer(device);
        let (bytes, _) =
            build_provision_request(&CRYPTO, rng, signer, &known, &provision(), &mut attest)
                .unwrap();
        let opened = open_provision_request(&CRYPTO, &service.keys(), &bytes).unwrap();
        assert_eq!(opened.device_key, public(device));
        let attested = opened.attested.unwrap();
        assert_eq!(attest(&attested.nonce), Ok(Some(attested.attestation)));
        nonces.push(attested.nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[test]
fn no_request_goes_out_with_less_than_the_platform_was_asked_for() {
    let world = World::new();
    let service = service(&world);
    let known = world.known(&service);
    let mut device = world.device("device");
    let mut made = |attest: &mut Attest<'_>| {
        let rng = &mut TestRng::new("request");
        let identity = &mut device.identity();
        build_license_request(&CRYPTO, rng, identity, &known, &acquire(), attest).err()
    };
    assert_eq!(made(&mut |_| Err(E::Memory)), Some(E::Memory));
    let with = |proof: usize| {
        move |nonce: &Digest| {
            Ok(attest(nonce)?.map(|attestation| Attestation {
                proof: vec![1; proof],
                ..attestation
            }))
        }
    };
    assert_eq!(made(&mut with(1)), None);
    assert_eq!(made(&mut with(MAX_ATTESTATION)), None);
    let refused = Some(E::Malformed(keybearer_cbor::Error::SizeCap));
    assert_eq!(made(&mut with(0)), refused);
    assert_eq!(made(&mut with(MAX_ATTESTATION + 1)), refused);
}
