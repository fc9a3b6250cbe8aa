//! Each exchange as it should go, and what each end learns from it.

use keybearer_crypto::Crypto;

use super::samples::{
    acquire, bare_acquire, bare_license, denial, head, info, license, provision, release, renew,
    revocation_list, service, usage_record,
};
use super::world::{
    CRYPTO, NOW, TestDevice, TestRng, TestService, World, challenge, device_claims, public, signer,
};
use crate::*;

/// A licence request on its way: what the device keeps and what the service read.
pub(super) fn ask(
    world: &World,
    service: &TestService,
    device: &mut TestDevice,
    request: &LicenseRequest,
) -> (PendingLicense, OpenedLicense) {
    let (bytes, pending) = build(world, service, device, request);
    let opened = open_license_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    (pending, opened)
}

pub(super) fn build(
    world: &World,
    service: &TestService,
    device: &mut TestDevice,
    request: &LicenseRequest,
) -> (alloc::vec::Vec<u8>, PendingLicense) {
    let known = world.known(service);
    let rng = &mut TestRng::new("request");
    build_license_request(
        &CRYPTO,
        rng,
        &mut device.identity(),
        &known,
        request,
        &mut unattested,
    )
    .unwrap()
}

pub(super) fn answer(
    service: &mut TestService,
    opened: &OpenedLicense,
    license: &License,
) -> alloc::vec::Vec<u8> {
    let rng = &mut TestRng::new("answer");
    let head = head("next");
    seal_license(
        &CRYPTO,
        rng,
        &mut service.identity(),
        &opened.exchange,
        &head,
        license,
    )
    .unwrap()
}

pub(super) fn granted(outcome: LicenseOutcome) -> License {
    match outcome {
        LicenseOutcome::License(license) => license,
        LicenseOutcome::Denied(denial) => panic!("denied: {denial:?}"),
        LicenseOutcome::Released(released) => panic!("released: {released:?}"),
    }
}

#[test]
fn an_acquired_licence_arrives_whole() {
    let world = World::new();
    let (mut service, mut device) = (service(&world), world.device("device"));
    let (pending, opened) = ask(&world, &service, &mut device, &acquire());
    assert_eq!(opened.request, acquire());
    assert_eq!(opened.device.claims, device_claims("device"));
    assert_eq!(opened.device.digest, CRYPTO.sha256(&[&device.chain.leaf]));
    assert_eq!(opened.exchange.request_id, pending.request_id());
    assert_eq!(opened.exchange.request_digest, pending.request_digest());

    let bytes = answer(&mut service, &opened, &license());
    let answer = open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes)
        .ok()
        .unwrap();
    assert_eq!(answer.server_time, NOW);
    assert_eq!(answer.time_anchor, Some(NOW));
    assert_eq!(answer.next_challenge, challenge("next"));
    assert_eq!(answer.signer.claims.service.as_str(), "service");
    let (got, sent) = (granted(answer.outcome), license());
    assert_eq!(got.license_id, sent.license_id);
    assert_eq!(
        (got.sequence, got.kind, got.counter),
        (sent.sequence, sent.kind, sent.counter)
    );
    assert_eq!((got.max_plays, got.timing), (sent.max_plays, sent.timing));
    assert_eq!(
        (got.least_revocation, got.rotation),
        (sent.least_revocation, sent.rotation)
    );
    assert_eq!(got.renewal, sent.renewal);
    assert_eq!(got.keys.len(), sent.keys.len());
    for (got, sent) in got.keys.iter().zip(&sent.keys) {
        assert_eq!(
            (got.key_id, &got.usage, got.period),
            (sent.key_id, &sent.usage, sent.period)
        );
        assert_eq!(got.key.expose(), sent.key.expose());
    }
    assert_eq!(got.roots.len(), sent.roots.len());
    for (got, sent) in got.roots.iter().zip(&sent.roots) {
        assert_eq!((got.root_id, &got.usage), (sent.root_id, &sent.usage));
        assert_eq!(
            (got.first_period, got.last_period),
            (sent.first_period, sent.last_period)
        );
        assert_eq!(got.key.expose(), sent.key.expose());
    }
}

#[test]
fn a_signer_without_the_time_role_gives_no_anchor() {
    let world = World::new();
    let mut service = world.service("service", Roles::LICENSE);
    let mut device = world.device("device");
    let (pending, opened) = ask(&world, &service, &mut device, &bare_acquire());
    let bytes = answer(&mut service, &opened, &bare_license());
    let answer = open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes)
        .ok()
        .unwrap();
    assert_eq!((answer.server_time, answer.time_anchor), (NOW, None));
}

#[test]
fn a_renewal_keeps_the_licence_out_of_the_envelope() {
    let world = World::new();
    let (mut service, mut device) = (service(&world), world.device("device"));
    let (pending, opened) = ask(&world, &service, &mut device, &renew());
    let bytes = answer(&mut service, &opened, &license());
    assert_eq!(peek_encrypt(&bytes).unwrap().license_id, None);
    let id = license().license_id.0;
    assert!(!bytes.windows(id.len()).any(|window| window == id));
    let answer = open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes)
        .ok()
        .unwrap();
    assert_eq!(granted(answer.outcome).sequence, 8);
}

#[test]
fn a_release_is_accepted_by_its_record() {
    let world = World::new();
    let (mut service, mut device) = (service(&world), world.device("device"));
    let (pending, opened) = ask(&world, &service, &mut device, &release());
    let record = usage_record().digest(&CRYPTO).unwrap();
    let released = Released {
        license_id: license().license_id,
        record,
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
    match open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes)
        .ok()
        .unwrap()
        .outcome
    {
        LicenseOutcome::Released(got) => assert_eq!(got, released),
        _ => panic!("another outcome"),
    }
}

#[test]
fn a_denial_answers_every_kind_of_request() {
    let world = World::new();
    let (mut service, mut device) = (service(&world), world.device("device"));
    let (trust, head, known) = (world.trust(), head("next"), world.known(&service));
    let rng = &mut TestRng::new("denials");
    let denial = denial();
    for request in [acquire(), renew(), release()] {
        let (pending, opened) = ask(&world, &service, &mut device, &request);
        let exchange = &opened.exchange;
        let bytes = seal_denial(
            &CRYPTO,
            rng,
            &mut service.identity(),
            exchange,
            &head,
            &denial,
        )
        .unwrap();
        match open_license_answer(&CRYPTO, &pending, &trust, &bytes)
            .ok()
            .unwrap()
            .outcome
        {
            LicenseOutcome::Denied(got) => assert_eq!(got, denial),
            _ => panic!("another outcome"),
        }
    }

    let request = TimeRequest {
        challenge: challenge("time"),
    };
    let (bytes, pending) =
        build_time_request(&CRYPTO, rng, &mut device.identity(), &known, &request).unwrap();
    let opened = open_time_request(&CRYPTO, &service.keys(), &trust, &bytes).unwrap();
    let exchange = &opened.exchange;
    let bytes = seal_denial(
        &CRYPTO,
        rng,
        &mut service.identity(),
        exchange,
        &head,
        &denial,
    )
    .unwrap();
    match open_time_answer(&CRYPTO, &pending, &trust, &bytes)
        .unwrap()
        .outcome
    {
        TimeOutcome::Denied(got) => assert_eq!(got, denial),
        TimeOutcome::Time => panic!("another outcome"),
    }

    let (bytes, pending) = build_provision_request(
        &CRYPTO,
        rng,
        &mut signer("device"),
        &known,
        &provision(),
        &mut unattested,
    )
    .unwrap();
    let opened = open_provision_request(&CRYPTO, &service.keys(), &bytes).unwrap();
    let exchange = &opened.exchange;
    let bytes = seal_denial(
        &CRYPTO,
        rng,
        &mut service.identity(),
        exchange,
        &head,
        &denial,
    )
    .unwrap();
    match open_provision_answer(&CRYPTO, &pending, &trust, &bytes)
        .unwrap()
        .outcome
    {
        ProvisionOutcome::Denied(got) => assert_eq!(got, denial),
        ProvisionOutcome::Provisioned { .. } => panic!("another outcome"),
    }
}

#[test]
fn time_is_answered_to_its_nonce() {
    let world = World::new();
    let (mut service, mut device) = (service(&world), world.device("device"));
    let (known, rng) = (world.known(&service), &mut TestRng::new("time"));
    let request = TimeRequest {
        challenge: challenge("time"),
    };
    let (bytes, pending) =
        build_time_request(&CRYPTO, rng, &mut device.identity(), &known, &request).unwrap();
    let opened = open_time_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    assert_eq!(opened.request, request);
    let head = head("next");
    let bytes = seal_time_answer(
        &CRYPTO,
        rng,
        &mut service.identity(),
        &opened.exchange,
        &head,
    )
    .unwrap();
    let answer = open_time_answer(&CRYPTO, &pending, &world.trust(), &bytes).unwrap();
    assert!(matches!(answer.outcome, TimeOutcome::Time));
    assert_eq!(answer.time_anchor, Some(NOW));
}

#[test]
fn a_new_device_is_provisioned() {
    let world = World::new();
    let mut service = service(&world);
    let (known, rng) = (world.known(&service), &mut TestRng::new("provision"));
    let (bytes, pending) = build_provision_request(
        &CRYPTO,
        rng,
        &mut signer("device"),
        &known,
        &provision(),
        &mut unattested,
    )
    .unwrap();
    let opened = open_provision_request(&CRYPTO, &service.keys(), &bytes).unwrap();
    assert_eq!(opened.request, provision());
    assert_eq!(opened.device_key, public("device"));
    let (identity, head) = (&mut service.identity(), head("next"));
    let chain = world.device("device").chain;
    let bytes = seal_provision_answer(&CRYPTO, rng, identity, &opened, &head, &chain).unwrap();
    let answer = open_provision_answer(&CRYPTO, &pending, &world.trust(), &bytes).unwrap();
    match answer.outcome {
        ProvisionOutcome::Provisioned { chain: got, device } => {
            assert_eq!(got, chain);
            assert_eq!(device.claims, device_claims("device"));
        }
        ProvisionOutcome::Denied(denial) => panic!("denied: {denial:?}"),
    }
}

#[test]
fn service_info_needs_the_anchor_or_its_digest() {
    let world = World::new();
    let mut service = service(&world);
    let identity = &mut service.identity();
    let bytes = seal_service_info(&CRYPTO, identity, &world.anchor, &info()).unwrap();
    let digest = anchor_digest(&CRYPTO, &world.anchor).unwrap();
    for anchor in [AnchorRef::Key(&world.anchor), AnchorRef::Digest(&digest)] {
        let opened =
            open_service_info(&CRYPTO, anchor, world.time, &world.revoked, &bytes).unwrap();
        assert_eq!((opened.info, opened.root), (info(), world.anchor));
        assert_eq!(opened.service, world.known(&service));
    }
}

#[test]
fn a_revocation_list_arrives_whole() {
    let world = World::new();
    let mut service = world.service("registrar", Roles::REVOCATION);
    let bytes = sign_revocation_list(&mut service.identity(), &revocation_list()).unwrap();
    let list = open_revocation_list(&CRYPTO, &world.trust(), &bytes).unwrap();
    assert_eq!(list, revocation_list());
}

#[test]
fn a_listener_learns_neither_device_nor_keys() {
    let world = World::new();
    let (mut service, mut device) = (service(&world), world.device("device"));
    let request = acquire();
    let (sent, pending) = build(&world, &service, &mut device, &request);
    let opened = open_license_request(&CRYPTO, &service.keys(), &world.trust(), &sent).unwrap();
    let received = answer(&mut service, &opened, &license());
    assert!(open_license_answer(&CRYPTO, &pending, &world.trust(), &received).is_ok());

    let device_id = *opened.device.claims.ueid.as_bytes();
    let sent_license = license();
    let secrets: [&[u8]; 6] = [
        &device_id[..8],
        &public("device").x[..8],
        b"Test Box",
        &request.keys[0].0[..8],
        &sent_license.keys[0].key.expose()[..8],
        &opened.device.claims.serial.0[..8],
    ];
    for secret in secrets {
        for bytes in [&sent, &received] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}
