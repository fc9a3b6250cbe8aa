//! The operator's interface in process; the HTTP admin side calls nothing else.

use std::sync::{Arc, Weak};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::{Crypto, Digest, Rng, Secret};
use keybearer_license::{HardwareModel, Serial, UnixTime};
use keybearer_rules::Level;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::text::Text;
use crate::config::{ContentSpec, KeySource};
use crate::names::Name;
use crate::service::{Fault, Revocation, Service};
use crate::store::{DeviceView, LogEntry, StoreError, TokenKind, TokenRecord, Totals};

/// Longest life of a token, in seconds: a year.
const MAX_TOKEN_SECONDS: u32 = 366 * 24 * 60 * 60;
/// How an enrolment token begins, so that people can tell the two kinds apart.
const ENROLMENT_PREFIX: &str = "kbe_";
/// How a factory token begins.
const FACTORY_PREFIX: &str = "kbf_";
/// Random bytes in a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// Why the operator's wish was not fulfilled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The server has stopped.
    #[error("the server has stopped")]
    Stopped,
    /// What was given contradicts itself.
    #[error("{what}")]
    Invalid {
        /// What is wrong.
        what: String,
    },
    /// What was given contradicts what is there.
    #[error("{what}")]
    Conflict {
        /// What it contradicts.
        what: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    Unknown {
        /// What was looked for.
        what: String,
    },
    /// The store or the cryptography failed.
    #[error("{what}")]
    Failed {
        /// What failed.
        what: String,
    },
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        Self::Failed {
            what: error.to_string(),
        }
    }
}

impl From<Fault> for RegistryError {
    fn from(fault: Fault) -> Self {
        Self::Failed {
            what: fault.to_string(),
        }
    }
}

/// An enrolment token to be made: one device, at most Low.
#[derive(Clone, Debug)]
pub struct EnrolmentToken {
    /// The tenant that the device will belong to.
    pub tenant: String,
    /// The only model that may use it; absent: any.
    pub model: Option<HardwareModel>,
    /// How long it counts, in seconds, up to a year.
    pub valid_seconds: u32,
}

/// A factory token to be made: the device with this key, up to a level.
#[derive(Clone, Debug)]
pub struct FactoryToken {
    /// The tenant that the device will belong to.
    pub tenant: String,
    /// SHA-256 of the device's public key as a COSE_Key.
    pub key_digest: Digest,
    /// Medium or High. What is certified is never above the device's evidence.
    pub level: Level,
    /// The only model that may use it; absent: any.
    pub model: Option<HardwareModel>,
    /// How long it counts, in seconds, up to a year.
    pub valid_seconds: u32,
}

/// A token that was made. The server keeps its digest only: this is the one time it is seen.
#[derive(Clone, PartialEq, Eq)]
pub struct MintedToken {
    /// The token: ASCII, of which a provision request carries exactly these bytes.
    pub token: String,
    /// First second it no longer counts.
    pub expires: UnixTime,
}

/// A content key that the server made. Shown once, so that the packager can use it.
#[derive(Serialize)]
pub struct GeneratedKey {
    /// Its identifier, 32 hexadecimal digits.
    pub kid: String,
    /// The key, 32 hexadecimal digits.
    #[serde(serialize_with = "shown")]
    pub key: Zeroizing<String>,
}

/// A content as it is listed: with everything but its keys.
#[derive(Serialize)]
pub struct ContentView {
    /// Where it is from: `config` or `store`.
    pub source: &'static str,
    /// The content as JSON, in the form that the admin interface takes.
    #[serde(flatten)]
    pub content: serde_json::Value,
}

/// The operator's interface to a running server.
#[derive(Clone)]
pub struct Registry {
    // Weak, so that a handle kept by the caller does not keep the store open.
    service: Weak<Service>,
}

impl Registry {
    pub(crate) fn new(service: &Arc<Service>) -> Self {
        Self {
            service: Arc::downgrade(service),
        }
    }

    fn service(&self) -> Result<Arc<Service>, RegistryError> {
        self.service.upgrade().ok_or(RegistryError::Stopped)
    }

    /// Writes a content in place of one with the same id, and returns the keys that were made.
    ///
    /// A key without a source keeps what the store holds for it.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`], and [`RegistryError::Conflict`] where the id or a key id is
    /// taken by a content of the configuration file or by another content.
    pub fn put_content(&self, mut spec: ContentSpec) -> Result<Vec<GeneratedKey>, RegistryError> {
        let service = self.service()?;
        let invalid = |what: String| RegistryError::Invalid { what };
        if let Some(what) = spec.contradiction() {
            return Err(invalid(format!("content {:?}: {what}", spec.id)));
        }
        if let Some(unknown) = spec.named_tenants().find(|name| !service.has_tenant(name)) {
            return Err(invalid(format!(
                "content {:?}: there is no tenant {unknown:?}",
                spec.id
            )));
        }
        if service
            .configured()
            .iter()
            .any(|content| content.id == spec.id)
        {
            return Err(RegistryError::Conflict {
                what: format!("content {:?} is in the configuration file", spec.id),
            });
        }
        let mut generated = Vec::new();
        for key in &mut spec.keys {
            if service.is_configured(&key.kid) {
                return Err(RegistryError::Conflict {
                    what: format!("key {} is in the configuration file", key.kid),
                });
            }
            match &key.source {
                // A path from afar would let whoever holds the token read the server's files.
                KeySource::File(_) => {
                    return Err(invalid(format!(
                        "key {}: key_file is for the configuration file, expected key",
                        key.kid
                    )));
                }
                KeySource::Generate => {
                    let secret =
                        Secret::try_filled(|bytes| service.keys().crypto().rng().fill(bytes))
                            .map_err(|_| RegistryError::Failed {
                                what: "no random numbers".into(),
                            })?;
                    generated.push(GeneratedKey {
                        kid: key.kid.to_string(),
                        key: Zeroizing::new(hex::encode(secret.expose())),
                    });
                    key.source = KeySource::Given(secret);
                }
                KeySource::Given(_) | KeySource::Stored => {}
            }
        }
        service.store().change(|change| {
            for key in &spec.keys {
                let owner = change.key(&key.kid)?.map(|stored| stored.content);
                match (&key.source, owner) {
                    (_, Some(owner)) if owner != spec.id => {
                        return Err(RegistryError::Conflict {
                            what: format!("key {} belongs to content {owner:?}", key.kid),
                        });
                    }
                    (KeySource::Stored, None) => {
                        return Err(invalid(format!(
                            "key {}: expected key or generate = true",
                            key.kid
                        )));
                    }
                    _ => {}
                }
            }
            Ok(change.put_content(service.keys().store_key(), &spec)?)
        })?;
        Ok(generated)
    }

    /// Removes a content and its keys. Licences that were issued go on until they end.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`]; [`RegistryError::Conflict`] for one of the configuration file.
    pub fn remove_content(&self, id: &str) -> Result<(), RegistryError> {
        let service = self.service()?;
        if service.configured().iter().any(|content| content.id == id) {
            return Err(RegistryError::Conflict {
                what: format!("content {id:?} is in the configuration file"),
            });
        }
        if service.store().change(|change| change.remove_content(id))? {
            Ok(())
        } else {
            Err(RegistryError::Unknown {
                what: format!("content {id:?}"),
            })
        }
    }

    /// One content.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn content(&self, id: &str) -> Result<ContentView, RegistryError> {
        let service = self.service()?;
        if let Some(content) = service.configured().iter().find(|content| content.id == id) {
            return content_view("config", content);
        }
        match service.store().view()?.content(id)? {
            Some(content) => content_view("store", &content),
            None => Err(RegistryError::Unknown {
                what: format!("content {id:?}"),
            }),
        }
    }

    /// Every content: those of the configuration file first, then those of the store by id.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn contents(&self) -> Result<Vec<ContentView>, RegistryError> {
        let service = self.service()?;
        let stored = service.store().view()?.contents()?;
        let configured = service
            .configured()
            .iter()
            .map(|content| content_view("config", content));
        configured
            .chain(stored.iter().map(|content| content_view("store", content)))
            .collect()
    }

    /// Makes a one-use token with which any device enrols, at most at Low.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] tenant, [`RegistryError::Invalid`] duration.
    pub fn mint_enrolment(&self, token: &EnrolmentToken) -> Result<MintedToken, RegistryError> {
        let kind = TokenKind::Enrolment;
        self.mint(
            ENROLMENT_PREFIX,
            kind,
            &token.tenant,
            token.model.clone(),
            token.valid_seconds,
        )
    }

    /// Makes a token for the one device that has the key with this digest.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] tenant, [`RegistryError::Invalid`] duration or level.
    pub fn mint_factory(&self, token: &FactoryToken) -> Result<MintedToken, RegistryError> {
        if token.level < Level::Medium {
            return Err(RegistryError::Invalid {
                what: format!("level {:?}, expected medium or high", token.level.name()),
            });
        }
        let kind = TokenKind::Factory {
            key_digest: Text(token.key_digest),
            level: Name(token.level),
        };
        self.mint(
            FACTORY_PREFIX,
            kind,
            &token.tenant,
            token.model.clone(),
            token.valid_seconds,
        )
    }

    fn mint(
        &self,
        prefix: &str,
        kind: TokenKind,
        tenant: &str,
        model: Option<HardwareModel>,
        valid_seconds: u32,
    ) -> Result<MintedToken, RegistryError> {
        let service = self.service()?;
        if !service.has_tenant(tenant) {
            return Err(RegistryError::Unknown {
                what: format!("tenant {tenant:?}"),
            });
        }
        if !(1..=MAX_TOKEN_SECONDS).contains(&valid_seconds) {
            return Err(RegistryError::Invalid {
                what: format!("valid_seconds = {valid_seconds}, expected 1 to {MAX_TOKEN_SECONDS}"),
            });
        }
        let crypto = service.keys().crypto();
        let mut random = Zeroizing::new([0; TOKEN_BYTES]);
        crypto
            .rng()
            .fill(&mut *random)
            .map_err(|_| RegistryError::Failed {
                what: "no random numbers".into(),
            })?;
        let token = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(*random));
        let now = service.now();
        let expires = now.saturating_add(valid_seconds.into());
        let record = TokenRecord {
            kind,
            tenant: tenant.to_owned(),
            model: model.map(Text),
            expires: expires.0,
            used_by: None,
        };
        let digest = crypto.sha256(&[token.as_bytes()]);
        service.store().change(|change| -> Result<(), StoreError> {
            change.drop_ended_tokens(now)?;
            change.put_token(&digest, &record)
        })?;
        Ok(MintedToken { token, expires })
    }

    /// Every device that was certified here.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn devices(&self) -> Result<Vec<DeviceView>, RegistryError> {
        Ok(self.service()?.store().view()?.devices()?)
    }

    /// Revokes a device; returns the number of the revocation list that says so.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] device, [`RegistryError::Conflict`] where the list is full.
    pub fn revoke_device(&self, serial: &Serial) -> Result<u64, RegistryError> {
        match self.service()?.revoke(serial)? {
            Revocation::Done(number) => Ok(number),
            Revocation::Unknown => Err(RegistryError::Unknown {
                what: format!("device with serial {serial}"),
            }),
            Revocation::ListFull => Err(RegistryError::Conflict {
                what: "the revocation list is full".into(),
            }),
        }
    }

    /// At most `limit` entries of the log with a number above `after`, oldest first.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, RegistryError> {
        Ok(self.service()?.store().view()?.log(after, limit)?)
    }

    /// How often what happened since the store was made.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn totals(&self) -> Result<Totals, RegistryError> {
        Ok(self.service()?.store().view()?.totals()?)
    }

    /// The enrolment bundle: what a device's application needs to find, believe and enrol with
    /// this server, as the JSON of an enrolment file.
    ///
    /// # Errors
    /// [`RegistryError::Stopped`].
    pub fn bundle(&self, token: &MintedToken) -> Result<serde_json::Value, RegistryError> {
        let service = self.service()?;
        Ok(serde_json::json!({
            "anchor": service.keys().root().to_string(),
            "url": service.public_url(),
            "token": token.token,
            "factory": token.token.starts_with(FACTORY_PREFIX),
        }))
    }
}

fn content_view(source: &'static str, content: &ContentSpec) -> Result<ContentView, RegistryError> {
    let content = serde_json::to_value(content).map_err(|error| RegistryError::Failed {
        what: error.to_string(),
    })?;
    Ok(ContentView { source, content })
}

/// Writes a key out: the only place where one leaves the server in clear, at its making.
fn shown<S: serde::Serializer>(key: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key)
}
