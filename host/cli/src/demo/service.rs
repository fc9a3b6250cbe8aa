//! The demonstration's service: a real server with real keys, on a free port of loopback, that lives
//! as long as the demonstration.

use std::path::Path;

use keybearer_client::{
    AnchorDigest, Certified, Client, Description, Device, Level, ProvisionToken, ServerUrl,
};
use keybearer_license::{Digest, IvKind, KeyId, Pattern, Scheme, Secret, ServiceId, TrackType};
use keybearer_media::{IvSource, Presentation, Protection, TrackKind};
use keybearer_server::{
    Config, ContentSpec, EnrolmentToken, FactoryToken, KeyDirectory, KeySpec, RunningServer,
    Server, SystemClock,
};
use keybearer_tee::Tee;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::samples::{self, SAMPLES, Sample, TestKey};

/// Tokens are used at once.
const TOKEN_SECONDS: u32 = 60;
const TENANT: &str = "default";
const MODEL: &str = "keybearer demo";

/// A running server with the samples' keys, and what the device needs to know of it.
pub(super) struct DemoService {
    server: RunningServer,
    url: ServerUrl,
    anchor: AnchorDigest,
    description: Description,
    /// What a factory token names; a device at Low is certified without one.
    key_digest: Option<[u8; 32]>,
}

impl DemoService {
    /// Starts the server with the keys of `operator`, or with new ones in `folder`.
    pub(super) fn start(
        folder: &Path,
        operator: Option<&Path>,
        tee: &dyn Tee,
    ) -> Result<Self, Failure> {
        let description = Device::connect(tee)?.describe()?;
        let new_keys = folder.join("keys");
        let keys = operator.unwrap_or(&new_keys);
        if operator.is_none() {
            let unnamed = |error: &(dyn std::error::Error + 'static)| {
                cannot("make the operator's keys", error)
            };
            let id = ServiceId::new("Keybearer demo").map_err(|error| unnamed(&error))?;
            KeyDirectory::create(keys, &id, &SystemClock).map_err(|error| unnamed(&error))?;
        }
        let mut config = Config::new(keys, folder.join("store.redb"));
        // The demonstration is for looking at it, so development builds are welcome.
        for tenant in &mut config.tenants {
            tenant.integration = description.debug;
        }
        for sample in SAMPLES {
            config
                .contents
                .push(content(sample, played_at(&description))?);
        }
        let server =
            Server::bind(config).map_err(|error| cannot("start the licence server", &error))?;
        let url = server
            .url()
            .parse::<ServerUrl>()
            .map_err(|error| cannot("reach the licence server", &error))?;
        let anchor = AnchorDigest(server.anchor().digest.0);
        let key_digest = (description.level >= Level::Medium).then(|| {
            let key = Device::connect(tee)?.device_key(&anchor);
            key.map(|key| key.digest).map_err(|error| {
                let failure = Failure::from(error);
                if operator.is_none() {
                    return failure.hint(
                        "this trusted side accepts only the operators it was built for: name their keys with --operator",
                    );
                }
                failure
            })
        });
        Ok(Self {
            server,
            url,
            anchor,
            description,
            key_digest: key_digest.transpose()?,
        })
    }

    pub(super) const fn url(&self) -> &ServerUrl {
        &self.url
    }

    pub(super) const fn anchor(&self) -> AnchorDigest {
        self.anchor
    }

    pub(super) const fn description(&self) -> &Description {
        &self.description
    }

    /// Certifies the device as an operator would: a TEE by a factory token that names its key's digest,
    /// anything else by an enrolment token, which never certifies more than Low.
    pub(super) fn provision(&self, client: &Client) -> Result<Certified, Failure> {
        let registry = self.server.registry();
        let token = if let Some(key_digest) = self.key_digest {
            let minted = registry.mint_factory(&FactoryToken {
                tenant: TENANT.to_owned(),
                key_digest: Digest(key_digest),
                level: self.description.level,
                model: None,
                valid_seconds: TOKEN_SECONDS,
            });
            ProvisionToken::Factory(
                minted
                    .map_err(|error| cannot("mint a factory token", &error))?
                    .token
                    .into_bytes(),
            )
        } else {
            let minted = registry.mint_enrolment(&EnrolmentToken {
                tenant: TENANT.to_owned(),
                model: None,
                valid_seconds: TOKEN_SECONDS,
            });
            ProvisionToken::Enrollment(
                minted
                    .map_err(|error| cannot("mint an enrolment token", &error))?
                    .token
                    .into_bytes(),
            )
        };
        Ok(client.provision(&token, MODEL)?)
    }

    /// Stops the server.
    pub(super) fn stop(self) -> Result<(), Failure> {
        self.server
            .shutdown()
            .map_err(|error| cannot("stop the licence server", &error))
    }
}

fn cannot(what: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Exit::Service, format!("cannot {what}")).cause(error)
}

/// The level that the demonstration plays at: it compares clear samples, which High gives to nobody.
pub(super) fn played_at(device: &Description) -> Level {
    device.level.min(Level::Medium)
}

/// A sample as content: its keys demand the level that is there, so that a device of a lower one would
/// be refused.
fn content(sample: &Sample, level: Level) -> Result<ContentSpec, Failure> {
    let presentation = Presentation::parse(sample.protected)?;
    let keys = samples::keys(sample.name)?;
    let specs = keys.iter().map(|key| {
        let track = presentation.tracks.iter().find_map(|track| {
            let protection = track.protection()?;
            (hex::encode(protection.kid) == key.kid).then_some((track.kind, protection))
        });
        let (kind, protection) = track.ok_or_else(|| damaged(sample))?;
        spec(key, kind, protection, level).ok_or_else(|| damaged(sample))
    });
    let name = sample.name.trim_end_matches(".mp4");
    Ok(ContentSpec::open(name, specs.collect::<Result<_, _>>()?))
}

fn damaged(sample: &Sample) -> Failure {
    Failure::input(format!(
        "sample {} and its listed keys do not fit",
        sample.name
    ))
}

fn spec(key: &TestKey, kind: TrackKind, protection: &Protection, level: Level) -> Option<KeySpec> {
    let mut plain = bytes(&key.key)?;
    let track = match kind {
        TrackKind::Video => TrackType::Sd,
        TrackKind::Audio => TrackType::Audio,
        TrackKind::Other => TrackType::Other,
    };
    let scheme = Scheme::from_fourcc(protection.scheme.to_string().into_bytes().try_into().ok()?)?;
    let secret = Secret::taken_from(&mut plain);
    let mut spec = KeySpec::new(KeyId(bytes(&key.kid)?), secret, track, scheme);
    spec.iv = match protection.iv {
        IvSource::PerSample { size: 8 } => IvKind::PerSample8,
        IvSource::PerSample { .. } => IvKind::PerSample16,
        IvSource::Constant(iv) if iv.as_slice().len() == 8 => IvKind::Constant8,
        IvSource::Constant(_) => IvKind::Constant16,
        IvSource::None => return None,
    };
    if matches!(scheme, Scheme::Cens | Scheme::Cbcs) {
        let pattern = protection.pattern;
        spec.pattern = Some(Pattern {
            crypt: pattern.crypt,
            skip: pattern.skip,
        });
    }
    spec.lowest_level = level;
    Some(spec)
}

fn bytes(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
