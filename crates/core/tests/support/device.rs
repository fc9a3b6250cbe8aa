//! A device: a core over the fake platform, with every command as a method.

use keybearer_core::{
    Anchors, Caller, ClientId, Config, Core, InPlace, Media, NoMedia, Parts, response_limit,
};
use keybearer_crypto::Digest;
use keybearer_license::Isolation;
use keybearer_rules::Level;
use keybearer_wire::body::{self, KeyStatus};
use keybearer_wire::field::{Blob, List, Text};
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE};
use keybearer_wire::{Exchange, Status, decode_response};

use super::forever::forever;
use super::platform::{FakePlatform, Shared, parts};
use super::service::Service;

/// A capability set that states nothing, encoded.
const NOTHING_STATED: &[u8] = &[0xa0];

pub struct Device {
    pub world: Shared,
    pub core: Core<FakePlatform>,
    pub client: ClientId,
    pub config: Config,
    seen: Vec<u8>,
}

/// One sample to decrypt: its vector and its subsamples, none for wholly protected.
#[derive(Clone, Debug)]
pub struct Sample {
    pub iv: [u8; 16],
    pub size: u32,
    pub subsamples: Vec<(u32, u32)>,
}

/// What a denial or a certificate says, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provisioned {
    Certified { level: u8, debug: bool },
    Denied(u16),
}

/// An answer that was loaded, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    License(License),
    Denied {
        reason: u16,
        level_needed: Option<u8>,
    },
}

/// A licence report, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    pub id: [u8; 16],
    pub sequence: u64,
    pub ends: Option<u64>,
    pub renew_at: Option<u64>,
    pub renew_retry: Option<u32>,
    pub keys: Vec<body::KeyReport>,
}

/// A status report, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    pub sequence: u64,
    pub time: Option<u64>,
    pub licenses: Vec<License>,
}

impl Statuses {
    /// Statuses of all keys, licence by licence.
    pub fn keys(&self) -> Vec<KeyStatus> {
        self.licenses
            .iter()
            .flat_map(|l| &l.keys)
            .map(|key| key.status)
            .collect()
    }
}

impl Loaded {
    pub fn license(self) -> License {
        match self {
            Self::License(license) => license,
            Self::Denied { reason, .. } => panic!("denied: {reason}"),
        }
    }
}

impl Device {
    /// A software device at level Low that takes any anchor.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, |_, _| ())
    }

    pub fn with(seed: u64, edit: impl FnOnce(&mut Config, &mut Parts<FakePlatform>)) -> Self {
        let world = Shared::new(seed);
        let mut parts = parts(&world);
        let mut config = Config {
            level: Level::Low,
            decoder: true,
            isolation: Isolation::InProcess,
            debug: true,
            ta_version: None,
            anchors: Anchors::Application,
            max_media: 8 << 20,
            oem: None,
        };
        edit(&mut config, &mut parts);
        let mut core = Core::new(parts, config.clone()).unwrap();
        let client = core.connect(Caller::Host).unwrap();
        Self {
            world,
            core,
            client,
            config,
            seen: Vec::new(),
        }
    }

    /// A trusted application that takes only one anchor.
    pub fn trusted(seed: u64, anchor: Digest) -> Self {
        Self::with(seed, |config, _| {
            config.level = Level::Medium;
            config.isolation = Isolation::Tee;
            config.anchors = Anchors::Fixed(forever(vec![anchor]));
        })
    }

    /// The core starts again on the same storage; the clock too.
    pub fn reboot(&mut self) {
        self.world.get().reboot();
        self.restart();
    }

    /// The core starts again; the clock runs on.
    pub fn restart(&mut self) {
        self.core = Core::new(parts(&self.world), self.config.clone()).unwrap();
        self.client = self.core.connect(Caller::Host).unwrap();
    }

    pub fn advance(&self, millis: u64) {
        self.world.get().millis += millis;
    }

    /// Every response byte so far.
    pub fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// Lets go of the response bytes so far.
    pub fn forget_seen(&mut self) {
        self.seen = Vec::new();
    }

    pub fn raw(&mut self, command: u32, request: &[u8], media: &mut dyn Media) -> Vec<u8> {
        let response = self.core.call(self.client, command, request, media);
        assert!(
            response.len() <= response_limit(command),
            "longer than promised"
        );
        self.seen.extend_from_slice(&response);
        response.to_vec()
    }

    /// One typed call; `read` takes what is wanted of the answer.
    pub fn call<'r, R: Exchange<'r>, T>(
        &mut self,
        request: &R,
        media: &mut dyn Media,
        read: impl FnOnce(R::Answer<'_>) -> T,
    ) -> Result<T, Status> {
        let request = request.encode(MAX_REQUEST).unwrap();
        let response = self.raw(R::COMMAND.code(), &request, media);
        assert!(response.len() <= MAX_RESPONSE);
        decode_response::<R::Answer<'_>>(&response)
            .unwrap()
            .map(read)
    }

    pub fn device_key(&mut self, anchor: Digest) -> Result<([u8; 32], bool), Status> {
        let request = body::DeviceKey { anchor: anchor.0 };
        self.call(&request, &mut NoMedia, |a| (a.key_digest, a.provisioned))
    }

    pub fn begin(&mut self, anchor: Digest, info: &[u8]) -> Result<Vec<u8>, Status> {
        let request = body::BeginProvisioning {
            anchor: anchor.0,
            service_info: Blob(info),
            token_kind: body::TokenKind::Enrollment,
            token: Blob(b"token"),
            model: Text("Model X"),
        };
        self.call(&request, &mut NoMedia, |a| a.bytes.0.to_vec())
    }

    pub fn finish(&mut self, anchor: Digest, answer: &[u8]) -> Result<Provisioned, Status> {
        let request = body::FinishProvisioning {
            anchor: anchor.0,
            answer: Blob(answer),
        };
        self.call(&request, &mut NoMedia, |a| match (a.certified, a.denial) {
            (Some(c), None) => Provisioned::Certified {
                level: c.level,
                debug: c.debug,
            },
            (None, Some(denial)) => Provisioned::Denied(denial.reason),
            both => panic!("exactly one: {both:?}"),
        })
    }

    /// The whole exchange with a service.
    pub fn provision(&mut self, service: &mut Service) {
        let request = self.begin(service.anchor(), &service.info()).unwrap();
        let answer = service.certify(&request);
        self.finish(service.anchor(), &answer).unwrap();
    }

    pub fn erase(&mut self, anchor: Digest) -> Result<(), Status> {
        self.call(
            &body::EraseIdentity { anchor: anchor.0 },
            &mut NoMedia,
            |_| (),
        )
    }

    pub fn open(&mut self, service: &mut Service) -> Result<u64, Status> {
        let info = service.info();
        self.open_with(service.anchor(), &info)
    }

    pub fn open_with(&mut self, anchor: Digest, info: &[u8]) -> Result<u64, Status> {
        let request = body::OpenSession {
            anchor: anchor.0,
            service_info: Blob(info),
            protected: false,
        };
        self.call(&request, &mut NoMedia, |a| a.session)
    }

    pub fn close(&mut self, session: u64) -> Result<(), Status> {
        self.call(&body::CloseSession { session }, &mut NoMedia, |_| ())
    }

    pub fn request(&mut self, session: u64, key_ids: &[[u8; 16]]) -> Result<Vec<u8>, Status> {
        self.request_with(session, key_ids, |_| ())
    }

    pub fn request_with<'a>(
        &mut self,
        session: u64,
        key_ids: &[[u8; 16]],
        edit: impl FnOnce(&mut body::BuildRequest<'a>),
    ) -> Result<Vec<u8>, Status> {
        let mut request = body::BuildRequest {
            session,
            kind: body::RequestKind::Acquire,
            key_ids: List(key_ids.to_vec()),
            init_data: List(Vec::new()),
            stored: false,
            token: Some(Blob(b"authorisation")),
            capabilities: Blob(NOTHING_STATED),
            license: None,
            service_info: None,
        };
        edit(&mut request);
        self.call(&request, &mut NoMedia, |a| a.bytes.0.to_vec())
    }

    /// A request with a newer service info, for its challenge.
    pub fn request_fresh(
        &mut self,
        session: u64,
        key_ids: &[[u8; 16]],
        info: &[u8],
    ) -> Result<Vec<u8>, Status> {
        let request = body::BuildRequest {
            session,
            kind: body::RequestKind::Acquire,
            key_ids: List(key_ids.to_vec()),
            init_data: List(Vec::new()),
            stored: false,
            token: None,
            capabilities: Blob(NOTHING_STATED),
            license: None,
            service_info: Some(Blob(info)),
        };
        self.call(&request, &mut NoMedia, |a| a.bytes.0.to_vec())
    }

    pub fn renewal(&mut self, session: u64, license: [u8; 16]) -> Result<Vec<u8>, Status> {
        self.request_with(session, &[[7; 16]], |request| {
            request.kind = body::RequestKind::Renew;
            request.license = Some(license);
        })
    }

    /// A renewal with a newer service info, for its challenge.
    pub fn renewal_fresh(
        &mut self,
        session: u64,
        license: [u8; 16],
        info: &[u8],
    ) -> Result<Vec<u8>, Status> {
        self.request_with(session, &[[7; 16]], |request| {
            request.kind = body::RequestKind::Renew;
            request.license = Some(license);
            request.service_info = Some(Blob(info));
        })
    }

    pub fn load(&mut self, session: u64, answer: &[u8]) -> Result<Loaded, Status> {
        let request = body::LoadAnswer {
            session,
            answer: Blob(answer),
        };
        self.call(&request, &mut NoMedia, |a| match (a.license, a.denial) {
            (Some(license), None) => Loaded::License(owned(license)),
            (None, Some(denial)) => Loaded::Denied {
                reason: denial.reason,
                level_needed: denial.level_needed,
            },
            both => panic!("exactly one: {both:?}"),
        })
    }

    pub fn statuses(&mut self, session: u64) -> Result<Statuses, Status> {
        self.call(&body::Statuses { session }, &mut NoMedia, |a| Statuses {
            sequence: a.sequence,
            time: a.time,
            licenses: a.licenses.0.into_iter().map(owned).collect(),
        })
    }

    pub fn remove(&mut self, session: u64, license: [u8; 16]) -> Result<(), Status> {
        self.call(
            &body::RemoveLicense { session, license },
            &mut NoMedia,
            |_| (),
        )
    }

    pub fn time_request(&mut self, session: u64) -> Result<Vec<u8>, Status> {
        self.time_request_with(session, None)
    }

    /// With a newer service info, for its challenge.
    pub fn time_request_with(
        &mut self,
        session: u64,
        info: Option<&[u8]>,
    ) -> Result<Vec<u8>, Status> {
        let request = body::BuildTimeRequest {
            session,
            service_info: info.map(Blob),
        };
        self.call(&request, &mut NoMedia, |a| a.bytes.0.to_vec())
    }

    /// The reason of a denial, if it was one.
    pub fn load_time(&mut self, session: u64, answer: &[u8]) -> Result<Option<u16>, Status> {
        let request = body::LoadTimeAnswer {
            session,
            answer: Blob(answer),
        };
        self.call(&request, &mut NoMedia, |a| {
            a.denial.map(|denial| denial.reason)
        })
    }

    pub fn load_list(&mut self, anchor: Digest, list: &[u8]) -> Result<(), Status> {
        let request = body::LoadRevocationList {
            anchor: anchor.0,
            list: Blob(list),
        };
        self.call(&request, &mut NoMedia, |_| ())
    }

    /// Reports outputs as a host does.
    pub fn report(
        &mut self,
        sequence: u64,
        outputs: Vec<body::OutputReport>,
    ) -> Result<(), Status> {
        let request = body::ReportOutputs {
            sequence,
            outputs: List(outputs),
        };
        self.call(&request, &mut NoMedia, |_| ())
    }

    /// Asks a service for its time and loads the answer.
    pub fn fetch_time(&mut self, session: u64, service: &mut Service) {
        let request = self.time_request(session).unwrap();
        let answer = service.time(&request);
        assert_eq!(self.load_time(session, &answer), Ok(None));
    }

    /// Asks a service for a licence and loads the answer.
    pub fn acquire(
        &mut self,
        session: u64,
        service: &mut Service,
        license: keybearer_license::License,
    ) -> Result<Loaded, Status> {
        let request = self.request(session, &[[7; 16]])?;
        let answer = service.license(&request, license);
        self.load(session, &answer)
    }

    /// Decrypts in place.
    pub fn decrypt(
        &mut self,
        session: u64,
        key_id: [u8; 16],
        samples: &[Sample],
        data: &mut [u8],
    ) -> Result<u64, Status> {
        self.decrypt_with(session, key_id, samples, &mut InPlace(data), |_| ())
    }

    pub fn decrypt_with(
        &mut self,
        session: u64,
        key_id: [u8; 16],
        samples: &[Sample],
        media: &mut dyn Media,
        edit: impl FnOnce(&mut body::Decrypt<'_>),
    ) -> Result<u64, Status> {
        let (samples, subsamples) = records(samples);
        let mut request = body::Decrypt {
            session,
            key_id,
            license: None,
            track_type: 3,
            scheme: 1,
            iv_size: 8,
            constant_iv: None,
            crypt_blocks: 0,
            skip_blocks: 0,
            duration_ms: 1_000,
            width: None,
            height: None,
            samples: Blob(&samples),
            subsamples: Blob(&subsamples),
        };
        edit(&mut request);
        self.call(&request, media, |a| a.bytes)
    }
}

/// The two record strings of a sample table.
pub fn records(samples: &[Sample]) -> (Vec<u8>, Vec<u8>) {
    let mut records = (Vec::new(), Vec::new());
    for sample in samples {
        records.0.extend_from_slice(&sample.iv);
        records.0.extend_from_slice(&sample.size.to_be_bytes());
        records.0.extend_from_slice(
            &u32::try_from(sample.subsamples.len())
                .unwrap()
                .to_be_bytes(),
        );
        for (clear, protected) in &sample.subsamples {
            records.1.extend_from_slice(&clear.to_be_bytes());
            records.1.extend_from_slice(&protected.to_be_bytes());
        }
    }
    records
}

/// Samples of the given sizes, wholly protected.
pub fn samples(sizes: &[u32]) -> Vec<Sample> {
    let sample = |(at, size): (usize, &u32)| Sample {
        iv: [u8::try_from(at % 251).unwrap(); 16],
        size: *size,
        subsamples: Vec::new(),
    };
    sizes.iter().enumerate().map(sample).collect()
}

fn owned(report: body::LicenseReport<'_>) -> License {
    License {
        id: report.license,
        sequence: report.sequence,
        ends: report.ends,
        renew_at: report.renew_at,
        renew_retry: report.renew_retry,
        keys: report.keys.0,
    }
}
