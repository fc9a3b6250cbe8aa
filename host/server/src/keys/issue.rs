//! Making keys and certificates: the operator's part, also run by the server for its own renewal.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::{PrivateKeys, PublicKey, Rng, Secret};
use keybearer_license::{
    CertificateChain, IssuerClaims, Issues, MAX_SERVICE_VALIDITY, Roles, Serial, ServiceClaims,
    ServiceId, TimeView, UnixTime, Validity, anchor_digest, cose_key, issue_issuer, issue_service,
    peek_issuer,
};
use zeroize::{Zeroize, Zeroizing};

use super::files::{
    Purpose, create_directory, empty_directory, read_key, read_public, write_key, write_private,
};
use super::{
    ANCHOR_FILE, Anchor, CHAIN_FILE, DAY, DEVICE_ISSUER_FILE, KeyError, SERVICE_ISSUER_FILE,
    admin_token_file, read_service,
};
use crate::crypto::{FileSigner, ServiceCrypto};

/// Certificates begin this many seconds before they are made, for devices whose clock is behind.
pub(super) const BACKDATE: u64 = 3600;
/// How long the service issuer counts, in seconds: two years.
const SERVICE_ISSUER_VALIDITY: u64 = 730 * DAY;
/// How long the device issuer counts, in seconds: twenty years, since devices live long.
const DEVICE_ISSUER_VALIDITY: u64 = 7305 * DAY;

/// Random bytes in an admin token: 256 bits.
const ADMIN_TOKEN_BYTES: usize = 32;

/// A key and what it is for, freshly made.
struct Fresh {
    private: Secret<32>,
    public: PublicKey,
}

fn generate(crypto: &ServiceCrypto) -> Result<Fresh, KeyError> {
    let (private, public) = crypto.generate(&mut crypto.rng())?;
    Ok(Fresh { private, public })
}

fn random_key(crypto: &ServiceCrypto) -> Result<Secret<32>, KeyError> {
    Ok(Secret::try_filled(|bytes| crypto.rng().fill(bytes))?)
}

pub(super) fn create(dir: &Path, service: &ServiceId, now: UnixTime) -> Result<Anchor, KeyError> {
    let made = create_directory(dir)?;
    fill(dir, service, now).inspect_err(|_| empty_directory(dir, made))
}

/// Makes every key and certificate in an empty directory.
fn fill(dir: &Path, service: &ServiceId, now: UnixTime) -> Result<Anchor, KeyError> {
    let crypto = ServiceCrypto::new();
    let root = generate(&crypto)?;
    let service_issuer = generate(&crypto)?;
    let device_issuer = generate(&crypto)?;
    let signing = generate(&crypto)?;
    let agreement = generate(&crypto)?;

    let anchor = Anchor {
        key: root.public,
        digest: anchor_digest(&crypto, &root.public)?,
    };
    write_private(&dir.join(ANCHOR_FILE), &cose_key(&root.public)?)?;
    write_key(dir, Purpose::Root, &root.private)?;
    write_key(dir, Purpose::ServiceIssuer, &service_issuer.private)?;
    write_key(dir, Purpose::DeviceIssuer, &device_issuer.private)?;
    write_key(dir, Purpose::ServiceSigning, &signing.private)?;
    write_key(dir, Purpose::ServiceAgreement, &agreement.private)?;
    write_key(dir, Purpose::Challenge, &random_key(&crypto)?)?;
    write_key(dir, Purpose::Store, &random_key(&crypto)?)?;
    write_admin_token(dir, &crypto)?;

    let root = FileSigner::new(&root.private)?;
    let issuers = [
        (
            SERVICE_ISSUER_FILE,
            service_issuer_claims(service, service_issuer.public, now, &crypto)?,
        ),
        (
            DEVICE_ISSUER_FILE,
            device_issuer_claims(service, device_issuer.public, now, &crypto)?,
        ),
    ];
    for (file, claims) in issuers {
        write_private(
            &dir.join(file),
            &issue_issuer(&crypto, &mut *root.signer(), &claims)?,
        )?;
    }
    certify_service(dir, service, signing.public, agreement.public, now)?;
    Ok(anchor)
}

fn write_admin_token(dir: &Path, crypto: &ServiceCrypto) -> Result<(), KeyError> {
    let mut bytes = Zeroizing::new([0; ADMIN_TOKEN_BYTES]);
    crypto.rng().fill(&mut *bytes)?;
    let mut text = URL_SAFE_NO_PAD.encode(*bytes);
    text.push('\n');
    let written = write_private(&admin_token_file(dir), text.as_bytes());
    text.zeroize();
    written
}

fn service_issuer_claims(
    service: &ServiceId,
    signing_key: PublicKey,
    now: UnixTime,
    crypto: &ServiceCrypto,
) -> Result<IssuerClaims, KeyError> {
    Ok(IssuerClaims {
        name: service.clone(),
        roles: Roles::ALL,
        issues: Issues::SERVICES,
        signing_key,
        validity: validity(now, SERVICE_ISSUER_VALIDITY),
        serial: Serial::random(&mut crypto.rng())?,
    })
}

fn device_issuer_claims(
    service: &ServiceId,
    signing_key: PublicKey,
    now: UnixTime,
    crypto: &ServiceCrypto,
) -> Result<IssuerClaims, KeyError> {
    Ok(IssuerClaims {
        name: service.clone(),
        // It speaks for no service: a device certificate carries no role.
        roles: Roles::NONE,
        issues: Issues::DEVICES,
        signing_key,
        validity: validity(now, DEVICE_ISSUER_VALIDITY),
        serial: Serial::random(&mut crypto.rng())?,
    })
}

/// Issues both issuers' certificates again, for the keys and names they have.
pub(super) fn renew_issuers(
    dir: &Path,
    root_path: &Path,
    root: &Secret<32>,
    anchor: &Anchor,
    now: UnixTime,
) -> Result<(), KeyError> {
    let crypto = ServiceCrypto::new();
    let root = FileSigner::new(root)?;
    if root.public() != anchor.key {
        return Err(KeyError::Mismatch {
            path: root_path.to_owned(),
            what: "it is not the key of anchor.cbor",
        });
    }
    for (file, length) in [
        (SERVICE_ISSUER_FILE, SERVICE_ISSUER_VALIDITY),
        (DEVICE_ISSUER_FILE, DEVICE_ISSUER_VALIDITY),
    ] {
        let path = dir.join(file);
        let mut claims =
            peek_issuer(&read_public(&path)?).map_err(|source| KeyError::Certificate {
                path: path.clone(),
                source,
            })?;
        claims.validity = validity(now, length);
        claims.serial = Serial::random(&mut crypto.rng())?;
        write_private(&path, &issue_issuer(&crypto, &mut *root.signer(), &claims)?)?;
    }
    Ok(())
}

/// Issues the service certificate again, for the name and the keys it has.
///
/// The old certificate says what to certify, so it must be genuine; it may have ended.
pub(super) fn renew_service(dir: &Path, anchor: &Anchor, now: UnixTime) -> Result<(), KeyError> {
    let old = read_service(dir, &ServiceCrypto::new(), anchor, TimeView::Unknown)?;
    let claims = old.verified.claims;
    certify_service(
        dir,
        &claims.service,
        claims.signing_key,
        claims.agreement_key,
        now,
    )
}

fn certify_service(
    dir: &Path,
    service: &ServiceId,
    signing_key: PublicKey,
    agreement_key: PublicKey,
    now: UnixTime,
) -> Result<(), KeyError> {
    let crypto = ServiceCrypto::new();
    let issuer = FileSigner::new(&read_key(dir, Purpose::ServiceIssuer)?)?;
    let issuer_path = dir.join(SERVICE_ISSUER_FILE);
    let issuer_certificate = read_public(&issuer_path)?;
    let issuer_claims =
        peek_issuer(&issuer_certificate).map_err(|source| KeyError::Certificate {
            path: issuer_path.clone(),
            source,
        })?;
    if issuer_claims.signing_key != issuer.public() {
        return Err(KeyError::Mismatch {
            path: issuer_path,
            what: "it certifies another key than service-issuer.key",
        });
    }
    let claims = ServiceClaims {
        service: service.clone(),
        roles: Roles::ALL,
        signing_key,
        agreement_key,
        validity: validity(now, MAX_SERVICE_VALIDITY),
        serial: Serial::random(&mut crypto.rng())?,
    };
    let leaf = issue_service(&crypto, &mut *issuer.signer(), &claims)?;
    let chain = CertificateChain {
        leaf,
        issuers: vec![issuer_certificate],
    };
    write_private(&dir.join(CHAIN_FILE), &chain.to_bytes()?)
}

/// `length` seconds, of which the first hour has passed.
fn validity(now: UnixTime, length: u64) -> Validity {
    let not_before = UnixTime(now.0.saturating_sub(BACKDATE));
    Validity {
        not_before,
        not_after: not_before.saturating_add(length),
    }
}
