//! The operator's interface in process; the HTTP admin side calls nothing else.

mod token;
mod usage;

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use keybearer_crypto::{Rng, Secret};
use keybearer_license::Serial;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::{ContentSpec, KeySource};
use crate::service::{Fault, Revocation, Service};
use crate::store::{DeviceView, LogEntry, StoreError, Totals};
use crate::usage::Unsound;

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
    /// Definitions of usage rules are not sound.
    #[error("{0}")]
    Unsound(Unsound),
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

impl From<Unsound> for RegistryError {
    fn from(unsound: Unsound) -> Self {
        Self::Unsound(unsound)
    }
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

pub use token::{EnrolmentToken, FactoryToken, MintedToken};
pub use usage::{FamilyView, ProfileView, RuleView};

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

    /// Writes a new content, and returns the keys that were made.
    ///
    /// # Errors
    /// Those of [`Self::put_content`], and [`RegistryError::Conflict`] where there is a content
    /// with this id. Of several that come at once, one is the first.
    pub fn create_content(&self, spec: ContentSpec) -> Result<Vec<GeneratedKey>, RegistryError> {
        self.write_content(spec, true)
    }

    /// Writes a content in place of one with the same id, and returns the keys that were made.
    ///
    /// A key without a source keeps what the store holds for it. One that is to be made is
    /// refused where there is one already: who asks again after an answer was lost would replace
    /// the key that content may have been packaged with. A key that is given replaces it.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`], and [`RegistryError::Conflict`] where the id or a key id is
    /// taken by a content of the configuration file or by another content, or a key that is to be
    /// made is there.
    pub fn put_content(&self, spec: ContentSpec) -> Result<Vec<GeneratedKey>, RegistryError> {
        self.write_content(spec, false)
    }

    fn write_content(
        &self,
        mut spec: ContentSpec,
        only_new: bool,
    ) -> Result<Vec<GeneratedKey>, RegistryError> {
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
                what: format!(
                    "content {:?} is there already, in the configuration file",
                    spec.id
                ),
            });
        }
        if let Some(group) = &spec.drm_group
            && service.book().drm_group(group).is_none()
        {
            return Err(invalid(format!(
                "content {:?}: there is no DRM group {group:?}",
                spec.id
            )));
        }
        let mut generated = Vec::new();
        let mut made = HashSet::new();
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
                    made.insert(key.kid);
                }
                KeySource::Given(_) | KeySource::Stored => {}
            }
        }
        // Checked in the change that writes: between two of them others may write as well.
        service.store().change(|change| {
            if only_new && change.content(&spec.id)?.is_some() {
                return Err(RegistryError::Conflict {
                    what: format!("content {:?} is there already", spec.id),
                });
            }
            for key in &spec.keys {
                let owner = change.key(&key.kid)?.map(|stored| stored.content);
                match (&key.source, owner) {
                    (_, Some(owner)) if owner != spec.id => {
                        return Err(RegistryError::Conflict {
                            what: format!("key {} belongs to content {owner:?}", key.kid),
                        });
                    }
                    (_, Some(_)) if made.contains(&key.kid) => {
                        return Err(RegistryError::Conflict {
                            what: format!(
                                "key id {} has a key already, shown when it was made: \
                                 leave generate out to keep it, or give a key to replace it",
                                key.kid
                            ),
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

    /// Every device that was certified here.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn devices(&self) -> Result<Vec<DeviceView>, RegistryError> {
        let service = self.service()?;
        let book = service.book();
        let devices = service.store().view()?.devices()?.into_iter();
        Ok(devices
            .map(|device| {
                let family = book.family(&device.model.0);
                device.view(family)
            })
            .collect())
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

    /// Suspends a device, or ends that: it is revoked as long as the operator wants. Unlike one
    /// that is revoked for good, it is in no revocation list, and a usage-rules profile may let it
    /// pass (UR-19).
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] device.
    pub fn suspend_device(&self, serial: &Serial, suspended: bool) -> Result<(), RegistryError> {
        let service = self.service()?;
        let since = suspended.then(|| service.now());
        let known = service
            .store()
            .change(|change| change.suspend(serial, since))?;
        if known {
            Ok(())
        } else {
            Err(RegistryError::Unknown {
                what: format!("device with serial {serial}"),
            })
        }
    }

    /// At most `limit` entries of the log with a number above `after`, oldest first.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, RegistryError> {
        Ok(self.service()?.store().view()?.log(after, limit)?)
    }

    /// At most `limit` entries of the log with a number below `before`, newest first.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn newest(&self, before: u64, limit: usize) -> Result<Vec<LogEntry>, RegistryError> {
        Ok(self.service()?.store().view()?.newest(before, limit)?)
    }

    /// How often what happened since the store was made.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn totals(&self) -> Result<Totals, RegistryError> {
        Ok(self.service()?.store().view()?.totals()?)
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
