//! A licence service, provisioning service and certificate authority in one: the server half of
//! `keybearer-license` with keys of its own.
//!
//! It certifies whoever asks, grants what it is given, and can be told to be wrong: to sign with
//! another's key, to lose a role, to have been revoked. It decides nothing; what a real service
//! would decide is `keybearer-server`'s. Random bytes are a hash of a counter, so that a run can be
//! repeated; nothing that it protects is worth protecting.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod answers;
mod content;

pub use content::{cenc_use, key, license, seconds, secret};

use keybearer_crypto::{Crypto, CryptoError, Digest, PrivateKeys, PublicKey, Rng, Secret, Signer};
use keybearer_crypto_soft::{SoftCrypto, SoftSigner};
use keybearer_license::{
    CertificateChain, DebugStatus, IssuerClaims, Issues, Roles, Serial, ServiceClaims, ServiceId,
    UnixTime, Validity, anchor_digest, issue_issuer, issue_service, peek_service,
};
use keybearer_rules::Level;

/// When a story begins that is not told otherwise, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;
/// Seconds.
const DAY: u64 = 24 * 60 * 60;

/// The service; see the crate's head.
pub struct Service {
    /// Server time in seconds.
    pub now: u64,
    /// Least revocation-list number it announces.
    pub list: u64,
    /// Device debug state and level it certifies.
    pub certifies: (Level, DebugStatus),
    /// Serial of its own certificate.
    pub serial: Serial,
    /// When it began, by its own clock.
    started: u64,
    root: Secret<32>,
    signer: SoftSigner,
    chain: CertificateChain,
    digest: Digest,
    /// Digest of its first certificate.
    first: Option<Digest>,
    agreement: Secret<32>,
    agreement_public: PublicKey,
    mac: Secret<32>,
    rng: SeededRng,
    validity: Validity,
    name: &'static str,
}

impl Service {
    /// A service with all roles.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(seed, "service.example", ALL_ROLES)
    }

    /// A service with these roles, under an anchor of its own.
    #[must_use]
    pub fn with(seed: u64, name: &'static str, roles: Roles) -> Self {
        let mut rng = SeededRng::new(seed.wrapping_add(0x5eed_0000));
        let (root, _) = SoftCrypto.generate(&mut rng).unwrap();
        Self::under(root, rng, NOW, name, roles)
    }

    /// A service with all roles under an operator's root key, at another time than [`NOW`].
    #[must_use]
    pub fn of_operator(seed: u64, root: Secret<32>, now: u64) -> Self {
        let rng = SeededRng::new(seed.wrapping_add(0x0be5_0000));
        Self::under(root, rng, now, "service.example", ALL_ROLES)
    }

    /// Another service under this one's anchor, with keys of its own.
    #[must_use]
    pub fn sibling(&self, seed: u64, name: &'static str, roles: Roles) -> Self {
        let rng = SeededRng::new(seed.wrapping_add(0x51b1_0000));
        let root = Secret::copied_from(self.root.expose());
        Self::under(root, rng, self.now, name, roles)
    }

    fn under(
        root: Secret<32>,
        mut rng: SeededRng,
        now: u64,
        name: &'static str,
        roles: Roles,
    ) -> Self {
        let (signing, signing_public) = SoftCrypto.generate(&mut rng).unwrap();
        let (agreement, agreement_public) = SoftCrypto.generate(&mut rng).unwrap();
        let (mac, _) = SoftCrypto.generate(&mut rng).unwrap();
        let mut service = Self {
            now,
            list: 0,
            certifies: (Level::Medium, DebugStatus::Enabled),
            serial: Serial::random(&mut rng).unwrap(),
            started: now,
            root,
            signer: SoftSigner::new(signing).unwrap(),
            chain: CertificateChain {
                leaf: Vec::new(),
                issuers: Vec::new(),
            },
            digest: Digest([0; 32]),
            first: None,
            agreement,
            agreement_public,
            mac,
            rng,
            validity: Validity {
                not_before: UnixTime(now - DAY),
                not_after: UnixTime(now + 20 * DAY),
            },
            name,
        };
        service.recertify(roles, service.validity);
        assert_eq!(service.signer.public_key(), signing_public);
        service
    }

    /// Gets a new certificate with these roles and this validity, for the same keys.
    pub fn recertify(&mut self, roles: Roles, validity: Validity) {
        self.validity = validity;
        let claims = ServiceClaims {
            service: ServiceId::new(self.name).unwrap(),
            roles,
            signing_key: self.signer.public_key(),
            agreement_key: self.agreement_public,
            validity,
            serial: self.serial,
        };
        let leaf = issue_service(&SoftCrypto, &mut self.ca(), &claims).unwrap();
        self.digest = SoftCrypto.sha256(&[&leaf]);
        self.first.get_or_insert(self.digest);
        self.chain = CertificateChain {
            leaf,
            issuers: Vec::new(),
        };
    }

    /// Gets its certificate from an issuer under the anchor instead, and returns that one's serial.
    pub fn recertify_by_issuer(&mut self) -> Serial {
        let (key, signing_key) = SoftCrypto.generate(&mut self.rng).unwrap();
        let (validity, serial) = (self.validity, Serial::random(&mut self.rng).unwrap());
        let issuer = IssuerClaims {
            name: ServiceId::new("issuer.example").unwrap(),
            signing_key,
            issues: Issues::SERVICES,
            roles: Roles::ALL,
            validity,
            serial,
        };
        let top = issue_issuer(&SoftCrypto, &mut self.ca(), &issuer).unwrap();
        let claims = peek_service(&self.chain.leaf).unwrap();
        let leaf = issue_service(&SoftCrypto, &mut SoftSigner::new(key).unwrap(), &claims).unwrap();
        self.digest = SoftCrypto.sha256(&[&leaf]);
        self.chain = CertificateChain {
            leaf,
            issuers: vec![top],
        };
        serial
    }

    fn ca(&self) -> SoftSigner {
        SoftSigner::new(Secret::copied_from(self.root.expose())).unwrap()
    }

    /// What devices pin.
    #[must_use]
    pub fn anchor(&self) -> Digest {
        anchor_digest(&SoftCrypto, &SoftCrypto.public_key(&self.root).unwrap()).unwrap()
    }

    /// When its certificate ends, in seconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.validity.not_after.0
    }
}

/// What [`Service::new`] may do.
const ALL_ROLES: Roles = Roles::LICENSE
    .union(Roles::TIME)
    .union(Roles::REVOCATION)
    .union(Roles::PROVISIONING);

/// Deterministic random bytes: a hash of a counter.
struct SeededRng {
    seed: u64,
    draws: u64,
}

impl SeededRng {
    const fn new(seed: u64) -> Self {
        Self { seed, draws: 0 }
    }
}

impl Rng for SeededRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        for chunk in out.chunks_mut(32) {
            self.draws += 1;
            let block = SoftCrypto.sha256(&[&self.seed.to_be_bytes(), &self.draws.to_be_bytes()]);
            chunk.copy_from_slice(&block.0[..chunk.len()]);
        }
        Ok(())
    }
}
