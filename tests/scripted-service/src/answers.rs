//! What the service says, right and wrong.

use keybearer_crypto::{PrivateKeys, Rng, Secret};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{
    AnswerHead, CertificateChain, Denial, DenialReason, DeviceClaims, Exchange, License,
    LicenseError, OpenedLicense, OpenedProvision, RevocationList, RevokedSerials, Serial,
    ServiceIdentity, ServiceInfo, ServiceKeys, TimeView, Trust, UnixTime, Validity, issue_device,
    make_challenge, open_license_request, open_provision_request, open_time_request, seal_denial,
    seal_license, seal_provision_answer, seal_service_info, seal_time_answer, sign_revocation_list,
};
use keybearer_rules::Level;

use crate::{DAY, Service};

impl Service {
    fn head(&mut self) -> AnswerHead {
        let now = UnixTime(self.now);
        AnswerHead {
            server_time: now,
            next_challenge: make_challenge(&SoftCrypto, &mut self.rng, &self.mac, now).unwrap(),
        }
    }

    /// An answer over this service's key and chain, at its time and with a fresh challenge.
    fn answer(
        &mut self,
        seal: impl FnOnce(
            &mut dyn Rng,
            &mut ServiceIdentity<'_>,
            &AnswerHead,
        ) -> Result<Vec<u8>, LicenseError>,
    ) -> Vec<u8> {
        let head = self.head();
        let mut identity = ServiceIdentity {
            signer: &mut self.signer,
            chain: &self.chain,
        };
        seal(&mut self.rng, &mut identity, &head).unwrap()
    }

    fn denial(&mut self, exchange: &Exchange, denial: &Denial) -> Vec<u8> {
        self.answer(|rng, identity, head| {
            seal_denial(&SoftCrypto, rng, identity, exchange, head, denial)
        })
    }

    fn grant(&mut self, exchange: &Exchange, license: &License) -> Vec<u8> {
        self.answer(|rng, identity, head| {
            seal_license(&SoftCrypto, rng, identity, exchange, head, license)
        })
    }

    /// Answers as long as the service's first certificate is the one that counts.
    fn sealed_before(&mut self, answer: impl FnOnce(&mut Self) -> Vec<u8>) -> Vec<u8> {
        let now = core::mem::replace(&mut self.digest, self.first.unwrap());
        let answer = answer(self);
        self.digest = now;
        answer
    }

    /// A service info with a fresh challenge.
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

    /// What this service measures devices by.
    fn trusting<T>(&self, open: impl FnOnce(&Trust<'_>) -> T) -> T {
        let root = SoftCrypto.public_key(&self.root).unwrap();
        let revoked = RevokedSerials::none();
        let time = TimeView::exactly(UnixTime(self.now));
        open(&Trust {
            anchor: &root,
            time,
            revoked: &revoked,
        })
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
                not_before: UnixTime(self.started - DAY),
                not_after: UnixTime(self.started + 3650 * DAY),
            },
            serial: Serial::random(&mut self.rng).unwrap(),
        };
        edit(&mut claims);
        let leaf = issue_device(&SoftCrypto, &mut self.ca(), &claims).unwrap();
        let chain = CertificateChain {
            leaf,
            issuers: Vec::new(),
        };
        self.answer(|rng, identity, head| {
            seal_provision_answer(&SoftCrypto, rng, identity, &opened, head, &chain)
        })
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
        self.sealed_before(|service| service.certify(request))
    }

    /// Denies a provision request.
    pub fn refuse_provisioning(&mut self, request: &[u8], denial: &Denial) -> Vec<u8> {
        let opened = open_provision_request(&SoftCrypto, &self.keys(), request).unwrap();
        self.denial(&opened.exchange, denial)
    }

    /// What a provision request says.
    pub fn read_provision(&self, request: &[u8]) -> OpenedProvision {
        open_provision_request(&SoftCrypto, &self.keys(), request).unwrap()
    }

    /// What a licence request says.
    pub fn read(&self, request: &[u8]) -> OpenedLicense {
        self.trusting(|trust| {
            open_license_request(&SoftCrypto, &self.keys(), trust, request).unwrap()
        })
    }

    /// Grants `license` to a licence request.
    pub fn license(&mut self, request: &[u8], license: License) -> Vec<u8> {
        let opened = self.read(request);
        self.grant(&opened.exchange, &license)
    }

    /// A licence for a request to this service, signed by `other`.
    pub fn license_signed_by(
        &mut self,
        other: &mut Self,
        request: &[u8],
        license: &License,
    ) -> Vec<u8> {
        let opened = self.read(request);
        other.grant(&opened.exchange, license)
    }

    /// Denies a licence request; level High would suffice, it says.
    pub fn deny(&mut self, request: &[u8], reason: DenialReason) -> Vec<u8> {
        let opened = self.read(request);
        let mut denial = Denial::new(reason);
        denial.level_needed = Some(Level::High);
        self.denial(&opened.exchange, &denial)
    }

    fn read_time(&self, request: &[u8]) -> Exchange {
        self.trusting(|trust| {
            open_time_request(&SoftCrypto, &self.keys(), trust, request)
                .unwrap()
                .exchange
        })
    }

    /// Answers a time request.
    pub fn time(&mut self, request: &[u8]) -> Vec<u8> {
        let exchange = self.read_time(request);
        self.answer(|rng, identity, head| {
            seal_time_answer(&SoftCrypto, rng, identity, &exchange, head)
        })
    }

    /// A time answer to a request that was sealed to this service's first certificate.
    pub fn time_sealed_before(&mut self, request: &[u8]) -> Vec<u8> {
        self.sealed_before(|service| service.time(request))
    }

    /// Denies a time request.
    pub fn deny_time(&mut self, request: &[u8]) -> Vec<u8> {
        let exchange = self.read_time(request);
        self.denial(&exchange, &Denial::new(DenialReason::Overloaded))
    }

    /// A revocation list, signed; the next is due in a day.
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
