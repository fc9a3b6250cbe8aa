//! Certificates one by one: what is issued, what is read, what is kept.

use alloc::vec;
use alloc::vec::Vec;

use super::chains::{parts, refused, service_by, verify};
use super::world::{
    BrokenSigner, CRYPTO, DAY, NOW, World, device_claims, issuer_claims, public, serial,
    service_claims, signer,
};
use crate::LicenseError as E;
use crate::cose::key::{encode_cnf, encode_key};
use crate::cose::sign::{SignedBy, sign};
use crate::*;

#[test]
fn thirty_days_are_the_longest_a_service_is_certified_for() {
    let mut claims = service_claims("service", Roles::ALL);
    claims.validity = Validity {
        not_before: NOW,
        not_after: UnixTime(NOW.0 + 30 * DAY),
    };
    assert!(verify(&service_by("operator", &claims), &[]).is_ok());
    claims.validity.not_after = UnixTime(NOW.0 + 30 * DAY + 1);
    let made = issue_service(&CRYPTO, &mut signer("operator"), &claims);
    assert_eq!(made, Err(E::ValidityTooLong));
    // An operator with other tools could still sign one; devices refuse it.
    assert_eq!(refused(&unchecked(&claims), &[]), E::ValidityTooLong);
}

/// A service certificate as an operator with other tools might issue it.
fn unchecked(claims: &ServiceClaims) -> Vec<u8> {
    let payload = keybearer_cbor::encode(1024, |e| {
        e.map(|m| {
            m.entry(2, |e| e.text(claims.service.as_str()))?;
            m.entry(4, |e| e.uint(claims.validity.not_after.0))?;
            m.entry(5, |e| e.uint(claims.validity.not_before.0))?;
            m.entry(7, |e| e.bytes(&claims.serial.0))?;
            m.entry(8, |e| encode_cnf(e, &claims.signing_key))?;
            m.entry(-65537, |e| e.uint(claims.roles.bits().into()))?;
            m.entry(-65539, |e| encode_key(e, &claims.agreement_key))
        })
    })
    .unwrap();
    let issuer = key_digest(&CRYPTO, &public("operator")).unwrap();
    let by = SignedBy::Issuer(&issuer);
    let kind = MessageType::ServiceCertificate;
    sign(&mut signer("operator"), kind, &by, None, &payload)
        .unwrap()
        .to_vec()
}

#[test]
fn one_key_for_signing_and_agreement_is_refused() {
    let mut claims = service_claims("service", Roles::ALL);
    claims.agreement_key = claims.signing_key;
    let made = issue_service(&CRYPTO, &mut signer("operator"), &claims);
    assert_eq!(made, Err(E::Invalid));
    assert_eq!(refused(&unchecked(&claims), &[]), E::Invalid);
}

#[test]
fn an_empty_validity_is_refused() {
    let mut claims = service_claims("service", Roles::ALL);
    claims.validity.not_after = claims.validity.not_before;
    assert_eq!(
        issue_service(&CRYPTO, &mut signer("operator"), &claims),
        Err(E::Invalid)
    );
    assert_eq!(refused(&unchecked(&claims), &[]), E::Invalid);
    let mut claims = device_claims("device");
    claims.validity.not_after = claims.validity.not_before;
    assert_eq!(
        issue_device(&CRYPTO, &mut signer("operator"), &claims),
        Err(E::Invalid)
    );
    let mut claims = issuer_claims("top", Roles::ALL, Issues::SERVICES);
    claims.validity.not_after = claims.validity.not_before;
    assert_eq!(
        issue_issuer(&CRYPTO, &mut signer("operator"), &claims),
        Err(E::Invalid)
    );
    let nothing = issuer_claims("top", Roles::ALL, Issues::NONE);
    assert_eq!(
        issue_issuer(&CRYPTO, &mut signer("operator"), &nothing),
        Err(E::Invalid)
    );
}

#[test]
fn a_signer_that_fails_issues_nothing() {
    let mut broken = BrokenSigner(public("operator"));
    let claims = device_claims("device");
    assert_eq!(issue_device(&CRYPTO, &mut broken, &claims), Err(E::Key));
}

#[test]
fn a_chain_is_stored_and_read_back() {
    let (top, middle, leaf) = parts();
    let chain = CertificateChain {
        leaf: leaf.clone(),
        issuers: vec![middle, top.clone()],
    };
    let bytes = chain.to_bytes().unwrap();
    assert_eq!(CertificateChain::from_bytes(&bytes).unwrap(), chain);
    let long = CertificateChain {
        leaf,
        issuers: vec![top.clone(), top.clone(), top],
    };
    assert_eq!(long.to_bytes(), Err(E::ChainLength));
}

#[test]
fn certificates_can_be_looked_at() {
    let (top, _, leaf) = parts();
    assert_eq!(
        peek_service(&leaf).unwrap(),
        service_claims("service", Roles::ALL)
    );
    let issues = Issues::SERVICES.union(Issues::DEVICES);
    assert_eq!(
        peek_issuer(&top).unwrap(),
        issuer_claims("top", Roles::ALL, issues)
    );
    assert_eq!(peek_device(&leaf), Err(E::CertificateType));
    let device = World::new().device("device");
    assert_eq!(
        peek_device(&device.chain.leaf).unwrap(),
        device_claims("device")
    );
}

#[test]
fn too_many_revoked_serials_are_refused() {
    let serials = vec![Serial([0; 16]); MAX_REVOKED + 1];
    assert_eq!(RevokedSerials::from_serials(serials), Err(E::Size));
    let twice = RevokedSerials::from_serials(vec![serial("b"), serial("a"), serial("b")]).unwrap();
    assert_eq!(twice.serials().len(), 2);
}
