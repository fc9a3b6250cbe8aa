//! A server in a folder of its own, a device, and an HTTP client that can be as bad as it likes.

mod device;
mod http;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use keybearer_crypto::Secret;
use keybearer_license::{HardwareModel, KeyId, Scheme, ServiceId, TrackType, UnixTime};
use keybearer_server::{
    Clock, Config, ContentSpec, EnrolmentToken, KeyDirectory, KeySpec, RunningServer, Server,
    Tenant,
};

pub(crate) use device::{Device, Platform, denial, license};
pub(crate) use http::{Answer, exchange, get, post, request, send_raw};

/// A clock that only moves when it is told to.
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime(self.0.load(Ordering::SeqCst))
    }
}

/// A server with everything it needs in a folder that goes with it.
pub(crate) struct World {
    pub(crate) server: RunningServer,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    /// A server with these contents and a production and an integration tenant.
    pub(crate) fn new(contents: Vec<ContentSpec>) -> Self {
        Self::with(|config| config.contents = contents)
    }

    /// A server whose configuration `set` has finished.
    pub(crate) fn with(set: impl FnOnce(&mut Config)) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let clock = Arc::new(TestClock(AtomicU64::new(now)));
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        KeyDirectory::create(&keys, &ServiceId::new("test").unwrap(), &*clock).unwrap();
        let mut config = config_in(&folder);
        set(&mut config);
        let server = Server::bind_at(config, clock.clone()).unwrap();
        Self {
            server,
            clock,
            folder,
        }
    }

    /// Stops the server and starts it again on the same store, with a configuration that `set`
    /// has finished.
    pub(crate) fn restarted(self, set: impl FnOnce(&mut Config)) -> Self {
        let Self {
            server,
            clock,
            folder,
        } = self;
        server.shutdown().unwrap();
        let mut config = config_in(&folder);
        set(&mut config);
        let server = Server::bind_at(config, clock.clone()).unwrap();
        Self {
            server,
            clock,
            folder,
        }
    }

    /// Stops the server; tells why it does not start again with a configuration that `set` has
    /// finished.
    pub(crate) fn fails_to_restart(self, set: impl FnOnce(&mut Config)) -> String {
        self.server.shutdown().unwrap();
        let mut config = config_in(&self.folder);
        set(&mut config);
        match Server::bind_at(config, self.clock) {
            Ok(_) => panic!("the server started"),
            Err(error) => error.to_string(),
        }
    }

    /// An enrolment token of a tenant.
    pub(crate) fn enrolment(&self, tenant: &str) -> Vec<u8> {
        let token = EnrolmentToken {
            tenant: tenant.into(),
            model: None,
            valid_seconds: 3600,
        };
        self.server
            .registry()
            .mint_enrolment(&token)
            .unwrap()
            .token
            .into_bytes()
    }

    /// A device that is certified at Low.
    pub(crate) fn low_device(&self) -> Device {
        let mut device = Device::new(self);
        device.enrol(&self.enrolment("default"));
        device
    }

    /// The server's time.
    pub(crate) fn clock_now(&self) -> u64 {
        self.clock.now().0
    }

    /// The admin token.
    pub(crate) fn admin_token(&self) -> String {
        std::fs::read_to_string(self.server.admin_token_file())
            .unwrap()
            .trim()
            .to_owned()
    }

    /// A number of the metrics page.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let page = get(self.server.admin_addr(), "/metrics");
        let text = String::from_utf8(page.body).unwrap();
        let value = text
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no metric {line} in:\n{text}"))
            .parse()
            .unwrap()
    }
}

fn config_in(folder: &tempfile::TempDir) -> Config {
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let mut config = Config::new(path("keys"), path("store.redb"));
    config.tenants.push(Tenant {
        name: "lab".into(),
        integration: true,
        barred_models: vec![HardwareModel::new("barred").unwrap()],
        ..Tenant::default()
    });
    config
}

/// The key of key id `n`.
pub(crate) fn content_key(n: u8) -> [u8; 16] {
    [n ^ 0xa5; 16]
}

/// The key id `n`.
pub(crate) fn kid(n: u8) -> KeyId {
    KeyId([n; 16])
}

/// A key for high definition video under cenc.
pub(crate) fn key(n: u8) -> KeySpec {
    KeySpec::new(
        kid(n),
        Secret::copied_from(&content_key(n)),
        TrackType::Hd,
        Scheme::Cenc,
    )
}

/// An open content with one key.
pub(crate) fn open_content(id: &str, n: u8) -> ContentSpec {
    ContentSpec::open(id, vec![key(n)])
}
