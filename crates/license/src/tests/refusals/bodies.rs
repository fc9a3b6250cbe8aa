//! Bodies that open and are signed, but are not what was asked for.

use alloc::vec;

use keybearer_crypto::Digest;

use super::super::exchanges::{answer, ask};
use super::super::samples::{
    acquire, bare_acquire, bare_license, content_key, head, license, provision, release, renew,
    root_key, service,
};
use super::super::world::{
    CRYPTO, DAY, NOW, TestRng, World, challenge, device_claims, public, signer, ueid,
};
use crate::LicenseError as E;
use crate::*;

use super::answers::accepts;

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
        attested: None,
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
