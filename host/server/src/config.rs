//! The server's configuration: from a TOML file, or built in code.
//!
//! Everything is checked before anything starts. Unknown fields are refused, and an error names
//! the line, what was found and what was expected; it never repeats a line of the file, since that
//! line may hold a key.

mod address;
mod content;
mod error;
mod key;
mod policy;
mod tenant;
pub(crate) mod text;
mod timing;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use keybearer_crypto::Secret;
use keybearer_license::{MAX_URL, Version};
use serde::Deserialize;

use crate::keys::files::read_private;
use crate::usage::{Definitions, RuleBook};
pub use content::{ContentKind, ContentSpec, DEFAULT_TENANT, NoExplicitRules};
pub(crate) use content::{NAME_FORM, is_name};
pub use error::ConfigError;
pub use key::{KeySource, KeySpec};
use tenant::TenantForm;
pub use tenant::{CallbackSpec, Tenant};
use text::Text;
pub use timing::{RenewalSpec, TimingSpec};

/// Where devices reach the server unless the configuration says otherwise.
const PUBLIC_PORT: u16 = 7480;
/// Where the operator reaches it.
const ADMIN_PORT: u16 = 7481;

/// Everything a server is started with.
pub struct Config {
    /// Where devices reach the server; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the operator reaches it. It speaks plain HTTP: keep it on loopback, or put TLS before it.
    pub admin_listen: SocketAddr,
    /// The address that devices are given, if it is another than that of `listen`. Needed where
    /// `listen` is every address of the machine.
    pub public_url: Option<String>,
    /// The key directory.
    pub key_dir: PathBuf,
    /// The store's file; made, for its owner alone, where there is none.
    pub store: PathBuf,
    /// The file that holds the admin token; by default `admin.token` in the key directory.
    pub admin_token_file: Option<PathBuf>,
    /// The oldest core that is served.
    pub minimum_core: Option<Version>,
    /// What bounds the server.
    pub limits: Limits,
    /// Tenants; names are unique.
    pub tenants: Vec<Tenant>,
    /// Contents; the admin interface can show but not change them.
    pub contents: Vec<ContentSpec>,
    /// Profiles, device models and what else there is about usage rules. The admin interface can add
    /// others, and show but not change these.
    pub usage_rules: Definitions,
}

/// What bounds the server's time and memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections held at once, on each listener; further ones are closed at once.
    pub max_connections: usize,
    /// Messages worked on at once; further ones are answered 503.
    pub concurrent_requests: usize,
    /// Seconds for a request's head, also between two requests of a connection.
    pub header_seconds: u64,
    /// Seconds for a request's whole body, however slowly it trickles.
    pub body_seconds: u64,
    /// Seconds for a whole request, and for open requests when the server stops.
    pub request_seconds: u64,
    /// Answers kept for repeats, 10 minutes each; beyond it new requests are denied as overloaded,
    /// and so are those of a device for which one in 100 of them, or at least 16, is kept already.
    pub kept_answers: u64,
    /// Entries kept in the log, and as many of devices without a certificate; the oldest make room.
    pub log_entries: u64,
    /// Bytes of the store that stay in memory.
    pub store_cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            concurrent_requests: 256,
            header_seconds: 10,
            body_seconds: 10,
            request_seconds: 30,
            kept_answers: 100_000,
            log_entries: 100_000,
            store_cache_bytes: 64 * 1024 * 1024,
        }
    }
}

/// The configuration as it stands in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigForm {
    listen: Option<SocketAddr>,
    admin_listen: Option<SocketAddr>,
    public_url: Option<String>,
    key_dir: PathBuf,
    store: PathBuf,
    admin_token_file: Option<PathBuf>,
    minimum_core: Option<Text<Version>>,
    #[serde(default)]
    limits: Limits,
    #[serde(default, alias = "tenant")]
    tenants: Vec<TenantForm>,
    #[serde(default, alias = "content")]
    contents: Vec<ContentSpec>,
    #[serde(default)]
    usage_rules: Definitions,
}

impl Config {
    /// A server on free loopback ports, with the tenant `default` and no content.
    #[must_use]
    pub fn new(key_dir: impl Into<PathBuf>, store: impl Into<PathBuf>) -> Self {
        let free_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: free_port,
            admin_listen: free_port,
            public_url: None,
            key_dir: key_dir.into(),
            store: store.into(),
            admin_token_file: None,
            minimum_core: None,
            limits: Limits::default(),
            tenants: vec![default_tenant()],
            contents: Vec::new(),
            usage_rules: Definitions::default(),
        }
    }

    /// Reads a configuration file; relative paths in it count from its folder.
    ///
    /// # Errors
    /// [`ConfigError`], naming file and line. A file that holds keys must be its owner's alone.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let in_file = |error: ConfigError| error.in_file(path);
        let text = std::fs::read_to_string(path)
            .map(zeroize::Zeroizing::new)
            .map_err(|source| ConfigError::Io {
                path: path.to_owned(),
                source,
            })?;
        let base = path.parent().unwrap_or(Path::new("."));
        let config = Self::parse(&text, base).map_err(in_file)?;
        let holds_keys = config
            .contents
            .iter()
            .flat_map(|content| &content.keys)
            .any(|key| matches!(key.source, KeySource::Given(_)));
        if holds_keys {
            // Read again for its check of who else can read it: keys make this a key file.
            read_private(path).map_err(ConfigError::Key)?;
        }
        config.with_key_files()
    }

    /// Reads a configuration from text; relative paths count from `base`.
    ///
    /// Key files are not read yet: [`Self::load`] does that, and so does a server that starts.
    ///
    /// # Errors
    /// [`ConfigError`], naming the line.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        let form: ConfigForm =
            toml::from_str(text).map_err(|error| ConfigError::syntax(text, &error))?;
        let mut contents = form.contents;
        for key in contents.iter_mut().flat_map(|content| &mut content.keys) {
            if let KeySource::File(path) = &mut key.source {
                *path = base.join(&*path);
            }
        }
        let config = Self {
            listen: form
                .listen
                .unwrap_or((Ipv4Addr::LOCALHOST, PUBLIC_PORT).into()),
            admin_listen: form
                .admin_listen
                .unwrap_or((Ipv4Addr::LOCALHOST, ADMIN_PORT).into()),
            public_url: form.public_url,
            key_dir: base.join(form.key_dir),
            store: base.join(form.store),
            admin_token_file: form.admin_token_file.map(|path| base.join(path)),
            minimum_core: form.minimum_core.map(|version| version.0),
            limits: form.limits,
            tenants: if form.tenants.is_empty() {
                vec![default_tenant()]
            } else {
                form.tenants
                    .into_iter()
                    .map(|tenant| tenant.tenant(base))
                    .collect::<Result<_, _>>()?
            },
            contents,
            usage_rules: form.usage_rules,
        };
        config.check()?;
        Ok(config)
    }

    /// Reads the key files that contents and tenants name.
    ///
    /// # Errors
    /// [`ConfigError::Key`] for a file that is missing, readable by others or of another size.
    pub(crate) fn with_key_files(mut self) -> Result<Self, ConfigError> {
        for tenant in &mut self.tenants {
            tenant.read_keys()?;
        }
        for key in self
            .contents
            .iter_mut()
            .flat_map(|content| &mut content.keys)
        {
            if let KeySource::File(path) = &key.source {
                let bytes = read_private(path).map_err(ConfigError::Key)?;
                let bytes =
                    <&[u8; 16]>::try_from(bytes.as_slice()).map_err(|_| ConfigError::KeyFile {
                        path: path.clone(),
                        found: bytes.len(),
                    })?;
                key.source = KeySource::Given(Secret::copied_from(bytes));
            }
        }
        Ok(self)
    }

    /// Finds what contradicts itself, within a content or between the parts.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        self.check_limits()?;
        self.check_address()?;
        RuleBook::new(self.usage_rules.clone())
            .map_err(|unsound| invalid(format!("usage_rules: {unsound}")))?;
        let mut tenants = HashSet::new();
        for tenant in &self.tenants {
            tenant.check()?;
            if !tenants.insert(tenant.name.as_str()) {
                return Err(invalid(format!("tenant {}: named twice", tenant.name)));
            }
        }
        let (mut ids, mut kids) = (HashSet::new(), HashSet::new());
        for content in &self.contents {
            let in_content = |what: String| invalid(format!("content {:?}: {what}", content.id));
            if let Some(what) = content.contradiction() {
                return Err(in_content(what));
            }
            if !ids.insert(content.id.as_str()) {
                return Err(in_content("its id is used twice".into()));
            }
            if let Some(unknown) = content
                .named_tenants()
                .find(|tenant| !tenants.contains(*tenant))
            {
                return Err(in_content(format!("there is no tenant {unknown:?}")));
            }
            for key in &content.keys {
                if !kids.insert(key.kid) {
                    return Err(in_content(format!(
                        "key {}: its kid is used twice",
                        key.kid
                    )));
                }
                if matches!(key.source, KeySource::Generate | KeySource::Stored) {
                    return Err(in_content(format!(
                        "key {}: expected key or key_file",
                        key.kid
                    )));
                }
            }
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        let numbers = [
            (
                "max_connections",
                u64::try_from(limits.max_connections).unwrap_or(u64::MAX),
            ),
            (
                "concurrent_requests",
                u64::try_from(limits.concurrent_requests).unwrap_or(u64::MAX),
            ),
            ("header_seconds", limits.header_seconds),
            ("body_seconds", limits.body_seconds),
            ("request_seconds", limits.request_seconds),
            ("kept_answers", limits.kept_answers),
            ("log_entries", limits.log_entries),
            (
                "store_cache_bytes",
                u64::try_from(limits.store_cache_bytes).unwrap_or(u64::MAX),
            ),
        ];
        for (name, number) in numbers {
            // The upper bound keeps sums of durations and semaphore counts far from overflow.
            if !(1..=1_000_000_000).contains(&number) {
                return Err(invalid(format!(
                    "limits: {name} = {number}, expected 1 to 1000000000"
                )));
            }
        }
        Ok(())
    }

    /// Whether there is an address that devices can be given: bundles and licences name it.
    fn check_address(&self) -> Result<(), ConfigError> {
        match &self.public_url {
            Some(url) => address::check(url).map_err(|why| {
                let shown: String = url.chars().take(MAX_URL).collect();
                invalid(format!("public_url = {shown:?}: {why}"))
            }),
            None if self.listen.ip().is_unspecified() => Err(invalid(format!(
                "listen = {}: no device finds the server under this address, expected public_url \
                 beside it",
                self.listen
            ))),
            None => Ok(()),
        }
    }
}

fn invalid(what: String) -> ConfigError {
    ConfigError::Invalid { what }
}

fn default_tenant() -> Tenant {
    Tenant {
        name: DEFAULT_TENANT.to_owned(),
        ..Tenant::default()
    }
}

#[cfg(test)]
mod tests;
