//! What an operator defines about usage rules, as files, the store and the admin interface have it.

use std::collections::{BTreeMap, BTreeSet};

use keybearer_license::CounterStrength;
use keybearer_rules::{Drm, Level};
use serde::{Deserialize, Serialize};

use super::values::RuleValues;
use crate::names::{Name, words};

/// A profile: for each rule family that it speaks of, the values that differ from those it starts
/// from. A built-in profile starts from its own columns. An added one starts from the default
/// columns, and only of the families that it names: devices of others get no licence (UR-29).
pub type ProfileForm = BTreeMap<String, RuleValues>;

/// Values for one device model: by profile, rule family and model (UR-11).
pub type Overrides = BTreeMap<String, BTreeMap<String, BTreeMap<String, RuleValues>>>;

/// Device models of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceGroup {
    /// The rule family of its models.
    #[serde(with = "by_name")]
    pub family: Drm,
}

/// A device model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceModel {
    /// The group it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its rule family, in place of that of its group; with neither it is the generic one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "by_name_if_any"
    )]
    pub family: Option<Drm>,
    /// The counter that stored licences need: `none`, `software` or `hardware`.
    #[serde(default = "no_counter", with = "counter")]
    pub counter: CounterStrength,
}

/// Whether licences may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenseType {
    /// They end with their session.
    NonPersistent,
    /// They may be stored until they end.
    Persistent,
}

words! {
    LicenseType, "licence type":
        NonPersistent = "non-persistent", Persistent = "persistent";
    CounterStrength, "counter":
        None = "none", Software = "software", Hardware = "hardware";
}

/// A DRM group: contents that are protected alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DrmGroup {
    /// The lowest level of its contents' keys: `low`, `medium` or `high`.
    #[serde(with = "level")]
    pub level: Level,
    /// `non-persistent` unless stated otherwise.
    #[serde(default = "non_persistent", with = "license_type")]
    pub license_type: LicenseType,
}

fn no_counter() -> CounterStrength {
    CounterStrength::None
}

fn non_persistent() -> LicenseType {
    LicenseType::NonPersistent
}

/// Everything about usage rules that an operator defines.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Definitions {
    /// Profiles that were added, and built-in ones that were changed, by id.
    pub profiles: BTreeMap<String, ProfileForm>,
    /// By id.
    pub device_groups: BTreeMap<String, DeviceGroup>,
    /// By the model's name.
    pub device_models: BTreeMap<String, DeviceModel>,
    /// Values for single device models.
    pub overrides: Overrides,
    /// System ids of Widevine devices that are not asked about HDCP (UR-13).
    pub hdcp_skip_list: BTreeSet<u32>,
    /// By id.
    pub drm_groups: BTreeMap<String, DrmGroup>,
}

impl Definitions {
    /// These and those of `others`, which must be about other things: which of two counted would be
    /// a guess. Of the system ids that are not asked about HDCP, both lists count.
    ///
    /// # Errors
    /// What both speak of.
    pub(crate) fn joined(&self, others: &Self) -> Result<Self, String> {
        let mut all = self.clone();
        add("profile", &mut all.profiles, &others.profiles)?;
        add(
            "device group",
            &mut all.device_groups,
            &others.device_groups,
        )?;
        add(
            "device model",
            &mut all.device_models,
            &others.device_models,
        )?;
        add("DRM group", &mut all.drm_groups, &others.drm_groups)?;
        for (profile, by_family) in &others.overrides {
            let of_profile = all.overrides.entry(profile.clone()).or_default();
            for (family, by_model) in by_family {
                let of_family = of_profile.entry(family.clone()).or_default();
                let what = format!("override of {profile}/{family} for");
                add(&what, of_family, by_model)?;
            }
        }
        all.hdcp_skip_list.extend(&others.hdcp_skip_list);
        Ok(all)
    }
}

/// Adds entries that are not there yet.
fn add<V: Clone>(
    what: &str,
    to: &mut BTreeMap<String, V>,
    from: &BTreeMap<String, V>,
) -> Result<(), String> {
    for (id, entry) in from {
        if to.insert(id.clone(), entry.clone()).is_some() {
            return Err(format!("{what} {id:?}"));
        }
    }
    Ok(())
}

/// Values by their words.
macro_rules! worded {
    ($($module:ident: $type:ty;)+) => {$(
        mod $module {
            use super::{Deserialize, Name, Serialize};

            #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
            pub(super) fn serialize<S: serde::Serializer>(
                value: &$type,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                Name(*value).serialize(serializer)
            }

            pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$type, D::Error> {
                Name::<$type>::deserialize(deserializer).map(|name| name.0)
            }
        }
    )+};
}

worded! {
    by_name: super::Drm;
    counter: super::CounterStrength;
    level: super::Level;
    license_type: super::LicenseType;
}

/// A rule family by its name, or none.
mod by_name_if_any {
    use super::{Deserialize, Drm, Name, Serialize};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: serde::Serializer>(
        drm: &Option<Drm>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        drm.map(Name).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Drm>, D::Error> {
        let name = Option::<Name<Drm>>::deserialize(deserializer)?;
        Ok(name.map(|name| name.0))
    }
}
