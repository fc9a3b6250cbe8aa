//! An operator, its services and its devices, made from names, so that every run is the same.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use keybearer_crypto::{
    Crypto, CryptoError, Digest, PrivateKeys, PublicKey, Rng, Secret, Signature, Signer,
};
use keybearer_crypto_soft::{SoftCrypto, SoftSigner};
use keybearer_rules::Level;

use crate::{
    CertificateChain, Challenge, DebugStatus, DeviceClaims, DeviceIdentity, HardwareModel,
    IssuerClaims, Issues, OemId, RevokedSerials, Roles, Serial, Service, ServiceClaims, ServiceId,
    ServiceIdentity, ServiceKeys, TimeView, Trust, Ueid, UnixTime, Validity, issue_device,
    issue_issuer, issue_service, make_challenge, verify_service,
};

pub(super) const CRYPTO: SoftCrypto = SoftCrypto;

/// When the tests take place.
pub(super) const NOW: UnixTime = UnixTime(1_800_000_000);
pub(super) const DAY: u64 = 24 * 60 * 60;

/// SHA-256 of a name and a counter: the same bytes in every run.
pub(super) struct TestRng {
    name: &'static str,
    drawn: u64,
}

impl TestRng {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, drawn: 0 }
    }
}

impl Rng for TestRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        for chunk in out.chunks_mut(32) {
            let block = CRYPTO.sha256(&[self.name.as_bytes(), &self.drawn.to_be_bytes()]);
            self.drawn += 1;
            chunk.copy_from_slice(&block.0[..chunk.len()]);
        }
        Ok(())
    }
}

/// A generator that has failed.
pub(super) struct BrokenRng;

impl Rng for BrokenRng {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::Rng)
    }
}

/// A signer whose key is gone.
pub(super) struct BrokenSigner(pub(super) PublicKey);

impl Signer for BrokenSigner {
    fn public_key(&self) -> PublicKey {
        self.0
    }

    fn sign(&mut self, _: &[u8]) -> Result<Signature, CryptoError> {
        Err(CryptoError::Rejected)
    }
}

/// The private key of a name.
pub(super) fn private(name: &str) -> Secret<32> {
    Secret::copied_from(&CRYPTO.sha256(&[b"keybearer test key: ", name.as_bytes()]).0)
}

pub(super) fn signer(name: &str) -> SoftSigner {
    SoftSigner::new(private(name)).unwrap()
}

pub(super) fn public(name: &str) -> PublicKey {
    CRYPTO.public_key(&private(name)).unwrap()
}

pub(super) fn serial(name: &str) -> Serial {
    let digest = CRYPTO.sha256(&[b"serial: ", name.as_bytes()]);
    Serial(*digest.0.first_chunk().unwrap())
}

/// From a day ago to `days` ahead.
pub(super) fn validity(days: u64) -> Validity {
    Validity {
        not_before: UnixTime(NOW.0 - DAY),
        not_after: UnixTime(NOW.0 + days * DAY),
    }
}

pub(super) fn service_claims(name: &str, roles: Roles) -> ServiceClaims {
    ServiceClaims {
        service: ServiceId::new(name).unwrap(),
        roles,
        signing_key: public(name),
        agreement_key: public(&agreement_name(name)),
        validity: validity(20),
        serial: serial(name),
    }
}

fn agreement_name(name: &str) -> alloc::string::String {
    name.to_string() + " agreement"
}

pub(super) fn issuer_claims(name: &str, roles: Roles, issues: Issues) -> IssuerClaims {
    IssuerClaims {
        name: ServiceId::new(name).unwrap(),
        roles,
        issues,
        signing_key: public(name),
        validity: validity(400),
        serial: serial(name),
    }
}

pub(super) fn device_claims(name: &str) -> DeviceClaims {
    DeviceClaims {
        ueid: ueid(name),
        oem: Some(OemId([0x0e; 16])),
        model: HardwareModel::new("Test Box 1").unwrap(),
        highest_level: Level::Medium,
        debug: DebugStatus::Disabled,
        signing_key: public(name),
        validity: validity(300),
        serial: serial(name),
    }
}

pub(super) fn ueid(name: &str) -> Ueid {
    Ueid::from_device(&CRYPTO.sha256(&[b"device: ", name.as_bytes()]).0)
}

/// A service with its keys.
pub(super) struct TestService {
    pub(super) signer: SoftSigner,
    pub(super) agreement: Secret<32>,
    pub(super) agreement_public: PublicKey,
    pub(super) chain: CertificateChain,
    pub(super) digest: Digest,
}

impl TestService {
    pub(super) fn identity(&mut self) -> ServiceIdentity<'_> {
        ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        }
    }

    pub(super) fn keys(&self) -> ServiceKeys<'_> {
        ServiceKeys {
            certificate_digest: &self.digest,
            agreement: &self.agreement,
            agreement_public: &self.agreement_public,
        }
    }
}

/// A device with its certificate.
pub(super) struct TestDevice {
    pub(super) signer: SoftSigner,
    pub(super) chain: CertificateChain,
}

impl TestDevice {
    pub(super) fn identity(&mut self) -> DeviceIdentity<'_> {
        DeviceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        }
    }
}

/// An operator: a root, an issuer of services, an issuer of devices.
pub(super) struct World {
    pub(super) operator: &'static str,
    pub(super) anchor: PublicKey,
    pub(super) revoked: RevokedSerials,
    pub(super) time: TimeView,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of("operator")
    }

    pub(super) fn of(operator: &'static str) -> Self {
        Self {
            operator,
            anchor: public(operator),
            revoked: RevokedSerials::none(),
            time: TimeView::exactly(NOW),
        }
    }

    pub(super) fn trust(&self) -> Trust<'_> {
        Trust {
            anchor: &self.anchor,
            time: self.time,
            revoked: &self.revoked,
        }
    }

    pub(super) fn service_issuer(&self) -> Vec<u8> {
        let claims = issuer_claims("service issuer", Roles::ALL, Issues::SERVICES);
        issue_issuer(&CRYPTO, &mut signer(self.operator), &claims).unwrap()
    }

    pub(super) fn device_issuer(&self) -> Vec<u8> {
        let claims = issuer_claims("device issuer", Roles::NONE, Issues::DEVICES);
        issue_issuer(&CRYPTO, &mut signer(self.operator), &claims).unwrap()
    }

    pub(super) fn service_with(&self, claims: &ServiceClaims) -> TestService {
        let name = claims.service.as_str();
        let leaf = issue_service(&CRYPTO, &mut signer("service issuer"), claims).unwrap();
        TestService {
            signer: signer(name),
            agreement: private(&agreement_name(name)),
            agreement_public: claims.agreement_key,
            digest: CRYPTO.sha256(&[&leaf]),
            chain: CertificateChain {
                leaf,
                issuers: vec![self.service_issuer()],
            },
        }
    }

    pub(super) fn service(&self, name: &str, roles: Roles) -> TestService {
        self.service_with(&service_claims(name, roles))
    }

    pub(super) fn device(&self, name: &str) -> TestDevice {
        let mut issuer = signer("device issuer");
        let leaf = issue_device(&CRYPTO, &mut issuer, &device_claims(name)).unwrap();
        let chain = CertificateChain {
            leaf,
            issuers: vec![self.device_issuer()],
        };
        TestDevice {
            signer: signer(name),
            chain,
        }
    }

    /// The service as a device knows it after service info.
    pub(super) fn known(&self, service: &TestService) -> Service {
        let found = verify_service(&CRYPTO, &self.trust(), &service.chain, Roles::NONE).unwrap();
        Service {
            claims: found.claims,
            digest: found.digest,
            anchor: self.anchor,
            validity: found.validity,
            issuers: found.issuers,
        }
    }
}

/// The service's key for challenges.
pub(super) fn mac_key() -> Secret<32> {
    private("challenge")
}

pub(super) fn challenge(name: &'static str) -> Challenge {
    make_challenge(&CRYPTO, &mut TestRng::new(name), &mac_key(), NOW).unwrap()
}
