//! A licence service on loopback that knows the sample files, and devices that ask it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keybearer_client::{
    AnchorDigest, Certified, Client, ClientError, Device, ProvisionToken, ServerUrl,
};
use keybearer_crypto::{Digest, Secret};
use keybearer_license::{HardwareModel, IvKind, KeyId, Scheme, ServiceId, TrackType};
use keybearer_rules::Level;
use keybearer_server::{
    Config, ContentSpec, EnrolmentToken, FactoryToken, KeyDirectory, KeySpec, RunningServer,
    Server, SystemClock, Tenant,
};
use keybearer_tee::Tee;
use tempfile::TempDir;

use crate::samples::{Sample, SampleTrack};
use crate::token;

/// Hardware model that the test devices state.
pub const MODEL: &str = "test-device";
/// Seconds that a minted token is good for.
const TOKEN_SECONDS: u32 = 600;

/// A running service with every key of some samples, open to every certified device of its one
/// integration tenant.
pub struct Service {
    server: RunningServer,
    _folder: Option<TempDir>,
}

impl Service {
    /// Starts a service with new keys of its own.
    #[must_use]
    pub fn start(samples: &[Sample]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let keys = folder.path().join("keys");
        let name = ServiceId::new("test.service").expect("the name is printable");
        KeyDirectory::create(&keys, &name, &SystemClock).expect("a key directory can be made");
        let mut service = Self::with_keys(&keys, &folder.path().join("store.redb"), samples);
        service._folder = Some(folder);
        service
    }

    /// Starts a service with the keys of an operator.
    #[must_use]
    pub fn with_keys(keys: &Path, store: &Path, samples: &[Sample]) -> Self {
        let mut config = Config::new(keys.to_path_buf(), store.to_path_buf());
        config.tenants = vec![Tenant {
            name: "default".into(),
            integration: true,
            credentials: vec![token::credential()],
            ..Tenant::default()
        }];
        let server = Server::bind(config).expect("the service starts");
        for content in contents(samples) {
            server
                .registry()
                .put_content(content)
                .expect("the content is acceptable");
        }
        Self {
            server,
            _folder: None,
        }
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &RunningServer {
        &self.server
    }

    /// What a device must be given out of band.
    #[must_use]
    pub fn anchor(&self) -> AnchorDigest {
        AnchorDigest(self.server.anchor().digest.0)
    }

    /// A client of this service over `tee`, not yet provisioned.
    #[must_use]
    pub fn client(&self, tee: Arc<dyn Tee>) -> Client {
        self.client_at(tee, &self.server.url())
    }

    /// The same through another address, such as a proxy's.
    #[must_use]
    pub fn client_at(&self, tee: Arc<dyn Tee>, url: &str) -> Client {
        let url: ServerUrl = url.parse().expect("the address is a server address");
        Client::new(tee, url, self.anchor())
    }

    /// A one-use enrolment token, good for level Low.
    #[must_use]
    pub fn enrollment_token(&self) -> ProvisionToken {
        let wanted = EnrolmentToken {
            tenant: "default".into(),
            model: None,
            valid_seconds: TOKEN_SECONDS,
        };
        let minted = self
            .server
            .registry()
            .mint_enrolment(&wanted)
            .expect("a token is minted");
        ProvisionToken::Enrollment(minted.token.into_bytes())
    }

    /// A factory token that names the key of the device behind `tee`, good for `level`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn factory_token(
        &self,
        tee: &dyn Tee,
        level: Level,
    ) -> Result<ProvisionToken, ClientError> {
        let key = Device::connect(tee)?.device_key(&self.anchor())?;
        let wanted = FactoryToken {
            tenant: "default".into(),
            key_digest: Digest(key.digest),
            level,
            model: Some(HardwareModel::new(MODEL).expect("the name is printable")),
            valid_seconds: TOKEN_SECONDS,
        };
        let minted = self
            .server
            .registry()
            .mint_factory(&wanted)
            .expect("a token is minted");
        Ok(ProvisionToken::Factory(minted.token.into_bytes()))
    }

    /// A client over `tee`, provisioned up to its ceiling: by factory token where the trusted side is
    /// more than software, else by enrolment token.
    ///
    /// # Errors
    /// Those of the device and of the service.
    pub fn provisioned(&self, tee: Arc<dyn Tee>) -> Result<(Client, Certified), ClientError> {
        let client = self.client(Arc::clone(&tee));
        let ceiling = client.describe()?.level;
        let token = if ceiling >= Level::Medium {
            self.factory_token(&*tee, ceiling)?
        } else {
            self.enrollment_token()
        };
        let certified = client.provision(&token, MODEL)?;
        Ok((client, certified))
    }
}

/// One content a scheme, since files share keys and a licence is for one content: each key once,
/// bound to what the first file that shows it uses it for.
fn contents(samples: &[Sample]) -> Vec<ContentSpec> {
    let mut known = HashSet::new();
    let mut by_scheme: BTreeMap<&str, Vec<KeySpec>> = BTreeMap::new();
    for sample in samples {
        let keys = by_scheme.entry(&sample.scheme).or_default();
        let fresh = sample.tracks.iter().filter(|track| known.insert(track.kid));
        keys.extend(fresh.map(|track| key(sample, track)));
    }
    let contents = by_scheme.into_iter();
    contents
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(scheme, keys)| ContentSpec::open(scheme, keys))
        .collect()
}

fn key(sample: &Sample, track: &SampleTrack) -> KeySpec {
    let scheme = match sample.scheme.as_str() {
        "cenc" => Scheme::Cenc,
        "cens" => Scheme::Cens,
        "cbc1" => Scheme::Cbc1,
        _ => Scheme::Cbcs,
    };
    let kind = if track.kind == "audio" {
        TrackType::Audio
    } else {
        TrackType::Sd
    };
    let secret = Secret::copied_from(&track.key);
    let mut key = KeySpec::new(KeyId(track.kid), secret, kind, scheme);
    key.iv = match (scheme, sample.has_short_ivs()) {
        (Scheme::Cbcs, false) => IvKind::Constant16,
        (Scheme::Cbcs, true) => IvKind::Constant8,
        (_, false) => IvKind::PerSample16,
        (_, true) => IvKind::PerSample8,
    };
    key
}

/// Where a sample file and its clear counterpart are.
#[must_use]
pub fn paths(sample: &Sample) -> (PathBuf, PathBuf) {
    let folder = crate::samples::folder();
    (folder.join(&sample.file), folder.join(&sample.clear))
}
