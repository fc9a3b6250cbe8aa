//! Inside the QEMU machine, on an OP-TEE that has its attestation PTA (`tests/qemu/attestation`): what
//! it says of the key TA that runs decides what a service gives.
//!
//! `KEYBEARER_CASE` names the image that this boot runs, `KEYBEARER_LISTED` the measurement that the
//! service lists, as the build computed it from the image.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keybearer_client::{AnchorDigest, Certified, Client, Device, ProvisionToken};
use keybearer_crypto::{Crypto, Digest, PrivateKeys, Secret};
use keybearer_crypto_ring::{RingCrypto, SystemRng, verify_rsa_pss};
use keybearer_crypto_soft::{SoftCrypto, SoftSigner};
use keybearer_license::{
    AnchorRef, Denial, DenialReason, Evidence, Isolation, OpenedProvision, OpenedServiceInfo,
    ProvisionOutcome, ProvisionRequest, RevokedSerials, Scheme, ServiceKeys, TimeView, TrackType,
    Trust, Ueid, build_provision_request, open_provision_answer, open_provision_request,
    open_service_info,
};
use keybearer_rules::Level;
use keybearer_server::{
    AttestationSpec, Config, ContentSpec, EnrolmentToken, FactoryToken, KeySpec, PlatformKey,
    RunningServer, Server, Tenant,
};
use keybearer_tee::{ClearSession, Tee};
use keybearer_tests::bare::Bare;
use keybearer_tests::raw::{Client as Libteec, Parameter, SUCCESS, Way};
use keybearer_tests::{guest, post};
use keybearer_wire::body::{self, TokenKind};
use keybearer_wire::field::{Blob, Text};

/// OP-TEE's attestation PTA, which programs of the normal world may call as well.
const PTA: &str = "39800861-182a-4720-9b67-2bcd622bc0b5";
/// The one key of the one content.
const KID: [u8; 16] = [0x4b; 16];
const MODEL: &str = "test-device";
const CRYPTO: SoftCrypto = SoftCrypto;

/// The platform's public key, as a factory would read it: modulus and exponent.
fn platform_key() -> (Vec<u8>, Vec<u8>) {
    let mut pta = Libteec::open(PTA).unwrap();
    let (mut exponent, mut modulus) = ([0; 8], [0; 512]);
    let asked = pta.call(
        0,
        [
            Parameter::Temporary(Way::Out, &mut exponent),
            Parameter::Temporary(Way::Out, &mut modulus),
            Parameter::Value(Way::Out, 0, 0),
            Parameter::Absent,
        ],
    );
    assert_eq!(asked.code, SUCCESS);
    let [e, n, ..] = asked.sizes;
    (modulus[..n].to_vec(), exponent[..e].to_vec())
}

fn keys() -> PathBuf {
    std::env::var_os("KEYBEARER_OPERATOR").unwrap().into()
}

/// The measurement that the service lists.
fn listed() -> Digest {
    let text = std::env::var("KEYBEARER_LISTED").unwrap();
    Digest(hex::decode(text.trim()).unwrap().try_into().unwrap())
}

/// A production service of the operator, with a content for Medium and above; `demands`: what a
/// platform has to say.
fn service(store: &Path, demands: Option<AttestationSpec>) -> RunningServer {
    let mut config = Config::new(keys(), store.join("store.redb"));
    config.tenants = vec![Tenant {
        name: "default".into(),
        attestation: demands,
        ..Tenant::default()
    }];
    let mut key = KeySpec::new(
        keybearer_license::KeyId(KID),
        Secret::copied_from(&[0x55; 16]),
        TrackType::Sd,
        Scheme::Cenc,
    );
    key.lowest_level = Level::Medium;
    config.contents = vec![ContentSpec::open("film", vec![key])];
    Server::bind(config).unwrap()
}

/// What the service demands: the listed code on this very platform.
fn demands() -> AttestationSpec {
    let (modulus, exponent) = platform_key();
    AttestationSpec {
        keys: vec![PlatformKey::rsa(&modulus, &exponent).unwrap()],
        measurements: vec![listed()],
        ..AttestationSpec::default()
    }
}

fn anchor(server: &RunningServer) -> AnchorDigest {
    AnchorDigest(server.anchor().digest.0)
}

fn enrolment(server: &RunningServer) -> Vec<u8> {
    let wanted = EnrolmentToken {
        tenant: "default".into(),
        model: None,
        valid_seconds: 600,
    };
    let minted = server.registry().mint_enrolment(&wanted).unwrap();
    minted.token.into_bytes()
}

/// Provisions the device with a bare enrolment token: what is certified, or the rule that refuses.
fn enrolled(server: &RunningServer, tee: &Arc<dyn Tee>) -> Result<Certified, String> {
    let token = ProvisionToken::Enrollment(enrolment(server));
    provisioned(server, tee, &token)
}

fn provisioned(
    server: &RunningServer,
    tee: &Arc<dyn Tee>,
    token: &ProvisionToken,
) -> Result<Certified, String> {
    let url = server.url().parse().unwrap();
    let client = Client::new(Arc::clone(tee), url, anchor(server));
    let done = client.provision(token, MODEL);
    done.map_err(|error| format!("{error:?}"))
}

/// Asks for the key: the licence, or reason and rule of the denial.
fn licensed(server: &RunningServer, tee: &dyn Tee) -> Result<(), (u16, String)> {
    let info = post::service_info(&server.url()).unwrap();
    let mut session = Bare::open(tee, anchor(server), &info).unwrap();
    let request = session.request(KID).unwrap();
    let answer = post::license(&server.url(), &request).unwrap();
    let load = body::LoadAnswer {
        session: session.session,
        answer: Blob(&answer),
    };
    let loaded = session.connection.exchange(&load).unwrap();
    match loaded.denial {
        None => Ok(()),
        Some(denial) => {
            let rule = denial.rule.map(|rule| rule.0.to_owned());
            Err((denial.reason, rule.unwrap_or_default()))
        }
    }
}

/// Opens what the device sent, with the operator's keys.
fn opened(info: &OpenedServiceInfo, message: &[u8]) -> OpenedProvision {
    let file = std::fs::read(keys().join("service-agreement.key")).unwrap();
    let agreement = Secret::copied_from(file.last_chunk().unwrap());
    let keys = ServiceKeys {
        certificate_digest: &info.service.digest,
        agreement: &agreement,
        agreement_public: &info.service.claims.agreement_key,
    };
    open_provision_request(&CRYPTO, &keys, message).unwrap()
}

/// What a stranger's request gets that carries another's attestation.
fn stolen(server: &RunningServer, info: &OpenedServiceInfo, from: &OpenedProvision) -> Denial {
    let mut rng = SystemRng::new();
    let (private, public) = CRYPTO.generate(&mut rng).unwrap();
    let mut signer = SoftSigner::new(private).unwrap();
    let request = ProvisionRequest {
        ueid: Ueid::from_device(&CRYPTO.sha256(&[&public.x]).0),
        evidence: Evidence {
            isolation: Isolation::Tee,
            ..from.request.evidence.clone()
        },
        token: keybearer_license::ProvisionToken::Enrolment(enrolment(server)),
        ..from.request.clone()
    };
    let stolen = from.attested.clone().unwrap().attestation;
    let (message, pending) = build_provision_request(
        &CRYPTO,
        &mut rng,
        &mut signer,
        &info.service,
        &request,
        &mut |_| Ok(Some(stolen.clone())),
    )
    .unwrap();
    let answer = post::provision(&server.url(), &message).unwrap();
    let revoked = RevokedSerials::none();
    let trust = Trust {
        anchor: &info.service.anchor,
        time: TimeView::Unknown,
        revoked: &revoked,
    };
    match open_provision_answer(&CRYPTO, &pending, &trust, &answer)
        .unwrap()
        .outcome
    {
        ProvisionOutcome::Denied(denial) => denial,
        ProvisionOutcome::Provisioned { .. } => panic!("a stranger was certified"),
    }
}

/// The listed image: every request has an attestation of its own, and gets what it asks for.
fn listed_code_is_served() {
    let (folder, tee) = (tempfile::tempdir().unwrap(), guest::optee());
    let server = service(folder.path(), Some(demands()));
    let certified = enrolled(&server, &tee).unwrap();
    assert_eq!((certified.level, certified.debug), (Level::High, false));
    licensed(&server, &*tee).unwrap();
    licensed(&server, &*tee).unwrap();

    // What it sends is genuine, and of no use to anybody else.
    let info = post::service_info(&server.url()).unwrap();
    let mut connection = ClearSession::new(tee.connect().unwrap());
    let begin = body::BeginProvisioning {
        anchor: anchor(&server).0,
        service_info: Blob(&info),
        token_kind: TokenKind::Enrollment,
        token: Blob(b"any"),
        model: Text(MODEL),
    };
    let message = connection.exchange(&begin).unwrap().bytes.0.to_vec();
    let digest = Digest(anchor(&server).0);
    let revoked = RevokedSerials::none();
    let root = AnchorRef::Digest(&digest);
    let info = open_service_info(&CRYPTO, root, TimeView::Unknown, &revoked, &info).unwrap();
    let genuine = opened(&info, &message);
    let attested = genuine.attested.as_ref().unwrap();
    let (modulus, exponent) = platform_key();
    assert_eq!(attested.attestation.measurement, listed());
    assert_eq!(attested.attestation.key, RingCrypto.sha256(&[&modulus]));
    let signed = |nonce: Digest| {
        let said = [nonce.0, listed().0].concat();
        verify_rsa_pss(&modulus, &exponent, &said, &attested.attestation.proof).is_ok()
    };
    assert!(signed(attested.nonce));
    assert!(!signed(Digest([0; 32])));
    let denial = stolen(&server, &info, &genuine);
    assert_eq!(denial.reason, DenialReason::PlatformNotVerified);
    assert_eq!(denial.rule.as_deref(), Some("attestation.proof"));
    println!("replayed: {denial:?}");
}

/// The normal world cannot have the TA's measurement made over a nonce of its own.
fn the_host_gets_no_measurement() {
    let mut pta = Libteec::open(PTA).unwrap();
    let (mut nonce, mut out) = ([1; 32], [0; 544]);
    let asked = pta.call(
        2,
        [
            Parameter::Temporary(Way::In, &mut nonce),
            Parameter::Temporary(Way::Out, &mut out),
            Parameter::Absent,
            Parameter::Absent,
        ],
    );
    assert_ne!(asked.code, SUCCESS);
    assert_eq!(out, [0; 544]);
}

/// Other code under the same name, signed by the same maker: neither certified nor served, not even with
/// a certificate that it has from elsewhere.
fn changed_code_is_refused() {
    let (folder, tee) = (tempfile::tempdir().unwrap(), guest::optee());
    let server = service(folder.path(), Some(demands()));
    let refused = enrolled(&server, &tee).unwrap_err();
    assert!(refused.contains("attestation.measurement"), "{refused}");
    server.shutdown().unwrap();

    // A tenant without the demand takes a factory's word.
    let server = service(folder.path(), None);
    let mut device = Device::connect(&*tee).unwrap();
    let wanted = FactoryToken {
        tenant: "default".into(),
        key_digest: Digest(device.device_key(&anchor(&server)).unwrap().digest),
        level: Level::High,
        model: None,
        valid_seconds: 600,
    };
    let minted = server.registry().mint_factory(&wanted).unwrap();
    let token = ProvisionToken::Factory(minted.token.into_bytes());
    assert_eq!(
        provisioned(&server, &tee, &token).unwrap().level,
        Level::High
    );
    licensed(&server, &*tee).unwrap();
    server.shutdown().unwrap();

    let server = service(folder.path(), Some(demands()));
    let (reason, rule) = licensed(&server, &*tee).unwrap_err();
    assert_eq!(reason, DenialReason::PlatformNotVerified.code());
    assert_eq!(rule, "attestation.measurement");
}

/// A debug build is refused although its measurement is listed.
fn a_debug_build_is_refused() {
    let (folder, tee) = (tempfile::tempdir().unwrap(), guest::optee());
    let server = service(folder.path(), Some(demands()));
    let refused = enrolled(&server, &tee).unwrap_err();
    assert!(refused.contains("integration-only"), "{refused}");
    let integration = {
        let mut config = Config::new(keys(), folder.path().join("lab.redb"));
        config.tenants = vec![Tenant {
            name: "default".into(),
            integration: true,
            attestation: Some(demands()),
            ..Tenant::default()
        }];
        Server::bind(config).unwrap()
    };
    let certified = enrolled(&integration, &tee).unwrap();
    assert_eq!((certified.level, certified.debug), (Level::High, true));
}

#[test]
fn the_platform_s_word_decides() {
    the_host_gets_no_measurement();
    match std::env::var("KEYBEARER_CASE").unwrap().as_str() {
        "listed" => listed_code_is_served(),
        "changed" => changed_code_is_refused(),
        "debug" => a_debug_build_is_refused(),
        other => panic!("no such case: {other}"),
    }
}
