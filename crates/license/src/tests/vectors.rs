//! Golden vectors: one of every message, byte for byte.
//!
//! Keys, nonces and signatures come from names (`world.rs`) and RFC 6979, so every run makes the
//! same bytes. `KEYBEARER_REGENERATE_VECTORS=1 cargo test -p keybearer-license vectors` writes the
//! files anew; a difference that shows up then is a change of the protocol.

extern crate std;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use std::path::PathBuf;

use keybearer_crypto::{Crypto, Label, PrivateKeys, Secret};

use super::samples::{
    acquire, attest, bare_acquire, bare_evidence, bare_license, denial, head, info, key_use,
    license, provision, release, renew, revocation_list, root_key, service, usage_record,
};
use super::world::{CRYPTO, TestRng, TestService, World, challenge, signer};
use crate::cose::encrypt::{SealContext, Sealed};
use crate::*;

/// A message by name, and the CDDL rule it must match.
pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) rule: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// The envelope and the signed message inside it.
fn pair(
    all: &mut Vec<Vector>,
    names: (&'static str, &'static str),
    rules: (&'static str, &'static str),
    bytes: &[u8],
    signed: Vec<u8>,
) {
    all.push(Vector {
        name: names.0,
        rule: rules.0,
        bytes: bytes.to_vec(),
    });
    all.push(Vector {
        name: names.1,
        rule: rules.1,
        bytes: signed,
    });
}

/// The signed message inside an envelope.
fn inside(bytes: &[u8], key: &Secret<32>, exchange: &Exchange, label: Label) -> Vec<u8> {
    let sealed = Sealed::parse(bytes, 1 << 16).unwrap();
    let answer = label == Label::Answer;
    let license_id = sealed.license_id.or(exchange.license_id.filter(|_| answer));
    let context = SealContext {
        label,
        request_id: &exchange.request_id,
        license_id: license_id.as_ref(),
        request: Some(&exchange.request_digest).filter(|_| answer),
        device: exchange.device.as_ref().filter(|_| answer),
    };
    let public = CRYPTO.public_key(key).unwrap();
    sealed
        .open(&CRYPTO, key, &public, &context)
        .unwrap()
        .to_vec()
}

/// Every vector, in a fixed order.
pub(super) fn all() -> Vec<Vector> {
    let world = World::new();
    let mut all = Vec::new();
    certificates(&world, &mut all);
    unsealed(&world, &mut all);
    provisioning(&world, &mut all);
    licences(&world, &mut all);
    time(&world, &mut all);
    all
}

fn certificates(world: &World, all: &mut Vec<Vector>) {
    let mut push = |name, rule, bytes| all.push(Vector { name, rule, bytes });
    let (service, device) = (service(world), world.device("device"));
    push(
        "issuer-certificate",
        "issuer-certificate",
        world.service_issuer(),
    );
    push(
        "service-certificate",
        "service-certificate",
        service.chain.leaf,
    );
    push(
        "device-certificate",
        "device-certificate",
        device.chain.leaf.clone(),
    );
    push(
        "certificate-chain",
        "certificate-chain",
        device.chain.to_bytes().unwrap(),
    );
}

fn unsealed(world: &World, all: &mut Vec<Vector>) {
    let mut push = |name, rule, bytes| all.push(Vector { name, rule, bytes });
    let mut service = service(world);
    let identity = &mut service.identity();
    let bytes = seal_service_info(&CRYPTO, identity, &world.anchor, &info()).unwrap();
    push("service-info", "service-info", bytes);
    let bytes = sign_revocation_list(identity, &revocation_list()).unwrap();
    push("revocation-list", "revocation-list", bytes);
    let (key, rng) = (Secret::copied_from(&[0x33; 16]), &mut TestRng::new("leaf"));
    let leaf = |rng: &mut TestRng, policy| {
        seal_leaf(
            &CRYPTO,
            rng,
            &root_key(),
            42,
            KeyId([0x44; 16]),
            policy,
            &key,
        )
        .unwrap()
    };
    let leaves = vec![leaf(rng, None), leaf(rng, Some(key_use().policy))];
    let init = ContentInit {
        keys: vec![KeyId([0x11; 16]), KeyId([0x22; 16])],
        leaves,
    };
    push("content-init", "content-init", init.to_bytes().unwrap());
}

fn provisioning(world: &World, all: &mut Vec<Vector>) {
    let mut service = service(world);
    let (known, rng) = (world.known(&service), &mut TestRng::new("provision"));
    let (bytes, pending) = build_provision_request(
        &CRYPTO,
        rng,
        &mut signer("device"),
        &known,
        &provision(),
        &mut attest,
    )
    .unwrap();
    let opened = open_provision_request(&CRYPTO, &service.keys(), &bytes).unwrap();
    let signed = inside(&bytes, &service.agreement, &opened.exchange, Label::Request);
    let names = ("provision-request", "provision-request.signed");
    pair(
        all,
        names,
        ("sealed-request", "provision-request"),
        &bytes,
        signed,
    );
    let (chain, head) = (world.device("device").chain, head("next"));
    let identity = &mut service.identity();
    let bytes = seal_provision_answer(&CRYPTO, rng, identity, &opened, &head, &chain).unwrap();
    assert!(open_provision_answer(&CRYPTO, &pending, &world.trust(), &bytes).is_ok());
    let signed = inside(
        &bytes,
        &pending.common.agreement,
        &opened.exchange,
        Label::Answer,
    );
    let names = ("provision-answer", "provision-answer.signed");
    pair(
        all,
        names,
        ("sealed-answer", "provision-answer"),
        &bytes,
        signed,
    );
}

/// A licence request and the answer that `seal` makes, opened by the device.
fn exchange(
    world: &World,
    all: &mut Vec<Vector>,
    names: [&'static str; 4],
    rule: &'static str,
    request: &LicenseRequest,
    seal: impl FnOnce(&mut TestRng, &mut TestService, &Exchange) -> Vec<u8>,
) {
    let (mut service, mut device) = (service(world), world.device("device"));
    let (known, rng) = (world.known(&service), &mut TestRng::new(names[0]));
    let bare: &mut Attest<'_> = &mut unattested;
    let attest: &mut Attest<'_> = if request.evidence == bare_evidence() {
        bare
    } else {
        &mut attest
    };
    let (bytes, pending) = build_license_request(
        &CRYPTO,
        rng,
        &mut device.identity(),
        &known,
        request,
        attest,
    )
    .unwrap();
    let opened = open_license_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    assert_eq!(opened.request, *request);
    let signed = inside(&bytes, &service.agreement, &opened.exchange, Label::Request);
    pair(
        all,
        (names[0], names[1]),
        ("sealed-request", "license-request"),
        &bytes,
        signed,
    );
    let bytes = seal(rng, &mut service, &opened.exchange);
    assert!(open_license_answer(&CRYPTO, &pending, &world.trust(), &bytes).is_ok());
    let signed = inside(
        &bytes,
        &pending.common.agreement,
        &opened.exchange,
        Label::Answer,
    );
    pair(
        all,
        (names[2], names[3]),
        ("sealed-answer", rule),
        &bytes,
        signed,
    );
}

fn licences(world: &World, all: &mut Vec<Vector>) {
    let head = head("next");
    let grant = |license: License| {
        move |rng: &mut TestRng, service: &mut TestService, exchange: &Exchange| {
            let identity = &mut service.identity();
            seal_license(&CRYPTO, rng, identity, exchange, &head, &license).unwrap()
        }
    };
    let names = ["acquire", "acquire.signed", "license", "license.signed"];
    exchange(world, all, names, "license", &acquire(), grant(license()));
    let names = [
        "acquire-bare",
        "acquire-bare.signed",
        "license-bare",
        "license-bare.signed",
    ];
    exchange(
        world,
        all,
        names,
        "license",
        &bare_acquire(),
        grant(bare_license()),
    );
    let names = [
        "renew",
        "renew.signed",
        "license-renewed",
        "license-renewed.signed",
    ];
    exchange(world, all, names, "license", &renew(), grant(license()));
    let names = [
        "renew-denied",
        "renew-denied.signed",
        "denial",
        "denial.signed",
    ];
    exchange(
        world,
        all,
        names,
        "denial",
        &renew(),
        |rng, service, exchange| {
            seal_denial(
                &CRYPTO,
                rng,
                &mut service.identity(),
                exchange,
                &head,
                &denial(),
            )
            .unwrap()
        },
    );
    let names = ["release", "release.signed", "released", "released.signed"];
    exchange(
        world,
        all,
        names,
        "released",
        &release(),
        |rng, service, exchange| {
            let record = usage_record().digest(&CRYPTO).unwrap();
            let released = Released {
                license_id: license().license_id,
                record,
            };
            seal_released(
                &CRYPTO,
                rng,
                &mut service.identity(),
                exchange,
                &head,
                &released,
            )
            .unwrap()
        },
    );
}

fn time(world: &World, all: &mut Vec<Vector>) {
    let (mut service, mut device) = (service(world), world.device("device"));
    let (known, rng) = (world.known(&service), &mut TestRng::new("time"));
    let request = TimeRequest {
        challenge: challenge("time"),
    };
    let (bytes, pending) =
        build_time_request(&CRYPTO, rng, &mut device.identity(), &known, &request).unwrap();
    let opened = open_time_request(&CRYPTO, &service.keys(), &world.trust(), &bytes).unwrap();
    let signed = inside(&bytes, &service.agreement, &opened.exchange, Label::Request);
    let names = ("time-request", "time-request.signed");
    pair(
        all,
        names,
        ("sealed-request", "time-request"),
        &bytes,
        signed,
    );
    let (identity, head) = (&mut service.identity(), head("next"));
    let bytes = seal_time_answer(&CRYPTO, rng, identity, &opened.exchange, &head).unwrap();
    assert!(open_time_answer(&CRYPTO, &pending, &world.trust(), &bytes).is_ok());
    let signed = inside(
        &bytes,
        &pending.common.agreement,
        &opened.exchange,
        Label::Answer,
    );
    let names = ("time-answer", "time-answer.signed");
    pair(all, names, ("sealed-answer", "time-answer"), &bytes, signed);
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Hexadecimal in lines of 64 characters.
fn lines(bytes: &[u8]) -> String {
    let text = hex::encode(bytes);
    let mut lines = String::new();
    for line in text.as_bytes().chunks(64) {
        lines.push_str(core::str::from_utf8(line).unwrap());
        lines.push('\n');
    }
    lines
}

fn read(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(directory().join(format!("{name}.hex"))).unwrap();
    hex::decode(text.replace('\n', "")).unwrap()
}

#[test]
fn vectors_are_made_anew_byte_for_byte() {
    let regenerate = std::env::var_os("KEYBEARER_REGENERATE_VECTORS").is_some();
    let all = all();
    for vector in &all {
        let path = directory().join(format!("{}.hex", vector.name));
        if regenerate {
            std::fs::write(&path, lines(&vector.bytes)).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            kept,
            lines(&vector.bytes),
            "{} differs from its file",
            vector.name
        );
    }
    let files = std::fs::read_dir(directory()).unwrap();
    let kept = files.filter(|file| {
        file.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|extension| extension == "hex")
    });
    assert_eq!(kept.count(), all.len(), "a file that no vector makes");
}

#[test]
fn vectors_are_read() {
    let world = World::new();
    let mut service = service(&world);
    let trust = world.trust();
    let anchor = AnchorRef::Key(&world.anchor);
    let info_bytes = read("service-info");
    let opened =
        open_service_info(&CRYPTO, anchor, world.time, &world.revoked, &info_bytes).unwrap();
    assert_eq!(opened.info, info());
    assert_eq!(
        open_revocation_list(&CRYPTO, &trust, &read("revocation-list")).unwrap(),
        revocation_list()
    );
    let chain = CertificateChain::from_bytes(&read("certificate-chain")).unwrap();
    assert!(verify_device(&CRYPTO, &trust, &chain).is_ok());
    assert_eq!(chain.leaf, read("device-certificate"));
    let init = ContentInit::from_bytes(&read("content-init")).unwrap();
    for leaf in &init.leaves {
        assert_eq!(
            open_leaf(&CRYPTO, &root_key(), leaf).unwrap().expose(),
            &[0x33; 16]
        );
    }
    let keys = service.keys();
    let opened = open_provision_request(&CRYPTO, &keys, &read("provision-request")).unwrap();
    assert_eq!(opened.request, provision());
    let attested = opened.attested.unwrap();
    assert_eq!(attest(&attested.nonce), Ok(Some(attested.attestation)));
    let expected = [
        ("acquire", acquire()),
        ("acquire-bare", bare_acquire()),
        ("renew", renew()),
        ("renew-denied", renew()),
        ("release", release()),
    ];
    for (name, request) in expected {
        let opened = open_license_request(&CRYPTO, &keys, &trust, &read(name)).unwrap();
        assert_eq!(opened.request, request);
        let attested = opened.attested.map(|attested| {
            assert_eq!(attest(&attested.nonce), Ok(Some(attested.attestation)));
        });
        assert_eq!(attested.is_some(), name != "acquire-bare");
        let digest = CRYPTO.sha256(&[&read(&format!("{name}.signed"))]);
        assert_eq!(opened.exchange.request_digest, digest);
    }
    let opened = open_time_request(&CRYPTO, &keys, &trust, &read("time-request")).unwrap();
    assert_eq!(opened.request.challenge, challenge("time"));
    // Answers need their request's private key: the device makes the request again and opens the
    // answer from the file.
    let (known, mut device) = (world.known(&service), world.device("device"));
    let (rng, identity) = (&mut TestRng::new("acquire"), &mut device.identity());
    let (bytes, pending) =
        build_license_request(&CRYPTO, rng, identity, &known, &acquire(), &mut attest).unwrap();
    assert_eq!(bytes, read("acquire"));
    let answer = open_license_answer(&CRYPTO, &pending, &trust, &read("license"))
        .ok()
        .unwrap();
    let got = super::exchanges::granted(answer.outcome);
    assert_eq!(got.keys[0].key.expose(), license().keys[0].key.expose());
    assert_eq!(service.identity().chain.leaf, read("service-certificate"));
}
