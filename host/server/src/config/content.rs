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

/// The tenant of everything that names no other.
pub const DEFAULT_TENANT: &str = "default";
/// Bytes in a content's or tenant's name.
const MAX_NAME: usize = 64;
/// What a content's or tenant's name may be.
pub(crate) const NAME_FORM: &str = "1 to 64 characters of a-z A-Z 0-9 . _ -";

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
    /// Its keys, one a track type and quality.
    #[serde(alias = "key", deserialize_with = "key_list")]
    pub keys: Vec<KeySpec>,
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
