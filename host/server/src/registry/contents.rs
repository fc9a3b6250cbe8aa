//! Contents and their keys as the operator defines them.

use std::collections::{BTreeMap, HashSet};

use keybearer_crypto::{Rng, Secret};
use keybearer_license::KeyId;
use serde::Serialize;
use zeroize::Zeroizing;

use super::usage::{named, unknown};
use super::{Registry, RegistryError, Revision};
use crate::config::text::TextForm;
use crate::config::{ContentSpec, KeySource};
use crate::store::{LogEntry, LogEvent, StoreError, StoredKey};

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

impl Registry {
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
            if service.configured_with(&key.kid).is_some() {
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
            let stored = change.content(&spec.id)?;
            self.only.check(&named("content", &spec.id), || {
                let stored = stored.as_ref();
                stored
                    .map(|stored| revision(stored, |kid| change.key(kid)))
                    .transpose()
            })?;
            if only_new && stored.is_some() {
                return Err(RegistryError::Conflict {
                    what: format!("{} is there already", named("content", &spec.id)),
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
        service.store().change(|change| {
            let Some(stored) = change.content(id)? else {
                return Err(unknown("content", id));
            };
            self.only.check(&named("content", id), || {
                revision(&stored, |kid| change.key(kid)).map(Some)
            })?;
            change.remove_content(id)?;
            Ok(())
        })
    }

    /// One content, and the revision it is read in. The keys count in that as well.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn content(&self, id: &str) -> Result<(ContentView, Revision), RegistryError> {
        let service = self.service()?;
        if let Some(content) = service.configured().iter().find(|content| content.id == id) {
            let content = content_view("config", content)?;
            let revision = Revision::of(&content)?;
            return Ok((content, revision));
        }
        let view = service.store().view()?;
        let Some(stored) = view.content(id)? else {
            return Err(unknown("content", id));
        };
        let revision = revision(&stored, |kid| view.key(kid))?;
        Ok((content_view("store", &stored)?, revision))
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

    /// The contents of the keys that entries of the log say were refused, by key id. Of a key that no
    /// content has now there is none.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn contents_of(
        &self,
        entries: &[LogEntry],
    ) -> Result<BTreeMap<String, String>, RegistryError> {
        let service = self.service()?;
        let view = service.store().view()?;
        let mut contents = BTreeMap::new();
        for entry in entries {
            let LogEvent::Denial { key: Some(key), .. } = &entry.event else {
                continue;
            };
            let Some(kid) = <KeyId as TextForm>::parse(key) else {
                continue;
            };
            let content = match service.configured_with(&kid) {
                Some(content) => Some(content.id.clone()),
                None => view.key(&kid)?.map(|stored| stored.content),
            };
            contents.extend(content.map(|content| (key.clone(), content)));
        }
        Ok(contents)
    }
}

/// The revision of a content of the store. Its keys are in no listing, and two operators who each
/// replace one must not overlook one another: so they count as they lie sealed, which each writing
/// does anew.
fn revision(
    content: &ContentSpec,
    key: impl Fn(&KeyId) -> Result<Option<StoredKey>, StoreError>,
) -> Result<Revision, RegistryError> {
    let keys = content.keys.iter().map(|spec| key(&spec.kid));
    let keys: Vec<StoredKey> = keys
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let sealed: Vec<&[u8]> = keys.iter().map(StoredKey::sealed).collect();
    Revision::with(&content_view("store", content)?, &sealed)
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
