//! The operator's keys: who signs what, and which of them the running server needs.
//!
//! Three tiers, each signed by the one above:
//!
//! * the **root** is the trust anchor that devices pin. Its key is used when the directory is made
//!   and to renew issuers; it belongs off line, and the running server never opens it;
//! * two **issuers** stand under it, one for service certificates and one for devices. The service
//!   issuer's key is needed once a month: in the directory the server renews its own certificate,
//!   elsewhere the operator runs [`KeyDirectory::renew`] there and copies `service.chain`;
//! * the **service** signs answers and opens requests with keys of its own, under a certificate of
//!   at most 30 days, so that a stolen service key soon counts for nothing.
//!
//! Distrusts the file system: every private file must be its owner's alone, every key must match
//! the certificate it stands beside, and every certificate must lead to the anchor.

mod error;
pub(crate) mod files;
mod issue;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use keybearer_crypto::{Digest, PrivateKeys, PublicKey, Secret};
use keybearer_license::{
    CertificateChain, DeviceClaims, LicenseError, RevokedSerials, Roles, ServiceId, ServiceKeys,
    TimeView, Trust, UnixTime, Validity, VerifiedService, anchor_digest, issue_device,
    public_key_from_cose, verify_device, verify_service,
};

use crate::clock::Clock;
use crate::crypto::{FileSigner, ServiceCrypto};
pub use error::KeyError;
use files::{Purpose, check_directory, read_key, read_key_file, read_public};

/// The anchor's public half, as a deterministic COSE_Key.
const ANCHOR_FILE: &str = "anchor.cbor";
/// The service's certificate and its issuer's.
const CHAIN_FILE: &str = "service.chain";
/// The token of the admin interface.
const ADMIN_TOKEN_FILE: &str = "admin.token";
/// The certificate of the device issuer.
const DEVICE_ISSUER_FILE: &str = "device-issuer.cert";
/// The certificate of the service issuer.
const SERVICE_ISSUER_FILE: &str = "service-issuer.cert";

/// Seconds in a day.
const DAY: u64 = 24 * 60 * 60;
/// A service certificate with less than this left is replaced where its issuer's key is at hand.
const RENEW_WITHIN: u64 = 15 * DAY;
/// How long a device certificate counts, in seconds: ten years, and never beyond its issuer's.
const DEVICE_VALIDITY: u64 = 3653 * DAY;

/// The operator's root public key and its digest.
///
/// The digest is what a device is given, out of band, or has compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The key.
    pub key: PublicKey,
    /// SHA-256 of the key as a deterministic COSE_Key.
    pub digest: Digest,
}

impl fmt::Display for Anchor {
    /// The digest, 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.digest.0))
    }
}

/// The service's certificate chain, as verified under the anchor.
#[derive(Debug)]
pub(crate) struct ServiceCertificate {
    pub(crate) chain: CertificateChain,
    pub(crate) verified: VerifiedService,
}

/// The keys of a running server: loaded, matched with their certificates, and tried.
pub struct KeyDirectory {
    dir: PathBuf,
    crypto: ServiceCrypto,
    anchor: Anchor,
    signing: FileSigner,
    agreement: Secret<32>,
    agreement_public: PublicKey,
    device_issuer: FileSigner,
    device_issuer_certificate: Vec<u8>,
    device_issuer_end: UnixTime,
    challenge: Secret<32>,
    store: Secret<32>,
    service: RwLock<Arc<ServiceCertificate>>,
}

impl KeyDirectory {
    /// Creates every key and certificate in a new directory and returns the anchor.
    ///
    /// The directory becomes 0700 and every file in it 0600. Move `root.key` to a safe place
    /// afterwards: the server does without it.
    ///
    /// # Errors
    /// [`KeyError::Exists`] where the directory is not empty, and whatever the file system or the
    /// random number generator report.
    pub fn create(dir: &Path, service: &ServiceId, clock: &dyn Clock) -> Result<Anchor, KeyError> {
        issue::create(dir, service, clock.now())
    }

    /// The anchor of a directory; reads no private key.
    ///
    /// # Errors
    /// [`KeyError::Missing`], [`KeyError::Format`].
    pub fn anchor(dir: &Path) -> Result<Anchor, KeyError> {
        let path = dir.join(ANCHOR_FILE);
        let bytes = read_public(&path)?;
        let key = public_key_from_cose(&bytes).map_err(|_| KeyError::Format {
            path,
            expected: "a COSE_Key on P-256",
        })?;
        Ok(Anchor {
            key,
            digest: anchor_digest(&ServiceCrypto::new(), &key)?,
        })
    }

    /// Issues a new service certificate of 30 days; with the root's key file also new issuer
    /// certificates. Returns when the service certificate will end.
    ///
    /// # Errors
    /// [`KeyError::Missing`] without `service-issuer.key`, [`KeyError::Mismatch`] for another
    /// anchor's root key.
    pub fn renew(
        dir: &Path,
        root_key: Option<&Path>,
        clock: &dyn Clock,
    ) -> Result<UnixTime, KeyError> {
        check_directory(dir)?;
        let now = clock.now();
        let anchor = Self::anchor(dir)?;
        if let Some(path) = root_key {
            let root = read_key_file(path, Purpose::Root)?;
            issue::renew_issuers(dir, path, &root, &anchor, now)?;
        }
        issue::renew_service(dir, &anchor, now)?;
        let renewed = read_service(dir, &ServiceCrypto::new(), &anchor, TimeView::exactly(now))?;
        Ok(renewed.verified.validity.not_after)
    }

    /// Loads the keys that a running server needs, renews the service certificate where that is
    /// due and possible, and tries everything once.
    ///
    /// # Errors
    /// [`KeyError::Permissions`] where others can read a private file, and for each file that is
    /// missing, damaged, ended or of another directory the error that names it.
    pub fn open(dir: &Path, clock: &dyn Clock) -> Result<Self, KeyError> {
        check_directory(dir)?;
        let now = clock.now();
        let crypto = ServiceCrypto::new();
        let anchor = Self::anchor(dir)?;
        let signing = FileSigner::new(&read_key(dir, Purpose::ServiceSigning)?)?;
        let agreement = read_key(dir, Purpose::ServiceAgreement)?;
        let agreement_public = crypto.public_key(&agreement)?;
        let device_issuer = FileSigner::new(&read_key(dir, Purpose::DeviceIssuer)?)?;
        let device_issuer_path = dir.join(DEVICE_ISSUER_FILE);
        let device_issuer_certificate = read_public(&device_issuer_path)?;
        let device_issuer_end = keybearer_license::peek_issuer(&device_issuer_certificate)
            .map_err(|source| KeyError::Certificate {
                path: device_issuer_path,
                source,
            })?
            .validity
            .not_after;
        let service = current_service(dir, &crypto, &anchor, now)?;
        let keys = Self {
            dir: dir.to_owned(),
            crypto,
            anchor,
            signing,
            agreement,
            agreement_public,
            device_issuer,
            device_issuer_certificate,
            device_issuer_end,
            challenge: read_key(dir, Purpose::Challenge)?,
            store: read_key(dir, Purpose::Store)?,
            service: RwLock::new(Arc::new(service)),
        };
        keys.check_service(&keys.service())?;
        keys.try_device_issuer(now)?;
        if Purpose::Root.file(dir).exists() {
            tracing::warn!(
                "root.key still lies in the key directory: move it away, the server does not need it"
            );
        }
        Ok(keys)
    }

    /// Replaces the service certificate when little of it is left and its issuer's key is here.
    ///
    /// # Errors
    /// As [`Self::open`]; the certificate in use then stays in use.
    pub(crate) fn refresh(&self, now: UnixTime) -> Result<(), KeyError> {
        let fresh = current_service(&self.dir, &self.crypto, &self.anchor, now)?;
        if fresh.verified.digest == self.service().verified.digest {
            return Ok(());
        }
        self.check_service(&fresh)?;
        tracing::info!(
            until = fresh.verified.validity.not_after.0,
            "service certificate replaced"
        );
        *self.service.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// The certificate that certifies this directory's service keys, and not others.
    fn check_service(&self, service: &ServiceCertificate) -> Result<(), KeyError> {
        let claims = &service.verified.claims;
        let mismatch = |what| KeyError::Mismatch {
            path: self.dir.join(CHAIN_FILE),
            what,
        };
        if claims.signing_key != self.signing.public() {
            return Err(mismatch(
                "it certifies another key than service-signing.key",
            ));
        }
        if claims.agreement_key != self.agreement_public {
            return Err(mismatch(
                "it certifies another key than service-agreement.key",
            ));
        }
        Ok(())
    }

    /// Certifies a device that does not exist, to find a bad device issuer before a real one comes.
    fn try_device_issuer(&self, now: UnixTime) -> Result<(), KeyError> {
        let (_, signing_key) = self.crypto.generate(&mut self.crypto.rng())?;
        let claims = DeviceClaims {
            ueid: keybearer_license::Ueid::from_device(&[0; 32]),
            oem: None,
            model: keybearer_license::HardwareModel::new("self-test")?,
            highest_level: keybearer_rules::Level::None,
            debug: keybearer_license::DebugStatus::Enabled,
            signing_key,
            validity: self.device_validity(now),
            serial: keybearer_license::Serial::random(&mut self.crypto.rng())?,
        };
        let chain = self.certify_device(&claims)?;
        let revoked = RevokedSerials::none();
        let trust = Trust {
            anchor: &self.anchor.key,
            time: TimeView::exactly(now),
            revoked: &revoked,
        };
        verify_device(&self.crypto, &trust, &chain).map_err(|source| KeyError::Certificate {
            path: self.dir.join(DEVICE_ISSUER_FILE),
            source,
        })?;
        Ok(())
    }

    /// Certifies a device under the device issuer.
    pub(crate) fn certify_device(
        &self,
        claims: &DeviceClaims,
    ) -> Result<CertificateChain, LicenseError> {
        let leaf = issue_device(&self.crypto, &mut *self.device_issuer.signer(), claims)?;
        Ok(CertificateChain {
            leaf,
            issuers: vec![self.device_issuer_certificate.clone()],
        })
    }

    /// When a device certificate made now will count.
    pub(crate) fn device_validity(&self, now: UnixTime) -> Validity {
        let not_before = UnixTime(now.0.saturating_sub(issue::BACKDATE));
        let not_after = now
            .saturating_add(DEVICE_VALIDITY)
            .min(self.device_issuer_end);
        Validity {
            not_before,
            not_after,
        }
    }

    /// The certificate in use now.
    pub(crate) fn service(&self) -> Arc<ServiceCertificate> {
        Arc::clone(&self.service.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What opens requests addressed to `service`.
    pub(crate) fn service_keys<'a>(&'a self, service: &'a ServiceCertificate) -> ServiceKeys<'a> {
        ServiceKeys {
            certificate_digest: &service.verified.digest,
            agreement: &self.agreement,
            agreement_public: &self.agreement_public,
        }
    }

    pub(crate) fn crypto(&self) -> &ServiceCrypto {
        &self.crypto
    }

    pub(crate) fn root(&self) -> &Anchor {
        &self.anchor
    }

    pub(crate) fn signing(&self) -> &FileSigner {
        &self.signing
    }

    pub(crate) fn challenge_key(&self) -> &Secret<32> {
        &self.challenge
    }

    pub(crate) fn store_key(&self) -> &Secret<32> {
        &self.store
    }
}

/// Where the admin token of a key directory lies unless the configuration names another place.
pub(crate) fn admin_token_file(dir: &Path) -> PathBuf {
    dir.join(ADMIN_TOKEN_FILE)
}

/// Reads the service chain and verifies it for every role the server plays.
fn read_service(
    dir: &Path,
    crypto: &ServiceCrypto,
    anchor: &Anchor,
    time: TimeView,
) -> Result<ServiceCertificate, KeyError> {
    let path = dir.join(CHAIN_FILE);
    let certificate = |source| KeyError::Certificate {
        path: path.clone(),
        source,
    };
    let chain = CertificateChain::from_bytes(&read_public(&path)?).map_err(certificate)?;
    let revoked = RevokedSerials::none();
    let trust = Trust {
        anchor: &anchor.key,
        time,
        revoked: &revoked,
    };
    let verified = verify_service(crypto, &trust, &chain, Roles::ALL).map_err(certificate)?;
    Ok(ServiceCertificate { chain, verified })
}

/// The service certificate, renewed first where little is left and the issuer's key is here.
fn current_service(
    dir: &Path,
    crypto: &ServiceCrypto,
    anchor: &Anchor,
    now: UnixTime,
) -> Result<ServiceCertificate, KeyError> {
    let found = read_service(dir, crypto, anchor, TimeView::exactly(now));
    let fresh_enough = |service: &ServiceCertificate| {
        service.verified.validity.not_after.0.saturating_sub(now.0) > RENEW_WITHIN
    };
    let can_renew = Purpose::ServiceIssuer.file(dir).exists();
    match found {
        Ok(service) if fresh_enough(&service) || !can_renew => Ok(service),
        Err(KeyError::Certificate {
            path,
            source: LicenseError::Expired,
        }) if !can_renew => Err(KeyError::CertificateEnded { path }),
        // Ended, or soon: what else is wrong with a chain is not mended by writing over it.
        Ok(_)
        | Err(KeyError::Certificate {
            source: LicenseError::Expired,
            ..
        }) => {
            issue::renew_service(dir, anchor, now)?;
            read_service(dir, crypto, anchor, TimeView::exactly(now))
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
