//! A device that has asked everything there is to ask, and the service's side of it.

use ciborium::Value;
use keybearer_crypto::PrivateKeys;
use keybearer_license::{
    AnchorRef, ContentKey, CounterStrength, Denial, DenialReason, Digest, Exchange, IvKind, KeyId,
    KeyUse, License, LicenseId, LicenseKind, OpenedLicense, OpenedProvision, OutputPolicy,
    PendingLicense, PendingProvision, PendingTime, PolicyOrigin, PolicySource, Released,
    RevocationList, Scheme, Secret, ServiceInfo, TimeRequest, Timing, TrackType, UnixTime,
    build_license_request, build_provision_request, build_time_request, open_license_request,
    open_provision_request, open_service_info, open_time_request, seal_service_info, unattested,
};
use keybearer_rules::Level;

use super::{Found, Kind};
use crate::golden::{self, claim_of, vector};
use crate::provider::{Forge, Part};
use crate::targets::request;
use crate::world::{NOW, NamedRng, World};

/// A question as both sides keep it.
pub(crate) struct Question<P, O> {
    pub(crate) pending: P,
    pub(crate) opened: O,
    /// The device's nonce, where it has one.
    nonce: Option<Value>,
}

/// Everything asked.
pub(crate) struct Asked<C> {
    pub(crate) world: World<C>,
    pub(crate) acquire: Question<PendingLicense, OpenedLicense>,
    pub(crate) renew: Question<PendingLicense, OpenedLicense>,
    pub(crate) release: Question<PendingLicense, OpenedLicense>,
    pub(crate) time: Question<PendingTime, Exchange>,
    pub(crate) provision: Question<PendingProvision, OpenedProvision>,
}

impl<C: PrivateKeys> Asked<C> {
    /// Asks with the golden requests.
    pub(crate) fn new(world: World<C>) -> Self {
        let license = |name| license(&world, name);
        Self {
            acquire: license("acquire"),
            renew: license("renew"),
            release: license("release"),
            time: time(&world),
            provision: provision(&world),
            world,
        }
    }

    pub(super) fn exchange(&self, kind: Kind) -> &Exchange {
        match kind {
            Kind::License | Kind::Denial | Kind::Info | Kind::List => &self.acquire.opened.exchange,
            Kind::Renewed => &self.renew.opened.exchange,
            Kind::Released => &self.release.opened.exchange,
            Kind::Time | Kind::TimeDenied => &self.time.opened,
            Kind::Provisioned => &self.provision.opened.exchange,
        }
    }

    fn request(&self, kind: Kind) -> Digest {
        self.exchange(kind).request_digest
    }

    /// The least that an answer of a kind says, about the licence that `part` names.
    pub(super) fn base(&self, kind: Kind, part: Part<'_>) -> Found {
        let head = self.world.head();
        let license_id = match part {
            Part::Body(body) => claim_of(body, golden::ID)
                .and_then(|id| id.into_bytes().ok())
                .and_then(|id| id.try_into().ok()),
            _ => None,
        };
        let license_id = LicenseId(license_id.unwrap_or([0x1c; 16]));
        match kind {
            Kind::License => Found::License(head, bare(license_id, 1).into()),
            // A renewal keeps its licence's id, or it cannot be sealed.
            Kind::Renewed => Found::License(head, bare(LicenseId([0x1c; 16]), 8).into()),
            Kind::Denial | Kind::TimeDenied => {
                Found::Denied(head, Denial::new(DenialReason::KeyUnknown))
            }
            Kind::Released => Found::Released(
                head,
                Released {
                    license_id: LicenseId([0x1c; 16]),
                    record: Digest([0; 32]),
                },
            ),
            Kind::Time => Found::Time(head),
            Kind::Provisioned => Found::Provisioned(head, self.world.device_chain.clone()),
            Kind::Info => Found::Info(info(&self.world).into()),
            Kind::List => Found::List(RevocationList {
                number: 1,
                issued: NOW,
                next_update: UnixTime(NOW.0 + 1),
                serials: Vec::new(),
            }),
        }
    }

    /// The golden answers, as answers to what was asked here.
    pub(super) fn bodies(&self) -> Vec<(Kind, Vec<u8>)> {
        let world = &self.world;
        let key = keybearer_license::key_digest(&world.crypto, &world.device.public)
            .expect("a key is written");
        let chain = world.device_chain.to_bytes().expect("a chain is written");
        let chain: Value = ciborium::from_reader(&*chain).expect("it is CBOR");
        let bodies = [
            (Kind::License, vector!("license.signed")),
            (Kind::Denial, vector!("denial.signed")),
            (Kind::Renewed, vector!("license-renewed.signed")),
            (Kind::Released, vector!("released.signed")),
            (Kind::Time, vector!("time-answer.signed")),
            (Kind::TimeDenied, vector!("denial.signed")),
            (Kind::Provisioned, vector!("provision-answer.signed")),
            (Kind::Info, vector!("service-info")),
            (Kind::List, vector!("revocation-list")),
        ];
        let body = |(kind, signed): (Kind, Vec<u8>)| {
            let nonce = match kind {
                Kind::Time => self.time.nonce.clone(),
                Kind::Provisioned => self.provision.nonce.clone(),
                _ => None,
            };
            let mut claims = vec![
                (golden::REQUEST, Value::Bytes(self.request(kind).0.to_vec())),
                (golden::KEY_DIGEST, Value::Bytes(key.0.to_vec())),
                (golden::DEVICE_CHAIN, chain.clone()),
            ];
            claims.extend(nonce.map(|nonce| (golden::EAT_NONCE, nonce)));
            (kind, golden::body(&signed, &claims))
        };
        bodies.into_iter().map(body).collect()
    }
}

/// A licence request as golden, asked and opened.
fn license<C: PrivateKeys>(
    world: &World<C>,
    name: &str,
) -> Question<PendingLicense, OpenedLicense> {
    let (_, _, body) = request::bodies(world)
        .into_iter()
        .find(|(_, other, _)| *other == name)
        .expect("there is one of the name");
    let (message, _) = request::message(world, request::Kind::License, Part::Body(&body));
    let open = |message: &[u8]| {
        open_license_request(&world.crypto, &world.keys(), &world.trust(), message)
            .expect("the device is honest")
    };
    let claims = open(&message).request;
    let mut rng = NamedRng::new("license");
    let (message, pending) = world
        .asking(|device| {
            build_license_request(
                &world.crypto,
                &mut rng,
                device,
                &world.service,
                &claims,
                &mut unattested,
            )
        })
        .expect("the claims are sound");
    Question {
        pending,
        opened: open(&message),
        nonce: None,
    }
}

fn time<C: PrivateKeys>(world: &World<C>) -> Question<PendingTime, Exchange> {
    let challenge = world.challenge();
    let forge = Forge::new(&world.crypto, &world.device.private, Part::Nothing);
    let mut rng = NamedRng::new("time");
    let (message, pending) = world
        .asking(|device| {
            let request = TimeRequest { challenge };
            build_time_request(&forge, &mut rng, device, &world.service, &request)
        })
        .expect("the claims are sound");
    let opened = open_time_request(&world.crypto, &world.keys(), &world.trust(), &message);
    Question {
        pending,
        opened: opened.expect("the device is honest").exchange,
        nonce: claim_of(&forge.payload(), golden::NONCE),
    }
}

fn provision<C: PrivateKeys>(world: &World<C>) -> Question<PendingProvision, OpenedProvision> {
    let forge = Forge::new(&world.crypto, &world.device.private, Part::Nothing);
    let mut rng = NamedRng::new("provision");
    let request = request::provision_request(world);
    let (message, pending) = build_provision_request(
        &forge,
        &mut rng,
        &mut world.device.signer(&world.crypto),
        &world.service,
        &request,
        &mut unattested,
    )
    .expect("the claims are sound");
    let opened = open_provision_request(&world.crypto, &world.keys(), &message);
    Question {
        pending,
        opened: opened.expect("the device is honest"),
        nonce: claim_of(&forge.payload(), golden::NONCE),
    }
}

fn info<C: PrivateKeys>(world: &World<C>) -> keybearer_license::OpenedServiceInfo {
    let info = ServiceInfo {
        server_time: NOW,
        challenge: world.challenge(),
        revocation_number: 0,
    };
    let message = world
        .answering(|service| seal_service_info(&world.crypto, service, &world.root.public, &info));
    let trust = world.trust();
    open_service_info(
        &world.crypto,
        AnchorRef::Key(trust.anchor),
        trust.time,
        trust.revoked,
        &message.expect("the service is sound"),
    )
    .expect("the service is honest")
}

fn bare(license_id: LicenseId, sequence: u64) -> License {
    let usage = KeyUse {
        track: TrackType::Audio,
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
    };
    License {
        license_id,
        sequence,
        kind: LicenseKind::Session,
        counter: CounterStrength::None,
        max_plays: None,
        timing: Timing::UNLIMITED,
        least_revocation: 0,
        keys: vec![ContentKey {
            key_id: KeyId([0x11; 16]),
            key: Secret::copied_from(&[0xee; 16]),
            usage,
            period: None,
        }],
        roots: Vec::new(),
        renewal: None,
        rotation: None,
    }
}
