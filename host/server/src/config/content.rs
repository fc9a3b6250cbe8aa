//! Contents: keys that are granted together, and who may have them.
//!
//! One form for the configuration file, the admin interface and the store.

use std::collections::HashSet;
use std::fmt;

use keybearer_license::{HardwareModel, MAX_KEYS};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::key::KeySpec;
use super::text::Text;
use super::timing::{RenewalSpec, TimingSpec};
use crate::names::words;

/// The tenant of everything that names no other.
pub const DEFAULT_TENANT: &str = "default";
/// Bytes in a content's or tenant's name.
const MAX_NAME: usize = 64;
/// Files of one video on demand.
const MAX_FILES: usize = 64;
/// What a content's or tenant's name may be.
pub(crate) const NAME_FORM: &str = "1 to 64 characters of a-z A-Z 0-9 . _ -";

/// What a content is. Contents of a kind are under usage rules: those of a profile, converted for
/// the device's rule family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    /// A live channel.
    Channel,
    /// Video on demand: one or more files.
    Vod,
}

words! {
    ContentKind, "kind of content": Channel = "channel", Vod = "vod";
}

/// A content: keys that are granted together under the same conditions.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContentSpec {
    /// Its name: 1 to 64 characters of `a-z A-Z 0-9 . _ -`.
    pub id: String,
    /// The tenant it belongs to. Only integration tenants serve debug devices.
    #[serde(default = "default_tenant")]
    pub tenant: String,
    /// Whether every certified device may have it.
    #[serde(default)]
    pub open: bool,
    /// Device models that may have it; empty: any, where tenants are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "models")]
    pub models: Vec<HardwareModel>,
    /// Tenants whose devices may have it; empty: any, where models are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<String>,
    /// How long its licences count.
    #[serde(default)]
    pub timing: TimingSpec,
    /// How its licences are renewed; absent: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalSpec>,
    /// What it is; absent: usage rules apply only where a token or the operator's service
    /// authorises a device for it, and each key's own policy always.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "kind_word")]
    pub kind: Option<ContentKind>,
    /// The usage-rules profile of every track that has none of its own; absent: the default
    /// profile. A profile that is not there is no error here: its licences are refused.
    #[serde(
        default,
        alias = "usageRulesProfileId",
        skip_serializing_if = "Option::is_none"
    )]
    pub usage_rules_profile_id: Option<String>,
    /// Explicit usage rules have no place in a definition: this only refuses them by name.
    #[serde(
        default,
        rename = "usage_rules",
        alias = "usageRules",
        skip_serializing,
        deserialize_with = "no_explicit_rules"
    )]
    pub explicit_rules: NoExplicitRules,
    /// Ids of the files of a video on demand; a token may name one in place of the content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_ids: Vec<String>,
    /// The DRM group that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drm_group: Option<String>,
    /// Its keys, one a track type and quality.
    #[serde(alias = "key", deserialize_with = "key_list")]
    pub keys: Vec<KeySpec>,
}

/// That a definition carries no explicit usage rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoExplicitRules;

/// Refuses explicit usage rules in a definition (UR-06), whatever they say.
pub(super) fn no_explicit_rules<'de, D: Deserializer<'de>>(
    _: D,
) -> Result<NoExplicitRules, D::Error> {
    Err(de::Error::custom(
        "UR-06: explicit usage rules found in the definition of a content, expected \
         usage_rules_profile_id",
    ))
}

/// A kind of content by its word.
mod kind_word {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ContentKind;
    use crate::names::Name;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(
        kind: &Option<ContentKind>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        kind.map(Name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ContentKind>, D::Error> {
        let kind = Option::<Name<ContentKind>>::deserialize(deserializer)?;
        Ok(kind.map(|kind| kind.0))
    }
}

/// Reads the list of keys. A text in its place may be a key, so no error repeats it.
fn key_list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<KeySpec>, D::Error> {
    struct List;

    impl<'de> Visitor<'de> for List {
        type Value = Vec<KeySpec>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of keys, each with its kid")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
            let mut keys = Vec::new();
            while let Some(key) = from.next_element()? {
                keys.push(key);
            }
            Ok(keys)
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::invalid_type(de::Unexpected::Other("a text"), &self))
        }
    }

    // Asked for a sequence, a parser would refuse a text itself and quote it.
    from.deserialize_any(List)
}

fn default_tenant() -> String {
    DEFAULT_TENANT.to_owned()
}

impl ContentSpec {
    /// An open content of the default tenant, without time limits or renewal.
    #[must_use]
    pub fn open(id: &str, keys: Vec<KeySpec>) -> Self {
        Self {
            id: id.to_owned(),
            tenant: default_tenant(),
            open: true,
            models: Vec::new(),
            tenants: Vec::new(),
            timing: TimingSpec::default(),
            renewal: None,
            kind: None,
            usage_rules_profile_id: None,
            explicit_rules: NoExplicitRules,
            file_ids: Vec::new(),
            drm_group: None,
            keys,
        }
    }

    /// Every tenant that it names.
    pub(crate) fn named_tenants(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.tenant)
            .chain(&self.tenants)
            .map(String::as_str)
    }

    /// What contradicts itself in this content, if anything does.
    pub(crate) fn contradiction(&self) -> Option<String> {
        if !is_name(&self.id) {
            return Some(format!("its id must be {NAME_FORM}"));
        }
        if self.open && !(self.models.is_empty() && self.tenants.is_empty()) {
            return Some("open = true together with models or tenants: open lets all in".into());
        }
        if self.keys.is_empty() {
            return Some("it has no key".into());
        }
        if self.keys.len() > MAX_KEYS {
            return Some(format!(
                "more than {MAX_KEYS} keys do not fit into a licence"
            ));
        }
        if let Some(what) = self.misnamed() {
            return Some(what);
        }
        let mut kids = HashSet::new();
        if let Some(key) = self.keys.iter().find(|key| !kids.insert(key.kid)) {
            return Some(format!("key {}: its kid is used twice", key.kid));
        }
        self.timing.contradiction().map(str::to_owned).or_else(|| {
            self.keys.iter().find_map(|key| {
                key.contradiction()
                    .map(|what| format!("key {}: {what}", key.kid))
            })
        })
    }
}

impl ContentSpec {
    /// What is wrong with the names of profile, files and group, if anything is.
    fn misnamed(&self) -> Option<String> {
        let profiles = self
            .keys
            .iter()
            .map(|key| &key.usage_rules_profile_id)
            .chain([&self.usage_rules_profile_id]);
        if let Some(name) = profiles.flatten().find(|name| !is_name(name)) {
            return Some(format!(
                "usage_rules_profile_id = {name:?}: a profile's id is {NAME_FORM}"
            ));
        }
        if let Some(group) = self.drm_group.as_ref().filter(|group| !is_name(group)) {
            return Some(format!(
                "drm_group = {group:?}: a group's id is {NAME_FORM}"
            ));
        }
        if !self.file_ids.is_empty() && self.kind != Some(ContentKind::Vod) {
            return Some("file_ids without kind = \"vod\": only video on demand has files".into());
        }
        if self.file_ids.len() > MAX_FILES {
            return Some(format!("more than {MAX_FILES} file_ids"));
        }
        let mut files = HashSet::new();
        self.file_ids.iter().find_map(|file| {
            if !is_name(file) {
                Some(format!("file id {file:?}: a file's id is {NAME_FORM}"))
            } else if file == &self.id || !files.insert(file) {
                Some(format!("file id {file:?} is used twice"))
            } else {
                None
            }
        })
    }

    /// Whether a name in an authorisation means this content: its id, or one of its files.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.id == name || self.file_ids.iter().any(|file| file == name)
    }
}

/// Whether `name` can stand in an address and a log line as it is.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Lists of device models as lists of text.
pub(crate) mod models {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, HardwareModel, Serialize, Text};

    pub(crate) fn serialize<S: Serializer>(
        models: &[HardwareModel],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        models
            .iter()
            .map(HardwareModel::as_str)
            .collect::<Vec<_>>()
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<HardwareModel>, D::Error> {
        let models = Vec::<Text<HardwareModel>>::deserialize(deserializer)?;
        Ok(models.into_iter().map(|model| model.0).collect())
    }
}

#[cfg(test)]
mod tests;
