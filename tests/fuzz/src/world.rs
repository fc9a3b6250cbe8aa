//! An operator with one service and one device, made from names, over any provider: every run of
//! every process has the same keys and certificates, and so the corpora stay valid.

use keybearer_crypto::{
    Crypto, CryptoError, Digest, Label, PrivateKeys, PublicKey, Rng, Secret, Signer,
};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{
    AnswerHead, CertificateChain, Challenge, DebugStatus, DeviceClaims, DeviceIdentity,
    HardwareModel, IssuerClaims, Issues, OemId, RevokedSerials, Roles, Serial, Service,
    ServiceClaims, ServiceId, ServiceIdentity, ServiceKeys, TimeView, Trust, Ueid, UnixTime,
    Validity, issue_device, issue_issuer, issue_service, make_challenge, verify_service,
};
use keybearer_rules::Level;

use crate::provider::KeySigner;

/// When it all takes place.
pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);
const DAY: u64 = 24 * 60 * 60;

/// Random bytes that are a hash of a name and a counter.
#[derive(Clone, Debug)]
pub(crate) struct NamedRng {
    name: &'static str,
    drawn: u64,
    /// Given out first.
    first: Vec<u8>,
}

impl NamedRng {
    /// The sequence of a name.
    #[must_use]
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            drawn: 0,
            first: Vec::new(),
        }
    }

    /// Gives these bytes first.
    #[must_use]
    pub(crate) fn after(mut self, first: &[u8]) -> Self {
        self.first = first.to_vec();
        self
    }
}

impl Rng for NamedRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        let given = out.len().min(self.first.len());
        let (head, tail) = out.split_at_mut(given);
        for (to, from) in head.iter_mut().zip(self.first.drain(..given)) {
            *to = from;
        }
        for chunk in tail.chunks_mut(32) {
            let block = SoftCrypto.sha256(&[self.name.as_bytes(), &self.drawn.to_be_bytes()]);
            self.drawn += 1;
            chunk.copy_from_slice(&block.0[..chunk.len()]);
        }
        Ok(())
    }
}

/// A key pair.
pub(crate) struct Pair {
    /// Private half.
    pub(crate) private: Secret<32>,
    /// Public half.
    pub(crate) public: PublicKey,
}

impl Pair {
    fn named<C: PrivateKeys>(crypto: &C, operator: &str, name: &str) -> Self {
        let digest = crypto.sha256(&[b"fuzzed world: ", operator.as_bytes(), name.as_bytes()]);
        let private = Secret::copied_from(&digest.0);
        let public = crypto.public_key(&private).expect("a hash is in range");
        Self { private, public }
    }

    /// Something that signs with it.
    pub(crate) fn signer<'a, C>(&'a self, crypto: &'a C) -> KeySigner<'a, C> {
        KeySigner {
            crypto,
            private: &self.private,
            public: self.public,
        }
    }
}

/// The operator's side and the device's.
pub(crate) struct World<C> {
    /// The provider of both.
    pub(crate) crypto: C,
    /// The operator's root.
    pub(crate) root: Pair,
    /// Signs for the service.
    pub(crate) signing: Pair,
    agreement: Pair,
    /// The service's certificate and its issuer's.
    pub(crate) chain: CertificateChain,
    digest: Digest,
    /// The device's key.
    pub(crate) device: Pair,
    /// The device's certificate and its issuer's.
    pub(crate) device_chain: CertificateChain,
    /// The service as the device knows it.
    pub(crate) service: Service,
    /// Key of the service's challenges.
    pub(crate) mac: Secret<32>,
    revoked: RevokedSerials,
}

fn serial<C: Crypto>(crypto: &C, name: &str) -> Serial {
    let digest = crypto.sha256(&[b"serial: ", name.as_bytes()]).0;
    Serial(*digest.first_chunk().expect("32 bytes"))
}

fn validity(days: u64) -> Validity {
    Validity {
        not_before: UnixTime(NOW.0 - DAY),
        not_after: UnixTime(NOW.0 + days * DAY),
    }
}

impl<C: PrivateKeys> World<C> {
    /// The one that most claims are about.
    pub(crate) fn new(crypto: C) -> Self {
        Self::of(crypto, "")
    }

    /// An operator's, with keys of its own.
    pub(crate) fn of(crypto: C, operator: &str) -> Self {
        let named = |name| Pair::named(&crypto, operator, name);
        let (root, issuer) = (named("root"), named("issuer"));
        let (signing, agreement, device) = (named("service"), named("agreement"), named("device"));
        let claims = IssuerClaims {
            name: ServiceId::new("issuer.example").expect("a name"),
            roles: Roles::ALL,
            issues: Issues::SERVICES.union(Issues::DEVICES),
            signing_key: issuer.public,
            validity: validity(400),
            serial: serial(&crypto, "issuer"),
        };
        let issuers = vec![
            issue_issuer(&crypto, &mut root.signer(&crypto), &claims).expect("claims are sound"),
        ];
        let claims = ServiceClaims {
            service: ServiceId::new("service.example").expect("a name"),
            roles: Roles::ALL,
            signing_key: signing.public,
            agreement_key: agreement.public,
            validity: validity(20),
            serial: serial(&crypto, "service"),
        };
        let chain = CertificateChain {
            leaf: issue_service(&crypto, &mut issuer.signer(&crypto), &claims)
                .expect("claims are sound"),
            issuers: issuers.clone(),
        };
        let claims = device_claims(&crypto, device.public);
        let device_chain = CertificateChain {
            leaf: issue_device(&crypto, &mut issuer.signer(&crypto), &claims)
                .expect("claims are sound"),
            issuers,
        };
        let revoked = RevokedSerials::none();
        let trust = Trust {
            anchor: &root.public,
            time: TimeView::exactly(NOW),
            revoked: &revoked,
        };
        let found =
            verify_service(&crypto, &trust, &chain, Roles::NONE).expect("the chain is sound");
        let service = Service {
            claims: found.claims,
            digest: found.digest,
            anchor: root.public,
            validity: found.validity,
            issuers: found.issuers,
        };
        Self {
            digest: service.digest,
            mac: Pair::named(&crypto, operator, "challenges").private,
            crypto,
            root,
            signing,
            agreement,
            chain,
            device,
            device_chain,
            service,
            revoked,
        }
    }

    /// What both sides go by.
    pub(crate) fn trust(&self) -> Trust<'_> {
        Trust {
            anchor: &self.root.public,
            time: TimeView::exactly(NOW),
            revoked: &self.revoked,
        }
    }

    /// The service's keys for opening.
    pub(crate) fn keys(&self) -> ServiceKeys<'_> {
        ServiceKeys {
            certificate_digest: &self.digest,
            agreement: &self.agreement.private,
            agreement_public: &self.agreement.public,
        }
    }

    /// The service, to sign an answer.
    pub(crate) fn answering<T>(&self, work: impl FnOnce(&mut ServiceIdentity<'_>) -> T) -> T {
        let mut signer: KeySigner<'_, C> = self.signing.signer(&self.crypto);
        work(&mut ServiceIdentity {
            signer: &mut signer as &mut dyn Signer,
            chain: &self.chain,
        })
    }

    /// The device, to sign a request.
    pub(crate) fn asking<T>(&self, work: impl FnOnce(&mut DeviceIdentity<'_>) -> T) -> T {
        let mut signer: KeySigner<'_, C> = self.device.signer(&self.crypto);
        work(&mut DeviceIdentity {
            signer: &mut signer as &mut dyn Signer,
            chain: &self.device_chain,
        })
    }

    /// A challenge of the service.
    pub(crate) fn challenge(&self) -> Challenge {
        let mut rng = NamedRng::new("challenge");
        make_challenge(&self.crypto, &mut rng, &self.mac, NOW).expect("the generator works")
    }

    /// What every answer begins with.
    pub(crate) fn head(&self) -> AnswerHead {
        AnswerHead {
            server_time: NOW,
            next_challenge: self.challenge(),
        }
    }

    /// The device's identifier.
    pub(crate) fn ueid(&self) -> Ueid {
        ueid(&self.crypto)
    }
}

fn ueid<C: Crypto>(crypto: &C) -> Ueid {
    let secret = Secret::copied_from(&[7; 32]);
    Ueid::from_device(&crypto.hmac_sha256(&secret, &[Label::Ueid.bytes()]))
}

fn device_claims<C: Crypto>(crypto: &C, signing_key: PublicKey) -> DeviceClaims {
    DeviceClaims {
        ueid: ueid(crypto),
        oem: Some(OemId([0x0e; 16])),
        model: HardwareModel::new("Test Box 1").expect("a name"),
        highest_level: Level::Medium,
        debug: DebugStatus::Disabled,
        signing_key,
        validity: validity(300),
        serial: serial(crypto, "device"),
    }
}
