//! A licence service, provisioning service and certificate authority in one: the server half of
//! `keybearer-license` with keys of its own.

use core::num::NonZeroU32;

use keybearer_crypto::{Crypto, Digest, PrivateKeys, PublicKey, Secret, Signer};
use keybearer_crypto_soft::{SoftCrypto, SoftSigner};
use keybearer_license::{
    AnswerHead, CertificateChain, ContentKey, CounterStrength, DebugStatus, Denial, DenialReason,
    DeviceClaims, IssuerClaims, Issues, IvKind, KeyId, KeyUse, License, LicenseId, LicenseKind,
    OpenedLicense, PolicyOrigin, PolicySource, RevocationList, RevokedSerials, Roles, Scheme,
    Serial, ServiceClaims, ServiceId, ServiceIdentity, ServiceInfo, ServiceKeys, TimeView, Timing,
    TrackType, Trust, UnixTime, Validity, anchor_digest, issue_device, issue_issuer, issue_service,
    make_challenge, open_license_request, open_provision_request, open_time_request, peek_service,
    seal_denial, seal_license, seal_provision_answer, seal_service_info, seal_time_answer,
    sign_revocation_list,
};
use keybearer_rules::{Level, OutputPolicy};

use super::platform::{FakeRng, Shared};

/// When the story begins.
pub const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

pub struct Service {
    /// Server time in seconds.
    pub now: u64,
    /// Least revocation-list number it announces.
    pub list: u64,
    /// Device debug state and level it certifies.
    pub certifies: (Level, DebugStatus),
    /// Serial of its own certificate.
    pub serial: Serial,
    root: Secret<32>,
    signer: SoftSigner,
    chain: CertificateChain,
    digest: Digest,
    /// Digest of its first certificate.
    first: Option<Digest>,
    agreement: Secret<32>,
    agreement_public: PublicKey,
    mac: Secret<32>,
    rng: FakeRng,
    validity: Validity,
    name: &'static str,
}

impl Service {
    /// A service with all roles.
    pub fn new(seed: u64) -> Self {
        let all = Roles::LICENSE
            .union(Roles::TIME)
            .union(Roles::REVOCATION)
            .union(Roles::PROVISIONING);
        Self::with(seed, "service.example", all)
    }

    pub fn with(seed: u64, name: &'static str, roles: Roles) -> Self {
        let mut rng = FakeRng(Shared::new(seed.wrapping_add(0x5eed_0000)));
        let (root, _) = SoftCrypto.generate(&mut rng).unwrap();
        Self::under(root, rng, name, roles)
    }

    /// Another service under this one's anchor, with keys of its own.
    pub fn sibling(&self, seed: u64, name: &'static str, roles: Roles) -> Self {
        let rng = FakeRng(Shared::new(seed.wrapping_add(0x51b1_0000)));
        let mut sibling = Self::under(Secret::copied_from(self.root.expose()), rng, name, roles);
        sibling.now = self.now;
        sibling
    }

    fn under(root: Secret<32>, mut rng: FakeRng, name: &'static str, roles: Roles) -> Self {
        let (signing, signing_public) = SoftCrypto.generate(&mut rng).unwrap();
        let (agreement, agreement_public) = SoftCrypto.generate(&mut rng).unwrap();
        let (mac, _) = SoftCrypto.generate(&mut rng).unwrap();
        let mut service = Self {
            now: NOW,
            list: 0,
            certifies: (Level::Medium, DebugStatus::Enabled),
            serial: Serial::random(&mut rng).unwrap(),
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
                not_before: UnixTime(NOW - DAY),
                not_after: UnixTime(NOW + 20 * DAY),
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

    pub fn anchor(&self) -> Digest {
        anchor_digest(&SoftCrypto, &SoftCrypto.public_key(&self.root).unwrap()).unwrap()
    }

    pub fn not_after(&self) -> u64 {
        self.validity.not_after.0
    }

    fn head(&mut self) -> AnswerHead {
        let now = UnixTime(self.now);
        AnswerHead {
            server_time: now,
            next_challenge: make_challenge(&SoftCrypto, &mut self.rng, &self.mac, now).unwrap(),
        }
    }

    pub fn info(&mut self) -> Vec<u8> {
        let AnswerHead {
            server_time,
            next_challenge,
        } = self.head();
        let info = ServiceInfo {
            server_time,
            challenge: next_challenge,
            revocation_number: self.list,
        };
        let root = SoftCrypto.public_key(&self.root).unwrap();
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal_service_info(&SoftCrypto, &mut identity, &root, &info).unwrap()
    }

    fn keys(&self) -> ServiceKeys<'_> {
        ServiceKeys {
            certificate_digest: &self.digest,
            agreement: &self.agreement,
            agreement_public: &self.agreement_public,
        }
    }

    /// Certifies whoever asks.
    pub fn certify(&mut self, request: &[u8]) -> Vec<u8> {
        self.certify_as(request, |_| ())
    }

    /// Certifies after a change to the claims.
    pub fn certify_as(&mut self, request: &[u8], edit: impl FnOnce(&mut DeviceClaims)) -> Vec<u8> {
        let opened = open_provision_request(&SoftCrypto, &self.keys(), request).unwrap();
        let mut claims = DeviceClaims {
            ueid: opened.request.ueid,
            oem: opened.request.oem,
            model: opened.request.model.clone(),
            highest_level: self.certifies.0,
            debug: self.certifies.1,
            signing_key: opened.device_key,
            validity: Validity {
                not_before: UnixTime(NOW - DAY),
                not_after: UnixTime(NOW + 3650 * DAY),
            },
            serial: Serial::random(&mut self.rng).unwrap(),
        };
        edit(&mut claims);
        let leaf = issue_device(&SoftCrypto, &mut self.ca(), &claims).unwrap();
        let chain = CertificateChain {
            leaf,
            issuers: Vec::new(),
        };
        let head = self.head();
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal_provision_answer(
            &SoftCrypto,
            &mut self.rng,
            &mut identity,
            &opened,
            &head,
            &chain,
        )
        .unwrap()
    }

    /// Certifies with a device certificate that another authority issued.
    pub fn certify_under(&mut self, authority: &Self, request: &[u8]) -> Vec<u8> {
        let ours = core::mem::replace(&mut self.root, Secret::copied_from(authority.root.expose()));
        let answer = self.certify(request);
        self.root = ours;
        answer
    }

    /// Certifies a request to this service, the answer signed by `other`.
    pub fn certify_signed_by(&mut self, other: &mut Self, request: &[u8]) -> Vec<u8> {
        self.signed_by(other, |service| service.certify(request))
    }

    /// A time answer to a request to this service, signed by `other`.
    pub fn time_signed_by(&mut self, other: &mut Self, request: &[u8]) -> Vec<u8> {
        self.signed_by(other, |service| service.time(request))
    }

    /// Answers while the key and chain of `other` stand in the place of this service's own.
    fn signed_by(
        &mut self,
        other: &mut Self,
        answer: impl FnOnce(&mut Self) -> Vec<u8>,
    ) -> Vec<u8> {
        core::mem::swap(&mut self.signer, &mut other.signer);
        core::mem::swap(&mut self.chain, &mut other.chain);
        let answer = answer(self);
        core::mem::swap(&mut self.signer, &mut other.signer);
        core::mem::swap(&mut self.chain, &mut other.chain);
        answer
    }

    /// Certifies a request that was sealed to this service's first certificate.
    pub fn certify_sealed_before(&mut self, request: &[u8]) -> Vec<u8> {
        let now = core::mem::replace(&mut self.digest, self.first.unwrap());
        let answer = self.certify(request);
        self.digest = now;
        answer
    }

    pub fn refuse_provisioning(&mut self, request: &[u8], denial: &Denial) -> Vec<u8> {
        let opened = open_provision_request(&SoftCrypto, &self.keys(), request).unwrap();
        let head = self.head();
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal_denial(
            &SoftCrypto,
            &mut self.rng,
            &mut identity,
            &opened.exchange,
            &head,
            denial,
        )
        .unwrap()
    }

    /// What a provision request says.
    pub fn read_provision(&self, request: &[u8]) -> keybearer_license::OpenedProvision {
        open_provision_request(&SoftCrypto, &self.keys(), request).unwrap()
    }

    /// What a licence request says.
    pub fn read(&self, request: &[u8]) -> OpenedLicense {
        let root = SoftCrypto.public_key(&self.root).unwrap();
        let revoked = RevokedSerials::none();
        let time = TimeView::exactly(UnixTime(self.now));
        let trust = Trust {
            anchor: &root,
            time,
            revoked: &revoked,
        };
        open_license_request(&SoftCrypto, &self.keys(), &trust, request).unwrap()
    }

    pub fn license(&mut self, request: &[u8], license: License) -> Vec<u8> {
        let opened = self.read(request);
        let head = self.head();
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal_license(
            &SoftCrypto,
            &mut self.rng,
            &mut identity,
            &opened.exchange,
            &head,
            &license,
        )
        .unwrap()
    }

    /// A licence for a request to this service, signed by `other`.
    pub fn license_signed_by(
        &mut self,
        other: &mut Self,
        request: &[u8],
        license: &License,
    ) -> Vec<u8> {
        let opened = self.read(request);
        let head = other.head();
        let mut identity = ServiceIdentity {
            signer: &mut other.signer,
            chain: &other.chain,
        };
        seal_license(
            &SoftCrypto,
            &mut other.rng,
            &mut identity,
            &opened.exchange,
            &head,
            license,
        )
        .unwrap()
    }

    pub fn deny(&mut self, request: &[u8], reason: DenialReason) -> Vec<u8> {
        let opened = self.read(request);
        let mut denial = Denial::new(reason);
        denial.level_needed = Some(Level::High);
        let head = self.head();
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal_denial(
            &SoftCrypto,
            &mut self.rng,
            &mut identity,
            &opened.exchange,
            &head,
            &denial,
        )
        .unwrap()
    }

    fn read_time(&self, request: &[u8]) -> keybearer_license::Exchange {
        let root = SoftCrypto.public_key(&self.root).unwrap();
        let revoked = RevokedSerials::none();
        let time = TimeView::exactly(UnixTime(self.now));
        let trust = Trust {
            anchor: &root,
            time,
            revoked: &revoked,
        };
        open_time_request(&SoftCrypto, &self.keys(), &trust, request)
            .unwrap()
            .exchange
    }

    pub fn time(&mut self, request: &[u8]) -> Vec<u8> {
        let exchange = self.read_time(request);
        let head = self.head();
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal_time_answer(&SoftCrypto, &mut self.rng, &mut identity, &exchange, &head).unwrap()
    }

    /// A time answer to a request that was sealed to this service's first certificate.
    pub fn time_sealed_before(&mut self, request: &[u8]) -> Vec<u8> {
        let now = core::mem::replace(&mut self.digest, self.first.unwrap());
        let answer = self.time(request);
        self.digest = now;
        answer
    }

    pub fn deny_time(&mut self, request: &[u8]) -> Vec<u8> {
        let exchange = self.read_time(request);
        let head = self.head();
        let denial = Denial::new(DenialReason::Overloaded);
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal_denial(
            &SoftCrypto,
            &mut self.rng,
            &mut identity,
            &exchange,
            &head,
            &denial,
        )
        .unwrap()
    }

    pub fn revocation_list(&mut self, number: u64, serials: &[Serial]) -> Vec<u8> {
        let mut serials = serials.to_vec();
        serials.sort_unstable();
        let list = RevocationList {
            number,
            issued: UnixTime(self.now),
            next_update: UnixTime(self.now + DAY),
            serials,
        };
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        sign_revocation_list(&mut identity, &list).unwrap()
    }
}

/// A key of the common kind: `cenc` with 8-byte vectors, an HD track, no demands.
pub fn cenc_use() -> KeyUse {
    KeyUse {
        track: TrackType::Hd,
        scheme: Scheme::Cenc,
        iv: IvKind::PerSample8,
        pattern: None,
        lowest_level: Level::None,
        require_worker: false,
        policy: OutputPolicy::UNSPECIFIED,
        max_pixels: None,
        max_clear_bytes: None,
        source: PolicySource {
            origin: PolicyOrigin::Default,
            profile: None,
        },
    }
}

pub fn key(id: u8, usage: KeyUse) -> ContentKey {
    ContentKey {
        key_id: KeyId([id; 16]),
        key: Secret::copied_from(&secret(id)),
        usage,
        period: None,
    }
}

/// The secret of a key id.
pub fn secret(id: u8) -> [u8; 16] {
    core::array::from_fn(|at| 0xc0 ^ id.wrapping_mul(31).wrapping_add(at.to_le_bytes()[0] * 17))
}

/// A licence without limits.
pub fn license(id: u8, keys: Vec<ContentKey>) -> License {
    License {
        license_id: LicenseId([id; 16]),
        sequence: 1,
        kind: LicenseKind::Session,
        counter: CounterStrength::None,
        max_plays: None,
        timing: Timing::UNLIMITED,
        least_revocation: 0,
        keys,
        roots: Vec::new(),
        renewal: None,
        rotation: None,
    }
}

/// A number of seconds, not zero.
pub fn seconds(count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(count)
}
