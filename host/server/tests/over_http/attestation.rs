//! What the platform says of the code decides about Medium and High, where a tenant demands it.
//!
//! The signatures are real: RSA keys made for these tests alone sign as OP-TEE's attestation PTA does.

use std::sync::{Arc, Mutex};

use keybearer_crypto::{Crypto, Digest};
use keybearer_crypto_ring::RingCrypto;
use keybearer_license::{
    Attestation, AttestationFormat, DebugStatus, Denial, DenialReason, Isolation, ProvisionToken,
};
use keybearer_rules::Level;
use keybearer_server::{AttestationSpec, ContentSpec, FactoryToken, PlatformKey};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};

use crate::support::{Device, Platform, World, denial, key, kid, license};

const LISTED: Digest = Digest([0x3e; 32]);
const CHANGED: Digest = Digest([0x3f; 32]);

/// The platform of the device that the tenant knows.
fn known() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(include_bytes!("platform/one.pk8")).unwrap()
}

/// One that nobody listed.
fn stranger() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(include_bytes!("platform/another.pk8")).unwrap()
}

fn modulus(key: &RsaKeyPair) -> Vec<u8> {
    PublicKeyComponents::<Vec<u8>>::from(key.public()).n
}

/// What a platform with this key says of code with this measurement.
fn attest(key: &RsaKeyPair, measurement: Digest, nonce: &Digest) -> Attestation {
    let mut proof = vec![0; key.public().modulus_len()];
    let said = [nonce.0, measurement.0].concat();
    key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), &said, &mut proof)
        .unwrap();
    Attestation {
        format: AttestationFormat::Optee,
        key: RingCrypto.sha256(&[&modulus(key)]),
        measurement,
        proof,
    }
}

fn platform(key: RsaKeyPair, measurement: Digest) -> Option<Platform> {
    Some(Arc::new(move |nonce| attest(&key, measurement, nonce)))
}

/// A server whose tenant demands an attestation, with a key for Low, Medium and High each.
fn world() -> World {
    let levels = [Level::Low, Level::Medium, Level::High];
    let keys = levels.iter().zip(1..).map(|(level, n)| {
        let mut key = key(n);
        key.lowest_level = *level;
        key
    });
    let film = ContentSpec::open("film", keys.collect());
    World::with(|config| {
        config.contents = vec![film];
        config.tenants[0].attestation = Some(AttestationSpec {
            keys: vec![PlatformKey::rsa(&modulus(&known()), &[1, 0, 1]).unwrap()],
            measurements: vec![LISTED],
            ..AttestationSpec::default()
        });
    })
}

/// A device in a TEE, not yet certified.
fn device(world: &World) -> Device {
    let mut device = Device::new(world);
    device.evidence.level = Level::High;
    device.evidence.isolation = Isolation::Tee;
    device
}

/// One that a factory's word has certified at High, without any attestation.
fn certified(world: &World) -> Device {
    let mut device = device(world);
    let token = FactoryToken {
        tenant: "default".into(),
        key_digest: device.key_digest(),
        level: Level::High,
        model: None,
        valid_seconds: 60,
    };
    let minted = world.server.registry().mint_factory(&token).unwrap();
    let token = ProvisionToken::Factory(minted.token.into_bytes());
    device.provision(token).unwrap();
    device
}

/// Every key is refused for this reason.
fn refused(device: &Device, rule: &str) -> Denial {
    let mut all = (1..=3).map(|n| denial(device.acquire(&[kid(n)])));
    let first = all.next().unwrap();
    assert_eq!(first.reason, DenialReason::PlatformNotVerified, "{first:?}");
    assert_eq!(first.rule.as_deref(), Some(rule), "{first:?}");
    assert!(all.all(|denial| denial.rule == first.rule));
    first
}

#[test]
fn listed_code_on_a_listed_platform_is_served_at_every_level() {
    let world = world();
    let mut device = certified(&world);
    device.platform = platform(known(), LISTED);
    for n in 1..=3 {
        license(device.acquire(&[kid(n)]));
    }
}

#[test]
fn without_an_attestation_there_is_nothing_above_low() {
    let world = world();
    let device = certified(&world);
    let denial = refused(&device, "attestation");
    assert_eq!(denial.found.as_deref(), Some("none"));
    // A device that is not in a TEE has no platform to say anything, and needs none.
    license(world.low_device().acquire(&[kid(1)]));
}

#[test]
fn changed_code_is_refused() {
    let world = world();
    let mut device = certified(&world);
    device.platform = platform(known(), CHANGED);
    let denial = refused(&device, "attestation.measurement");
    assert_eq!(denial.found, Some("3f".repeat(32)));
    // Nor does it pass by a measurement that the platform did not make.
    device.platform = Some(Arc::new(|nonce| Attestation {
        measurement: LISTED,
        ..attest(&known(), CHANGED, nonce)
    }));
    refused(&device, "attestation.proof");
}

#[test]
fn an_attestation_of_another_request_is_refused() {
    let world = world();
    let mut device = certified(&world);
    let kept: Arc<Mutex<Option<Attestation>>> = Arc::default();
    let keep = Arc::clone(&kept);
    // The first is genuine; from then on it is shown again and again.
    device.platform = Some(Arc::new(move |nonce| {
        let mut kept = keep.lock().unwrap();
        kept.get_or_insert_with(|| attest(&known(), LISTED, nonce))
            .clone()
    }));
    license(device.acquire(&[kid(1)]));
    refused(&device, "attestation.proof");
    // Nor does it serve another device.
    let mut other = certified(&world);
    let kept = kept.lock().unwrap().clone().unwrap();
    other.platform = Some(Arc::new(move |_| kept.clone()));
    refused(&other, "attestation.proof");
}

#[test]
fn another_platform_s_word_is_refused() {
    let world = world();
    let mut device = certified(&world);
    device.platform = platform(stranger(), LISTED);
    refused(&device, "attestation.key");
    // It may call itself by the known one's name.
    device.platform = Some(Arc::new(|nonce| Attestation {
        key: attest(&known(), LISTED, nonce).key,
        ..attest(&stranger(), LISTED, nonce)
    }));
    refused(&device, "attestation.proof");
}

#[test]
fn a_debug_build_is_refused_whatever_its_platform_says() {
    let world = world();
    let mut device = certified(&world);
    device.platform = platform(known(), LISTED);
    device.evidence.debug = DebugStatus::Enabled;
    let denial = denial(device.acquire(&[kid(1)]));
    assert_eq!(denial.reason, DenialReason::DebugDevice);
}

/// The level that a bare enrolment token and this platform's word certify.
fn enrolled(world: &World, tenant: &str, platform: Option<Platform>) -> Result<Level, Denial> {
    let mut device = device(world);
    device.platform = platform;
    let token = ProvisionToken::Enrolment(world.enrolment(tenant));
    device
        .provision(token)
        .map(|device| device.claims.highest_level)
}

#[test]
fn it_stands_in_for_a_factory_s_word() {
    let world = world();
    let level = |platform| enrolled(&world, "default", platform);
    assert_eq!(level(platform(known(), LISTED)), Ok(Level::High));
    assert_eq!(level(None), Ok(Level::Low));
    // A tenant that lists nothing believes nothing.
    let elsewhere = enrolled(&world, "lab", platform(known(), LISTED));
    assert_eq!(elsewhere, Ok(Level::Low));
    for (platform, rule) in [
        (platform(known(), CHANGED), "attestation.measurement"),
        (platform(stranger(), LISTED), "attestation.key"),
    ] {
        let denial = level(platform).unwrap_err();
        assert_eq!(denial.reason, DenialReason::PlatformNotVerified);
        assert_eq!(denial.rule.as_deref(), Some(rule));
    }
}
