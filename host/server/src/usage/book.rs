//! What the operator has defined, checked as a whole: it is taken over whole or not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keybearer_license::{CounterStrength, HardwareModel};
use keybearer_rules::{Column, Drm, Level, Profile, Rules};
use serde::{Deserialize, Serialize};

use super::values::{RuleValues, amended, drm};
use crate::config::{NAME_FORM, is_name};
use crate::names::{Name, words};

/// Most entries of each kind: what is written is one record, read and checked as a whole.
const MAX_ENTRIES: usize = 4096;
/// Most device models that one warning names: there may be as many warnings as there are groups.
const MAX_NAMED: usize = 16;

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

/// Something that was taken over and will most likely not do what was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What it is about: `profiles/HD/PlayReady`, `drm-groups/sport`.
    pub about: String,
    /// The rule that says so, where one does: `UR-26`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// What is to be expected.
    pub what: String,
}

/// The operator's definitions, checked and ready to be asked.
pub(crate) struct RuleBook {
    definitions: Definitions,
    profiles: BTreeMap<String, Profile>,
    overridden: HashMap<(String, Drm, String), Rules>,
    warnings: Vec<Warning>,
}

impl RuleBook {
    /// Checks definitions as a whole.
    ///
    /// # Errors
    /// The first thing that is wrong: where, what was found and what is expected.
    pub(crate) fn new(definitions: Definitions) -> Result<Self, String> {
        check_sizes(&definitions)?;
        check_names(&definitions)?;
        let mut profiles: BTreeMap<String, Profile> = Column::ALL
            .iter()
            .map(|column| (column.name().to_owned(), Profile::built_in(*column)))
            .collect();
        let mut warnings = Vec::new();
        for (id, form) in &definitions.profiles {
            let profile = profile(id, form).map_err(|what| format!("profile {id:?}: {what}"))?;
            profiles.insert(id.clone(), profile);
        }
        for (id, profile) in &profiles {
            for rules in Drm::ALL.iter().filter_map(|drm| profile.rules(*drm)) {
                let about = || format!("profiles/{id}/{}", rules.drm());
                let warned = sound(&rules, about).map_err(|what| format!("profile {id:?}: {what}"));
                warnings.extend(warned?);
            }
        }
        let mut overridden = HashMap::new();
        for (id, by_family) in &definitions.overrides {
            for (family, by_model) in by_family {
                for (model, values) in by_model {
                    let of = |what: String| format!("override {id}/{family}/{model}: {what}");
                    let family = drm(family).map_err(of)?;
                    check_model(model).map_err(of)?;
                    let Some(profile) = profiles.get(id) else {
                        return Err(of(format!("there is no profile {id:?} (UR-01)")));
                    };
                    let Some(rules) = profile.rules(family) else {
                        return Err(of(format!("the profile says nothing of {family} (UR-29)")));
                    };
                    let rules = amended(rules, values).map_err(of)?;
                    let about = || format!("overrides/{id}/{family}/{model}");
                    warnings.extend(sound(&rules, about).map_err(of)?);
                    overridden.insert((id.clone(), family, model.clone()), rules);
                }
            }
        }
        warnings.extend(counter_warnings(&definitions));
        Ok(Self {
            definitions,
            profiles,
            overridden,
            warnings,
        })
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// What was taken over and will most likely not do what was meant.
    pub(crate) fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Every profile by its id, with the operator's values in place.
    pub(crate) fn profiles(&self) -> &BTreeMap<String, Profile> {
        &self.profiles
    }

    /// The rule family of a device model: its own, else its group's, else the generic one.
    pub(crate) fn family(&self, model: &HardwareModel) -> Drm {
        let known = self.definitions.device_models.get(model.as_str());
        known
            .and_then(|model| {
                let group = || self.definitions.device_groups.get(model.group.as_ref()?);
                model.family.or_else(|| Some(group()?.family))
            })
            .unwrap_or(Drm::Generic)
    }

    /// The rules of a profile for a device model of a family, with what was set for that model in
    /// place; none where the profile is not there or says nothing of the family.
    pub(crate) fn rules(&self, profile: &str, family: Drm, model: &HardwareModel) -> Option<Rules> {
        let key = (profile.to_owned(), family, model.as_str().to_owned());
        let own = self.overridden.get(&key).copied();
        own.or_else(|| self.profiles.get(profile)?.rules(family))
    }

    /// Whether a Widevine device with this system id is not asked about HDCP (UR-13).
    pub(crate) fn skips_hdcp(&self, system_id: Option<u32>) -> bool {
        system_id.is_some_and(|id| self.definitions.hdcp_skip_list.contains(&id))
    }

    /// A DRM group.
    pub(crate) fn drm_group(&self, id: &str) -> Option<&DrmGroup> {
        self.definitions.drm_groups.get(id)
    }
}

/// A profile from what its form changes.
fn profile(id: &str, form: &ProfileForm) -> Result<Profile, String> {
    let built_in = Column::from_name(id);
    let mut profile = built_in.map_or(Profile::default(), Profile::built_in);
    for (family, values) in form {
        let family = drm(family)?;
        let start = Rules::column(family, built_in.unwrap_or(Column::Default));
        profile.set(amended(start, values)?);
    }
    Ok(profile)
}

/// Refuses rules that contradict each other (UR-24), and passes on what is merely without effect
/// (UR-26).
fn sound(rules: &Rules, about: impl FnOnce() -> String) -> Result<Option<Warning>, String> {
    rules.check().map_err(|broken| broken.to_string())?;
    Ok(rules.warning().map(|broken| Warning {
        about: about(),
        rule: Some(broken.rule.name()),
        what: format!("{broken}: the rule has no effect"),
    }))
}

fn check_sizes(definitions: &Definitions) -> Result<(), String> {
    let overrides = definitions.overrides.values().flat_map(BTreeMap::values);
    for (what, found) in [
        ("profiles", definitions.profiles.len()),
        ("device_groups", definitions.device_groups.len()),
        ("device_models", definitions.device_models.len()),
        ("overrides", overrides.map(BTreeMap::len).sum()),
        ("hdcp_skip_list", definitions.hdcp_skip_list.len()),
        ("drm_groups", definitions.drm_groups.len()),
    ] {
        if found > MAX_ENTRIES {
            return Err(format!(
                "{what}: {found} entries, expected at most {MAX_ENTRIES}"
            ));
        }
    }
    Ok(())
}

fn check_names(definitions: &Definitions) -> Result<(), String> {
    let ids = [
        ("profile", definitions.profiles.keys().collect::<Vec<_>>()),
        ("device group", definitions.device_groups.keys().collect()),
        ("DRM group", definitions.drm_groups.keys().collect()),
    ];
    for (what, ids) in ids {
        if let Some(id) = ids.into_iter().find(|id| !is_name(id)) {
            return Err(format!("{what} {id:?}: its id must be {NAME_FORM}"));
        }
    }
    for (name, model) in &definitions.device_models {
        check_model(name)?;
        if let Some(group) = &model.group
            && !definitions.device_groups.contains_key(group)
        {
            return Err(format!(
                "device model {name:?}: there is no device group {group:?}"
            ));
        }
    }
    for (id, group) in &definitions.drm_groups {
        if group.level == Level::None {
            return Err(format!(
                "DRM group {id:?}: level = \"none\", expected low, medium or high"
            ));
        }
    }
    Ok(())
}

fn check_model(name: &str) -> Result<(), String> {
    HardwareModel::new(name)
        .map(drop)
        .map_err(|_| format!("device model {name:?}: expected 1 to 32 printable ASCII characters"))
}

/// Persistent licences on models that cannot keep them.
fn counter_warnings(definitions: &Definitions) -> Vec<Warning> {
    let without: Vec<&str> = definitions
        .device_models
        .iter()
        .filter(|(_, model)| model.counter == CounterStrength::None)
        .map(|(name, _)| name.as_str())
        .collect();
    if without.is_empty() {
        return Vec::new();
    }
    let mut named = without[..without.len().min(MAX_NAMED)].join(", ");
    if without.len() > MAX_NAMED {
        named += &format!(" and {} more", without.len() - MAX_NAMED);
    }
    let persistent = definitions
        .drm_groups
        .iter()
        .filter(|(_, group)| group.license_type == LicenseType::Persistent);
    persistent
        .map(|(id, _)| Warning {
            about: format!("drm-groups/{id}"),
            rule: None,
            what: format!(
                "persistent licences need a counter, which these device models have not: {named}"
            ),
        })
        .collect()
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
