//! What the operator has defined, checked as a whole: it is taken over whole or not at all.

use std::collections::{BTreeMap, HashMap};

use keybearer_license::{CounterStrength, HardwareModel};
use keybearer_rules::{Column, Drm, Level, Profile, Rules};

use super::definitions::{Definitions, DrmGroup, LicenseType, ProfileForm};
use super::findings::{Unsound, Warning};
use super::values::{BadValue, amended, drm};
use crate::config::{NAME_FORM, is_name};

/// Most entries of each kind: what is written is one record, read and checked as a whole.
const MAX_ENTRIES: usize = 4096;
/// Most device models that one warning names: there may be as many warnings as there are groups.
const MAX_NAMED: usize = 16;

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
    /// Everything that is wrong: where, what was found and what is expected.
    pub(crate) fn new(definitions: Definitions) -> Result<Self, Unsound> {
        let mut unsound = Unsound::default();
        check_sizes(&definitions, &mut unsound);
        check_names(&definitions, &mut unsound);
        let mut profiles: BTreeMap<String, Profile> = Column::ALL
            .iter()
            .map(|column| (column.name().to_owned(), Profile::built_in(*column)))
            .collect();
        let mut warnings = Vec::new();
        for (id, form) in &definitions.profiles {
            let profile = profile(id, form, &mut unsound);
            profiles.insert(id.clone(), profile);
        }
        for (id, profile) in &profiles {
            let within = format!("profile {id:?}: ");
            for rules in Drm::ALL.iter().filter_map(|drm| profile.rules(*drm)) {
                let about = format!("profiles/{id}/{}", rules.drm());
                warnings.extend(sound(&rules, &about, &within, &mut unsound));
            }
        }
        let mut overridden = HashMap::new();
        for (id, by_family) in &definitions.overrides {
            for (family, by_model) in by_family {
                for (model, values) in by_model {
                    let about = format!("overrides/{id}/{family}/{model}");
                    let within = format!("override {id}/{family}/{model}: ");
                    let found = overridable(&profiles, id, family, model);
                    match found.map(|rules| amended(rules, values)) {
                        Ok(Ok(rules)) => {
                            warnings.extend(sound(&rules, &about, &within, &mut unsound));
                            overridden.insert((id.clone(), rules.drm(), model.clone()), rules);
                        }
                        Ok(Err(bad)) => bad_values(&bad, &about, &within, &mut unsound),
                        Err(what) => unsound.note(about, within + &what),
                    }
                }
            }
        }
        unsound.found()?;
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

/// A profile from what its form changes, as far as that is sound.
fn profile(id: &str, form: &ProfileForm, unsound: &mut Unsound) -> Profile {
    let built_in = Column::from_name(id);
    let mut profile = built_in.map_or(Profile::default(), Profile::built_in);
    let within = format!("profile {id:?}: ");
    for (family, values) in form {
        let about = format!("profiles/{id}/{family}");
        match drm(family) {
            Ok(family) => {
                let start = Rules::column(family, built_in.unwrap_or(Column::Default));
                let rules = amended(start, values).unwrap_or_else(|bad| {
                    bad_values(&bad, &about, &within, unsound);
                    start
                });
                profile.set(rules);
            }
            Err(what) => unsound.note(about, within.clone() + &what),
        }
    }
    profile
}

/// The rules that an override changes.
fn overridable(
    profiles: &BTreeMap<String, Profile>,
    id: &str,
    family: &str,
    model: &str,
) -> Result<Rules, String> {
    let family = drm(family)?;
    check_model(model)?;
    let Some(profile) = profiles.get(id) else {
        return Err(format!("there is no profile {id:?} (UR-01)"));
    };
    profile
        .rules(family)
        .ok_or_else(|| format!("the profile says nothing of {family} (UR-29)"))
}

fn bad_values(bad: &[BadValue], about: &str, within: &str, unsound: &mut Unsound) {
    for value in bad {
        unsound.note(
            format!("{about}/{}", value.rule),
            format!("{within}{}", value.what),
        );
    }
}

/// Refuses rules that contradict each other (UR-24), and passes on what is merely without effect
/// (UR-26).
fn sound(rules: &Rules, about: &str, within: &str, unsound: &mut Unsound) -> Option<Warning> {
    if let Err(broken) = rules.check() {
        unsound.note(
            format!("{about}/{}", broken.field),
            format!("{within}{broken}"),
        );
    }
    rules.warning().map(|broken| Warning {
        about: format!("{about}/{}", broken.field),
        rule: Some(broken.rule.name()),
        what: format!("{broken}: the rule has no effect"),
    })
}

fn check_sizes(definitions: &Definitions, unsound: &mut Unsound) {
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
            unsound.note(
                what.replace('_', "-"),
                format!("{what}: {found} entries, expected at most {MAX_ENTRIES}"),
            );
        }
    }
}

fn check_names(definitions: &Definitions, unsound: &mut Unsound) {
    let ids = [
        ("profile", definitions.profiles.keys().collect::<Vec<_>>()),
        ("device group", definitions.device_groups.keys().collect()),
        ("DRM group", definitions.drm_groups.keys().collect()),
    ];
    for (what, ids) in ids {
        for id in ids.into_iter().filter(|id| !is_name(id)) {
            let folder = what.to_lowercase().replace(' ', "-");
            unsound.note(
                format!("{folder}s/{id}"),
                format!("{what} {id:?}: its id must be {NAME_FORM}"),
            );
        }
    }
    for (name, model) in &definitions.device_models {
        let about = format!("device-models/{name}");
        if let Err(what) = check_model(name) {
            unsound.note(about.as_str(), what);
        }
        if let Some(group) = &model.group
            && !definitions.device_groups.contains_key(group)
        {
            unsound.note(
                about,
                format!("device model {name:?}: there is no device group {group:?}"),
            );
        }
    }
    for (id, group) in &definitions.drm_groups {
        if group.level == Level::None {
            unsound.note(
                format!("drm-groups/{id}"),
                format!("DRM group {id:?}: level = \"none\", expected low, medium or high"),
            );
        }
    }
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
