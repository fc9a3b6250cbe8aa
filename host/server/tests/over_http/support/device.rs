//! A device as the core would be one: the licence room's device side over the software provider.

use std::net::SocketAddr;
use std::sync::Arc;

use keybearer_crypto::{Crypto, Digest, PrivateKeys, PublicKey, Rng, Secret};
use keybearer_crypto_ring::SystemRng;
use keybearer_crypto_soft::{SoftCrypto, SoftSigner};
use keybearer_license::{
    AnchorRef, Attestation, BootId, Capabilities, CertificateChain, CounterStrength, DebugStatus,
    Denial, DeviceIdentity, Evidence, HardwareModel, Isolation, KeyId, License, LicenseKind,
    LicenseOutcome, LicenseRequest, OpenedServiceInfo, PendingLicense, PendingProvision,
    ProvisionOutcome, ProvisionRequest, ProvisionToken, RequestKind, RevokedSerials, TimeOutcome,
    TimeRequest, TimeView, Trust, Ueid, VerifiedDevice, Version, build_license_request,
    build_provision_request, build_time_request, key_digest, open_license_answer,
    open_provision_answer, open_service_info, open_time_answer,
};
use keybearer_rules::Level;
use keybearer_server::Anchor;

use super::{World, get, post};

const CRYPTO: SoftCrypto = SoftCrypto;

/// One device.
pub(crate) struct Device {
    address: SocketAddr,
    anchor: Anchor,
    private: Secret<32>,
    pub(crate) public: PublicKey,
    pub(crate) ueid: Ueid,
    pub(crate) model: HardwareModel,
    pub(crate) evidence: Evidence,
    pub(crate) chain: Option<CertificateChain>,
    /// What its platform says over a nonce.
    pub(crate) platform: Option<Platform>,
}

/// A platform that attests.
pub(crate) type Platform = Arc<dyn Fn(&Digest) -> Attestation + Send + Sync>;

impl Device {
    /// A new device at Low, in process, not in debug state, without a certificate.
    pub(crate) fn new(world: &World) -> Self {
        let mut rng = SystemRng::new();
        let (private, public) = CRYPTO.generate(&mut rng).unwrap();
        let pseudonym = CRYPTO.sha256(&[b"ueid", &public.x]);
        Self {
            address: world.server.local_addr(),
            anchor: world.server.anchor(),
            private,
            public,
            ueid: Ueid::from_device(&pseudonym.0),
            model: HardwareModel::new("test-box").unwrap(),
            evidence: Evidence {
                level: Level::Low,
                isolation: Isolation::InProcess,
                core_version: Version {
                    major: 0,
                    minor: 1,
                    patch: 0,
                },
                ta_version: None,
                debug: DebugStatus::Disabled,
                boot_id: BootId::random(&mut rng).unwrap(),
                counter: CounterStrength::None,
                time_anchored: false,
            },
            chain: None,
            platform: None,
        }
    }

    /// Follows the server to the address it has after a restart.
    pub(crate) fn follow(&mut self, world: &World) {
        self.address = world.server.local_addr();
    }

    /// What a factory token names.
    pub(crate) fn key_digest(&self) -> Digest {
        key_digest(&CRYPTO, &self.public).unwrap()
    }

    fn signer(&self) -> SoftSigner {
        SoftSigner::new(Secret::copied_from(self.private.expose())).unwrap()
    }

    /// Fetches and verifies service info.
    pub(crate) fn service_info(&self) -> OpenedServiceInfo {
        let answer = get(self.address, "/v1/service-info");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/cose"));
        let anchor = AnchorRef::Digest(&self.anchor.digest);
        let none = RevokedSerials::none();
        open_service_info(&CRYPTO, anchor, TimeView::Unknown, &none, &answer.body).unwrap()
    }

    /// A provision request with a fresh challenge.
    pub(crate) fn provision_request(&self, token: ProvisionToken) -> (Vec<u8>, PendingProvision) {
        let info = self.service_info();
        let request = ProvisionRequest {
            challenge: info.info.challenge,
            ueid: self.ueid,
            oem: None,
            model: self.model.clone(),
            evidence: self.evidence.clone(),
            token,
        };
        let (mut rng, mut signer) = (SystemRng::new(), self.signer());
        build_provision_request(
            &CRYPTO,
            &mut rng,
            &mut signer,
            &info.service,
            &request,
            &mut |nonce| Ok(self.attestation(nonce)),
        )
        .unwrap()
    }

    fn attestation(&self, nonce: &Digest) -> Option<Attestation> {
        self.platform.as_ref().map(|platform| platform(nonce))
    }

    /// Verifies a provision answer and keeps the certificate.
    pub(crate) fn finish_provisioning(
        &mut self,
        pending: &PendingProvision,
        answer: &[u8],
    ) -> Result<VerifiedDevice, Denial> {
        let none = RevokedSerials::none();
        let trust = Trust {
            anchor: &self.anchor.key,
            time: TimeView::Unknown,
            revoked: &none,
        };
        match open_provision_answer(&CRYPTO, pending, &trust, answer)
            .unwrap()
            .outcome
        {
            ProvisionOutcome::Provisioned { chain, device } => {
                self.chain = Some(chain);
                Ok(device)
            }
            ProvisionOutcome::Denied(denial) => Err(denial),
        }
    }

    /// Asks for a certificate.
    pub(crate) fn provision(&mut self, token: ProvisionToken) -> Result<VerifiedDevice, Denial> {
        let (message, pending) = self.provision_request(token);
        let answer = post(self.address, "/v1/provision", &message);
        assert_eq!(answer.status, 200, "{answer:?}");
        self.finish_provisioning(&pending, &answer.body)
    }

    /// Enrols and expects that to work.
    pub(crate) fn enrol(&mut self, token: &[u8]) -> VerifiedDevice {
        self.provision(ProvisionToken::Enrolment(token.to_vec()))
            .unwrap()
    }

    /// A licence request with a fresh challenge, as `change` has it.
    pub(crate) fn license_request_with(
        &self,
        keys: &[KeyId],
        change: impl FnOnce(&mut LicenseRequest),
    ) -> (Vec<u8>, PendingLicense) {
        self.license_request_drawn(keys, &mut SystemRng::new(), change)
    }

    /// A licence request whose random numbers come from `rng`.
    pub(crate) fn license_request_drawn(
        &self,
        keys: &[KeyId],
        rng: &mut dyn Rng,
        change: impl FnOnce(&mut LicenseRequest),
    ) -> (Vec<u8>, PendingLicense) {
        let info = self.service_info();
        let mut request = LicenseRequest {
            challenge: info.info.challenge,
            kind: RequestKind::Acquire,
            keys: keys.to_vec(),
            init_data: Vec::new(),
            wanted: LicenseKind::Session,
            evidence: self.evidence.clone(),
            capabilities: Capabilities::default(),
            host_stated: Capabilities::default(),
            model: self.model.clone(),
            token: None,
        };
        change(&mut request);
        let chain = self
            .chain
            .as_ref()
            .expect("the test provisions the device first");
        let mut signer = self.signer();
        let mut identity = DeviceIdentity {
            signer: &mut signer,
            chain,
        };
        build_license_request(
            &CRYPTO,
            rng,
            &mut identity,
            &info.service,
            &request,
            &mut |nonce| Ok(self.attestation(nonce)),
        )
        .unwrap()
    }

    pub(crate) fn license_request(&self, keys: &[KeyId]) -> (Vec<u8>, PendingLicense) {
        self.license_request_with(keys, |_| {})
    }

    /// Verifies an answer to a licence request.
    pub(crate) fn open_license(&self, pending: &PendingLicense, answer: &[u8]) -> LicenseOutcome {
        let none = RevokedSerials::none();
        let trust = Trust {
            anchor: &self.anchor.key,
            time: TimeView::Unknown,
            revoked: &none,
        };
        open_license_answer(&CRYPTO, pending, &trust, answer)
            .unwrap()
            .outcome
    }

    /// Asks for a licence as `change` has the request.
    pub(crate) fn acquire_with(
        &self,
        keys: &[KeyId],
        change: impl FnOnce(&mut LicenseRequest),
    ) -> LicenseOutcome {
        let (message, pending) = self.license_request_with(keys, change);
        let answer = post(self.address, "/v1/license", &message);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/cose"));
        self.open_license(&pending, &answer.body)
    }

    pub(crate) fn acquire(&self, keys: &[KeyId]) -> LicenseOutcome {
        self.acquire_with(keys, |_| {})
    }

    /// Asks for the time; the answer's own time, and whether it counts as an anchor.
    pub(crate) fn ask_time(&self) -> Result<(u64, bool), Denial> {
        let info = self.service_info();
        let chain = self
            .chain
            .as_ref()
            .expect("the test provisions the device first");
        let (mut rng, mut signer) = (SystemRng::new(), self.signer());
        let mut identity = DeviceIdentity {
            signer: &mut signer,
            chain,
        };
        let request = TimeRequest {
            challenge: info.info.challenge,
        };
        let (message, pending) =
            build_time_request(&CRYPTO, &mut rng, &mut identity, &info.service, &request).unwrap();
        let answer = post(self.address, "/v1/time", &message);
        assert_eq!(answer.status, 200, "{answer:?}");
        let none = RevokedSerials::none();
        let trust = Trust {
            anchor: &self.anchor.key,
            time: TimeView::Unknown,
            revoked: &none,
        };
        let opened = open_time_answer(&CRYPTO, &pending, &trust, &answer.body).unwrap();
        match opened.outcome {
            TimeOutcome::Time => Ok((opened.server_time.0, opened.time_anchor.is_some())),
            TimeOutcome::Denied(denial) => Err(denial),
        }
    }
}

/// The licence, or a failed test.
pub(crate) fn license(outcome: LicenseOutcome) -> License {
    match outcome {
        LicenseOutcome::License(license) => license,
        LicenseOutcome::Denied(denial) => panic!("denied: {denial:?}"),
        LicenseOutcome::Released(_) => panic!("a release was accepted"),
    }
}

/// The denial, or a failed test.
pub(crate) fn denial(outcome: LicenseOutcome) -> Denial {
    match outcome {
        LicenseOutcome::Denied(denial) => denial,
        LicenseOutcome::License(_) => panic!("a licence was issued"),
        LicenseOutcome::Released(_) => panic!("a release was accepted"),
    }
}
