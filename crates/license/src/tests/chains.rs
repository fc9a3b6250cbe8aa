//! Bad chains, each refused for its own reason.

use alloc::vec;
use alloc::vec::Vec;

use super::world::{
    CRYPTO, DAY, NOW, World, device_claims, issuer_claims, public, serial, service_claims, signer,
    validity,
};
use crate::LicenseError as E;
use crate::cose::sign::{SignedBy, sign};
use crate::*;

/// The best service chain: anchor, two issuers, leaf.
pub(super) fn parts() -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let top = issuer_claims("top", Roles::ALL, Issues::SERVICES.union(Issues::DEVICES));
    let middle = issuer_claims("middle", Roles::ALL, Issues::SERVICES);
    (
        issue_issuer(&CRYPTO, &mut signer("operator"), &top).unwrap(),
        issue_issuer(&CRYPTO, &mut signer("top"), &middle).unwrap(),
        issue_service(
            &CRYPTO,
            &mut signer("middle"),
            &service_claims("service", Roles::ALL),
        )
        .unwrap(),
    )
}

fn issuer_by(by: &str, claims: &IssuerClaims) -> Vec<u8> {
    issue_issuer(&CRYPTO, &mut signer(by), claims).unwrap()
}

pub(super) fn service_by(by: &str, claims: &ServiceClaims) -> Vec<u8> {
    issue_service(&CRYPTO, &mut signer(by), claims).unwrap()
}

fn verify_under(world: &World, leaf: &[u8], issuers: &[&[u8]]) -> Result<VerifiedService, E> {
    let chain = CertificateChain {
        leaf: leaf.to_vec(),
        issuers: issuers.iter().map(|issuer| issuer.to_vec()).collect(),
    };
    verify_service(&CRYPTO, &world.trust(), &chain, Roles::LICENSE)
}

pub(super) fn verify(leaf: &[u8], issuers: &[&[u8]]) -> Result<VerifiedService, E> {
    verify_under(&World::new(), leaf, issuers)
}

pub(super) fn refused(leaf: &[u8], issuers: &[&[u8]]) -> E {
    verify(leaf, issuers).unwrap_err()
}

#[test]
fn chains_of_one_two_and_three_are_accepted() {
    let (top, middle, leaf) = parts();
    let claims = service_claims("service", Roles::ALL);
    assert!(verify(&leaf, &[&middle, &top]).is_ok());
    assert!(verify(&service_by("top", &claims), &[&top]).is_ok());
    assert!(verify(&service_by("operator", &claims), &[]).is_ok());
}

#[test]
fn a_chain_s_validity_is_the_intersection() {
    let (top, middle, _) = parts();
    let mut claims = service_claims("service", Roles::ALL);
    claims.validity = Validity {
        not_before: UnixTime(NOW.0 - 7),
        ..validity(5)
    };
    let found = verify(&service_by("middle", &claims), &[&middle, &top]).unwrap();
    assert_eq!(found.validity, claims.validity);
}

#[test]
fn a_chain_of_four_is_refused() {
    let (top, middle, _) = parts();
    let third = issuer_by(
        "middle",
        &issuer_claims("third", Roles::ALL, Issues::SERVICES),
    );
    let leaf = service_by("third", &service_claims("service", Roles::ALL));
    assert_eq!(refused(&leaf, &[&third, &middle, &top]), E::ChainLength);
}

#[test]
fn a_foreign_anchor_is_named_as_such() {
    let (top, middle, leaf) = parts();
    let other = World::of("other operator");
    assert_eq!(
        verify_under(&other, &leaf, &[&middle, &top]).unwrap_err(),
        E::WrongAnchor
    );
}

#[test]
fn a_self_signed_leaf_is_refused() {
    let leaf = service_by("service", &service_claims("service", Roles::ALL));
    assert_eq!(refused(&leaf, &[]), E::WrongAnchor);
}

#[test]
fn a_self_signed_issuer_is_refused() {
    let own = issuer_by(
        "middle",
        &issuer_claims("middle", Roles::ALL, Issues::SERVICES),
    );
    let leaf = service_by("middle", &service_claims("service", Roles::ALL));
    assert_eq!(refused(&leaf, &[&own]), E::WrongAnchor);
}

#[test]
fn swapped_issuers_are_refused() {
    let (top, middle, leaf) = parts();
    assert_eq!(refused(&leaf, &[&top, &middle]), E::WrongAnchor);
}

#[test]
fn a_missing_issuer_is_refused() {
    let (top, middle, leaf) = parts();
    assert_eq!(refused(&leaf, &[&top]), E::WrongIssuer);
    assert_eq!(refused(&leaf, &[&middle]), E::WrongAnchor);
    assert_eq!(refused(&leaf, &[]), E::WrongAnchor);
}

#[test]
fn a_leaf_of_another_issuer_is_refused() {
    let (top, middle, _) = parts();
    let leaf = service_by("stranger", &service_claims("service", Roles::ALL));
    assert_eq!(refused(&leaf, &[&middle, &top]), E::WrongIssuer);
}

#[test]
fn a_repeated_issuer_is_refused() {
    let (top, _, _) = parts();
    let leaf = service_by("top", &service_claims("service", Roles::ALL));
    assert_eq!(refused(&leaf, &[&top, &top]), E::WrongIssuer);
}

#[test]
fn certificates_out_of_place_are_refused() {
    let (top, middle, _) = parts();
    let world = World::new();
    let device = world.device("device");
    // A service as an issuer, an issuer as a leaf, a device as a leaf.
    let below = service_by("service", &service_claims("below", Roles::ALL));
    let direct = service_by("operator", &service_claims("service", Roles::ALL));
    assert_eq!(refused(&below, &[&direct]), E::CertificateType);
    assert_eq!(refused(&middle, &[&top]), E::CertificateType);
    let issuer = &device.chain.issuers[0];
    let devices_only = refused(&device.chain.leaf, &[issuer]);
    assert_eq!(devices_only, E::RoleMissing);
    let both = issue_device(&CRYPTO, &mut signer("top"), &device_claims("device")).unwrap();
    assert_eq!(refused(&both, &[&top]), E::CertificateType);
}

#[test]
fn a_forged_signature_is_refused_at_every_link() {
    let (top, middle, leaf) = parts();
    let forge = |certificate: &[u8]| {
        let mut forged = certificate.to_vec();
        *forged.last_mut().unwrap() ^= 1;
        forged
    };
    assert_eq!(refused(&forge(&leaf), &[&middle, &top]), E::Signature);
    assert_eq!(refused(&leaf, &[&forge(&middle), &top]), E::Signature);
    assert_eq!(refused(&leaf, &[&middle, &forge(&top)]), E::Signature);
}

#[test]
fn a_leaf_that_names_an_issuer_it_has_not_is_refused() {
    // Signed by a stranger who writes the right issuer's digest into the header.
    let (top, middle, _) = parts();
    let digest = key_digest(&CRYPTO, &public("middle")).unwrap();
    let honest = service_by("middle", &service_claims("service", Roles::ALL));
    let payload = peek_sign1(&honest).unwrap().payload;
    let forged = sign(
        &mut signer("stranger"),
        MessageType::ServiceCertificate,
        &SignedBy::Issuer(&digest),
        None,
        &payload,
    )
    .unwrap();
    assert_eq!(refused(&forged, &[&middle, &top]), E::Signature);
}

#[test]
fn a_missing_role_is_refused() {
    let (top, middle, _) = parts();
    let without = Roles::TIME
        .union(Roles::REVOCATION)
        .union(Roles::PROVISIONING);
    let leaf = service_by("middle", &service_claims("service", without));
    assert_eq!(refused(&leaf, &[&middle, &top]), E::RoleMissing);
    let chain = CertificateChain {
        leaf,
        issuers: vec![middle, top],
    };
    let world = World::new();
    for role in [
        Roles::TIME,
        Roles::REVOCATION,
        Roles::PROVISIONING,
        Roles::NONE,
    ] {
        assert!(verify_service(&CRYPTO, &world.trust(), &chain, role).is_ok());
    }
}

#[test]
fn an_issuer_cannot_grant_a_role_it_lacks() {
    let (top, _, leaf) = parts();
    let narrow = issuer_by(
        "top",
        &issuer_claims("middle", Roles::LICENSE, Issues::SERVICES),
    );
    assert_eq!(refused(&leaf, &[&narrow, &top]), E::RoleMissing);
}

#[test]
fn an_issuer_cannot_pass_on_a_role_it_lacks() {
    let narrow = issuer_by(
        "operator",
        &issuer_claims("top", Roles::TIME, Issues::SERVICES),
    );
    let (_, middle, leaf) = parts();
    assert_eq!(refused(&leaf, &[&middle, &narrow]), E::RoleMissing);
}

#[test]
fn a_device_issuer_cannot_issue_services_at_any_height() {
    let (top, _, leaf) = parts();
    let devices = issuer_by("top", &issuer_claims("middle", Roles::ALL, Issues::DEVICES));
    assert_eq!(refused(&leaf, &[&devices, &top]), E::RoleMissing);
    let (_, middle, _) = parts();
    let devices = issuer_by(
        "operator",
        &issuer_claims("top", Roles::ALL, Issues::DEVICES),
    );
    assert_eq!(refused(&leaf, &[&middle, &devices]), E::RoleMissing);
}

#[test]
fn a_service_issuer_cannot_issue_devices() {
    let world = World::new();
    let mut issuer = signer("service issuer");
    let leaf = issue_device(&CRYPTO, &mut issuer, &device_claims("device")).unwrap();
    let chain = CertificateChain {
        leaf,
        issuers: vec![world.service_issuer()],
    };
    let found = verify_device(&CRYPTO, &world.trust(), &chain);
    assert_eq!(found.unwrap_err(), E::RoleMissing);
}

#[test]
fn every_link_must_count_now() {
    let (top, middle, leaf) = parts();
    let past = Validity {
        not_before: UnixTime(NOW.0 - 2 * DAY),
        not_after: NOW,
    };
    let future = Validity {
        not_before: UnixTime(NOW.0 + 1),
        not_after: UnixTime(NOW.0 + DAY),
    };
    for (validity, expected) in [(past, E::Expired), (future, E::NotYetValid)] {
        let mut claims = service_claims("service", Roles::ALL);
        claims.validity = validity;
        assert_eq!(
            refused(&service_by("middle", &claims), &[&middle, &top]),
            expected
        );

        let mut claims = issuer_claims("middle", Roles::ALL, Issues::SERVICES);
        claims.validity = validity;
        assert_eq!(
            refused(&leaf, &[&issuer_by("top", &claims), &top]),
            expected
        );

        let mut claims = issuer_claims("top", Roles::ALL, Issues::SERVICES);
        claims.validity = validity;
        assert_eq!(
            refused(&leaf, &[&middle, &issuer_by("operator", &claims)]),
            expected
        );
    }
}

#[test]
fn edges_of_validity_follow_what_is_known_of_time() {
    let mut claims = service_claims("service", Roles::ALL);
    claims.validity = Validity {
        not_before: UnixTime(1000),
        not_after: UnixTime(2000),
    };
    let leaf = service_by("operator", &claims);
    let at = |time| {
        verify_under(
            &World {
                time,
                ..World::new()
            },
            &leaf,
            &[],
        )
        .err()
    };
    let between = |earliest, latest| {
        at(TimeView::Interval {
            earliest: UnixTime(earliest),
            latest: UnixTime(latest),
        })
    };
    assert_eq!(between(999, 999), Some(E::NotYetValid));
    assert_eq!(between(999, 1500), Some(E::NotYetValid));
    assert_eq!(between(1000, 1999), None);
    assert_eq!(between(1500, 2000), Some(E::Expired));
    assert_eq!(at(TimeView::Floor(UnixTime(0))), None);
    assert_eq!(at(TimeView::Floor(UnixTime(1999))), None);
    assert_eq!(at(TimeView::Floor(UnixTime(2000))), Some(E::Expired));
    assert_eq!(at(TimeView::Unknown), None);
}

#[test]
fn a_revoked_serial_is_refused_at_every_link() {
    let (top, middle, leaf) = parts();
    for name in ["top", "middle", "service"] {
        let revoked = RevokedSerials::from_serials(vec![serial("z"), serial(name)]).unwrap();
        let world = World {
            revoked,
            ..World::new()
        };
        assert_eq!(
            verify_under(&world, &leaf, &[&middle, &top]).unwrap_err(),
            E::Revoked
        );
    }
    let revoked = RevokedSerials::from_serials(vec![serial("z")]).unwrap();
    assert!(
        verify_under(
            &World {
                revoked,
                ..World::new()
            },
            &leaf,
            &[&middle, &top]
        )
        .is_ok()
    );
}

/// What is revoked after a service was verified is found in what was kept of it.
#[test]
fn a_verified_service_remembers_every_serial_of_its_chain() {
    let (top, middle, leaf) = parts();
    let found = verify(&leaf, &[&middle, &top]).unwrap();
    let service = Service {
        claims: found.claims,
        digest: found.digest,
        anchor: World::new().anchor,
        validity: found.validity,
        issuers: found.issuers,
    };
    for (name, revoked) in [
        ("top", true),
        ("middle", true),
        ("service", true),
        ("z", false),
    ] {
        let list = RevokedSerials::from_serials(vec![serial(name)]).unwrap();
        assert_eq!(service.is_revoked(&list), revoked, "{name}");
    }
    assert!(!service.is_revoked(&RevokedSerials::none()));
}

#[test]
fn a_device_s_certificate_is_judged_alike() {
    let world = World::new();
    let device = world.device("device");
    assert!(verify_device(&CRYPTO, &world.trust(), &device.chain).is_ok());
    let other = World::of("other operator");
    let found = verify_device(&CRYPTO, &other.trust(), &device.chain);
    assert_eq!(found.unwrap_err(), E::WrongAnchor);
    let revoked = RevokedSerials::from_serials(vec![serial("device")]).unwrap();
    let found = verify_device(
        &CRYPTO,
        &World {
            revoked,
            ..World::new()
        }
        .trust(),
        &device.chain,
    );
    assert_eq!(found.unwrap_err(), E::Revoked);
    let later = World {
        time: TimeView::exactly(UnixTime(NOW.0 + 300 * DAY)),
        ..World::new()
    };
    let found = verify_device(&CRYPTO, &later.trust(), &device.chain);
    assert_eq!(found.unwrap_err(), E::Expired);
    let service = world.service("service", Roles::ALL);
    let found = verify_device(&CRYPTO, &world.trust(), &service.chain);
    assert_eq!(found.unwrap_err(), E::RoleMissing);
}
