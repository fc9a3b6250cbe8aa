//! Tenants: customers of the operator, and who authorises their devices.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keybearer_license::HardwareModel;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::content::{NAME_FORM, is_name, models};
use super::{ConfigError, invalid};
use crate::attestation::{AttestationForm, AttestationSpec};
use crate::authorisation::{Credential, CredentialForm, MIN_SECRET, SharedSecret, TokenKey};
use crate::keys::files::read_private;

/// How long the operator's service may take unless the configuration says otherwise, in
/// milliseconds.
const CALLBACK_MS: u64 = 2000;
/// How long it may take at most: a device waits meanwhile.
const MAX_CALLBACK_MS: u64 = 10_000;

/// A customer of the operator.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Whether it accepts devices in debug state: simulated backends, development keys; and the
    /// usage-rules profile `Test`.
    pub integration: bool,
    /// Device models it does not serve.
    pub barred_models: Vec<HardwareModel>,
    /// What content authorisation tokens for its contents are signed with; without one there are
    /// none.
    pub credentials: Vec<Credential>,
    /// Whether tokens without an end count as well.
    pub endless_tokens: bool,
    /// The operator's service that is asked where a device brings no token.
    pub callback: Option<CallbackSpec>,
    /// What platforms have to say of devices at Medium and High; without it certificate and evidence
    /// are enough.
    pub attestation: Option<AttestationSpec>,
}

/// The operator's service that says which device may have which content.
#[derive(Clone, Debug)]
pub struct CallbackSpec {
    /// Its address, `http` or `https`. What is sent there names devices and contents.
    pub url: String,
    /// How long it may take, from the first byte sent to the last received.
    pub timeout: Duration,
    /// The private file with the text that it is sent as a bearer token, so that it knows who asks.
    /// Only with `https`, or where the address is one of this machine's own.
    pub bearer_file: Option<PathBuf>,
    /// That text, once the file was read.
    pub bearer: Option<SharedSecret>,
}

impl CallbackSpec {
    /// A service at an address, without a bearer token, with the usual deadline.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            timeout: Duration::from_millis(CALLBACK_MS),
            bearer_file: None,
            bearer: None,
        }
    }
}

/// A tenant as it stands in the configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantForm {
    name: String,
    #[serde(default)]
    integration: bool,
    #[serde(default, deserialize_with = "models::deserialize")]
    barred_models: Vec<HardwareModel>,
    #[serde(default, alias = "credential")]
    credentials: Vec<CredentialForm>,
    #[serde(default)]
    endless_tokens: bool,
    callback: Option<CallbackForm>,
    attestation: Option<AttestationForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallbackForm {
    url: String,
    timeout_ms: Option<u64>,
    bearer_file: Option<PathBuf>,
}

impl TenantForm {
    /// The tenant; relative paths count from `base`.
    pub(super) fn tenant(self, base: &Path) -> Result<Tenant, ConfigError> {
        let of = |what: String| invalid(format!("tenant {:?}: {what}", self.name));
        let mut credentials = Vec::new();
        for form in self.credentials {
            let mut credential: Credential = form
                .credential()
                .map_err(|what| of(format!("credential: {what}")))?;
            if let TokenKey::SecretFile(path) = &mut credential.key {
                *path = base.join(&*path);
            }
            credentials.push(credential);
        }
        let callback = self.callback.map(|form| CallbackSpec {
            url: form.url,
            timeout: Duration::from_millis(form.timeout_ms.unwrap_or(CALLBACK_MS)),
            bearer_file: form.bearer_file.map(|path| base.join(path)),
            bearer: None,
        });
        Ok(Tenant {
            name: self.name,
            integration: self.integration,
            barred_models: self.barred_models,
            credentials,
            endless_tokens: self.endless_tokens,
            callback,
            attestation: self.attestation.map(|form| form.spec(base)),
        })
    }
}

impl Tenant {
    /// Finds what contradicts itself.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !is_name(&self.name) {
            return Err(invalid(format!(
                "tenant {:?}: its name must be {NAME_FORM}",
                self.name
            )));
        }
        let of = |what: String| invalid(format!("tenant {}: {what}", self.name));
        let mut kids = HashSet::new();
        let twice = self
            .credentials
            .iter()
            .find(|credential| !kids.insert(credential.kid.as_str()));
        if let Some(credential) = twice {
            return Err(of(format!(
                "credential {:?} is there twice",
                credential.kid
            )));
        }
        let Some(callback) = &self.callback else {
            return Ok(());
        };
        super::address::check(&callback.url)
            .map_err(|why| of(format!("callback: url = {:?}: {why}", callback.url)))?;
        let secret = callback.bearer_file.is_some() || callback.bearer.is_some();
        if secret && !super::address::is_private(&callback.url) {
            return Err(of(format!(
                "callback: url = {:?}: a bearer token is sent by https:// alone, or within this machine",
                callback.url
            )));
        }
        let time = callback.timeout;
        if time.is_zero() || time > Duration::from_millis(MAX_CALLBACK_MS) {
            return Err(of(format!(
                "callback: timeout_ms = {}, expected 1 to {MAX_CALLBACK_MS}",
                time.as_millis()
            )));
        }
        Ok(())
    }

    /// Reads the keys that lie in files.
    pub(super) fn read_keys(&mut self) -> Result<(), ConfigError> {
        if let Some(attestation) = &mut self.attestation {
            attestation.read_keys()?;
        }
        for credential in &mut self.credentials {
            if let TokenKey::SecretFile(path) = &credential.key {
                let bytes = read_private(path).map_err(ConfigError::Key)?;
                let key = TokenKey::hs256(&bytes).ok_or_else(|| {
                    invalid(format!(
                        "tenant {}: credential {:?}: {} holds {} bytes, expected at least \
                         {MIN_SECRET}",
                        self.name,
                        credential.kid,
                        path.display(),
                        bytes.len()
                    ))
                })?;
                credential.key = key;
            }
        }
        if let Some(callback) = &mut self.callback
            && let Some(path) = &callback.bearer_file
        {
            let bytes = read_private(path).map_err(ConfigError::Key)?;
            let text = bytes.trim_ascii();
            if text.is_empty() || !text.iter().all(u8::is_ascii_graphic) {
                return Err(invalid(format!(
                    "tenant {}: callback: {} does not hold one line of printable characters",
                    self.name,
                    path.display()
                )));
            }
            callback.bearer = Some(SharedSecret::new(Zeroizing::new(text.to_vec())));
        }
        Ok(())
    }
}
