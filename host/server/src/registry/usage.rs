//! Usage rules as the operator defines them.
//!
//! Every change is checked with all the others before it is written: it is taken over whole or not
//! at all, and what was taken over although it will most likely not do what was meant is said.

use std::collections::BTreeMap;

use keybearer_license::HardwareModel;
use keybearer_rules::{Column, Drm, Profile, Rules};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Registry, RegistryError};
use crate::service::Service;
use crate::usage::{
    Definitions, DeviceGroup, DeviceModel, DrmGroup, Overrides, ProfileForm, RuleBook, RuleValues,
    Warning, listed,
};

/// A profile as it is listed: every rule of every family that it speaks of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProfileView {
    /// Its id.
    pub id: String,
    /// Whether the server comes with it.
    pub built_in: bool,
    /// Whether it was added, or changed from what the server comes with.
    pub changed: bool,
    /// Whether that stands in the configuration file, where alone it can be changed then.
    pub configured: bool,
    /// The operator's own values, by rule family and rule.
    pub own: ProfileForm,
    /// Every value that counts, by rule family and rule.
    pub rules: Map<String, Value>,
}

impl ProfileView {
    fn of(id: &str, profile: &Profile, own: Option<&ProfileForm>, configured: bool) -> Self {
        let families = Drm::ALL.iter().filter_map(|drm| profile.rules(*drm));
        Self {
            id: id.to_owned(),
            built_in: Column::from_name(id).is_some(),
            changed: own.is_some(),
            configured,
            own: own.cloned().unwrap_or_default(),
            rules: families
                .map(|rules| (rules.drm().name().to_owned(), Value::Object(listed(&rules))))
                .collect(),
        }
    }
}

/// A rule family with its rules, in the order of its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FamilyView {
    /// Its name.
    pub family: &'static str,
    /// Its rules.
    pub rules: Vec<RuleView>,
}

/// A rule and what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RuleView {
    /// Its name in the table.
    pub rule: &'static str,
    /// The values that it takes, in words.
    pub expected: &'static str,
}

fn unknown(what: &str, id: &str) -> RegistryError {
    RegistryError::Unknown {
        what: format!("{what} {id:?}"),
    }
}

/// Removes an entry, if it is the store's.
fn remove<T>(
    what: &str,
    stored: &mut BTreeMap<String, T>,
    configured: &BTreeMap<String, T>,
    id: &str,
) -> Result<(), RegistryError> {
    match stored.remove(id) {
        Some(_) => Ok(()),
        None if configured.contains_key(id) => Err(in_file(&format!("{what} {id:?}"))),
        None => Err(unknown(what, id)),
    }
}

fn in_file(what: &str) -> RegistryError {
    RegistryError::Conflict {
        what: format!("{what} is in the configuration file, and can be changed there alone"),
    }
}

impl Registry {
    /// Every rule family with its rules, and what each may be.
    #[must_use]
    pub fn rule_families() -> Vec<FamilyView> {
        let rules = |drm: Drm| {
            let views = Rules::names(drm).iter().filter_map(move |rule| {
                let expected = Rules::expected(drm, rule)?;
                Some(RuleView { rule, expected })
            });
            views.collect()
        };
        let families = Drm::ALL.iter().map(|drm| FamilyView {
            family: drm.name(),
            rules: rules(*drm),
        });
        families.collect()
    }

    /// Everything about usage rules that was defined, in the configuration file and here.
    ///
    /// # Errors
    /// [`RegistryError::Stopped`].
    pub fn definitions(&self) -> Result<Definitions, RegistryError> {
        Ok(self.service()?.book().definitions().clone())
    }

    /// What was taken over and will most likely not do what was meant.
    ///
    /// # Errors
    /// [`RegistryError::Stopped`].
    pub fn warnings(&self) -> Result<Vec<Warning>, RegistryError> {
        Ok(self.service()?.book().warnings().to_vec())
    }

    /// Every profile: the built-in ones, as they were changed, and those that were added.
    ///
    /// # Errors
    /// [`RegistryError::Stopped`].
    pub fn profiles(&self) -> Result<Vec<ProfileView>, RegistryError> {
        let service = self.service()?;
        let book = service.book();
        let profiles = book.profiles().iter();
        Ok(profiles
            .map(|(id, profile)| view(&service, &book, id, profile))
            .collect())
    }

    /// One profile.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn profile(&self, id: &str) -> Result<ProfileView, RegistryError> {
        let service = self.service()?;
        let book = service.book();
        let profile = book.profiles().get(id);
        let profile = profile.ok_or_else(|| unknown("profile", id))?;
        Ok(view(&service, &book, id, profile))
    }

    /// Adds a profile, or changes a built-in one; the values stated are the operator's own, and
    /// all others are those that the profile starts from.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`], naming family, rule, what it may be and what was found.
    pub fn put_profile(&self, id: &str, form: &ProfileForm) -> Result<Vec<Warning>, RegistryError> {
        self.define(|stored, _| {
            stored.profiles.insert(id.to_owned(), form.clone());
            Ok(())
        })
    }

    /// What [`Self::put_profile`] would say, without writing anything: the profile as it would be.
    ///
    /// # Errors
    /// Those of [`Self::put_profile`].
    pub fn try_profile(
        &self,
        id: &str,
        form: &ProfileForm,
    ) -> Result<(ProfileView, Vec<Warning>), RegistryError> {
        let service = self.service()?;
        let mut stored = service.store().view()?.definitions()?;
        stored.profiles.insert(id.to_owned(), form.clone());
        let book = book_of(service.configured_rules(), &stored)?;
        let profile = book.profiles().get(id);
        let profile = profile.ok_or_else(|| unknown("profile", id))?;
        Ok((view(&service, &book, id, profile), book.warnings().to_vec()))
    }

    /// Removes a profile that was added, or gives a built-in one its own values back. Contents
    /// that name a profile that is gone get no licences any more (UR-07).
    ///
    /// # Errors
    /// [`RegistryError::Unknown`]; [`RegistryError::Invalid`] where an override is for it.
    pub fn remove_profile(&self, id: &str) -> Result<(), RegistryError> {
        self.define(|stored, configured| {
            remove("profile", &mut stored.profiles, &configured.profiles, id)
        })
        .map(drop)
    }

    /// Defines a device model.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] where there is no such group.
    pub fn put_device_model(
        &self,
        name: &HardwareModel,
        model: &DeviceModel,
    ) -> Result<Vec<Warning>, RegistryError> {
        self.define(|stored, _| {
            let models = &mut stored.device_models;
            models.insert(name.as_str().to_owned(), model.clone());
            Ok(())
        })
    }

    /// Forgets a device model: it is of the generic family then.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn remove_device_model(&self, name: &str) -> Result<(), RegistryError> {
        self.define(|stored, configured| {
            remove(
                "device model",
                &mut stored.device_models,
                &configured.device_models,
                name,
            )
        })
        .map(drop)
    }

    /// Defines a group of device models.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`].
    pub fn put_device_group(
        &self,
        id: &str,
        group: DeviceGroup,
    ) -> Result<Vec<Warning>, RegistryError> {
        self.define(|stored, _| {
            stored.device_groups.insert(id.to_owned(), group);
            Ok(())
        })
    }

    /// Removes a group of device models.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`]; [`RegistryError::Invalid`] where a model belongs to it.
    pub fn remove_device_group(&self, id: &str) -> Result<(), RegistryError> {
        self.define(|stored, configured| {
            remove(
                "device group",
                &mut stored.device_groups,
                &configured.device_groups,
                id,
            )
        })
        .map(drop)
    }

    /// Sets rules of a profile for one device model (UR-11).
    ///
    /// # Errors
    /// [`RegistryError::Invalid`].
    pub fn put_override(
        &self,
        profile: &str,
        family: Drm,
        model: &HardwareModel,
        values: &RuleValues,
    ) -> Result<Vec<Warning>, RegistryError> {
        self.define(|stored, _| {
            let of_profile = stored.overrides.entry(profile.to_owned()).or_default();
            let of_family = of_profile.entry(family.name().to_owned()).or_default();
            of_family.insert(model.as_str().to_owned(), values.clone());
            Ok(())
        })
    }

    /// Takes an override back.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn remove_override(
        &self,
        profile: &str,
        family: Drm,
        model: &str,
    ) -> Result<(), RegistryError> {
        self.define(|stored, configured| {
            let path = format!("{profile}/{family}/{model}");
            let of = |all: &Overrides| {
                let of_family = all.get(profile)?.get(family.name())?;
                of_family.get(model).map(drop)
            };
            if of(&configured.overrides).is_some() {
                return Err(in_file(&format!("override {path}")));
            }
            let missing = || unknown("override", &path);
            let overrides = &mut stored.overrides;
            let of_profile = overrides.get_mut(profile).ok_or_else(missing)?;
            let of_family = of_profile.get_mut(family.name()).ok_or_else(missing)?;
            of_family.remove(model).ok_or_else(missing)?;
            of_profile.retain(|_, of_family| !of_family.is_empty());
            overrides.retain(|_, of_profile| !of_profile.is_empty());
            Ok(())
        })
        .map(drop)
    }

    /// Sets the list of Widevine system ids that are not asked about HDCP.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] where it is too long.
    pub fn put_hdcp_skip_list(&self, ids: &[u32]) -> Result<Vec<Warning>, RegistryError> {
        self.define(|stored, _| {
            stored.hdcp_skip_list = ids.iter().copied().collect();
            Ok(())
        })
    }

    /// Defines a DRM group; warns where its persistent licences meet device models without the
    /// counter that they need.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`].
    pub fn put_drm_group(&self, id: &str, group: DrmGroup) -> Result<Vec<Warning>, RegistryError> {
        self.define(|stored, _| {
            stored.drm_groups.insert(id.to_owned(), group);
            Ok(())
        })
    }

    /// Removes a DRM group. Contents that name it get no licences any more.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn remove_drm_group(&self, id: &str) -> Result<(), RegistryError> {
        self.define(|stored, configured| {
            remove(
                "DRM group",
                &mut stored.drm_groups,
                &configured.drm_groups,
                id,
            )
        })
        .map(drop)
    }

    /// Changes the stored definitions, if all are sound afterwards. The change is told those of the
    /// configuration file as well.
    fn define(
        &self,
        change: impl Fn(&mut Definitions, &Definitions) -> Result<(), RegistryError>,
    ) -> Result<Vec<Warning>, RegistryError> {
        let service = self.service()?;
        // One at a time, so that what is in force is what was written last.
        let turn = service.turn_to_define();
        let configured = service.configured_rules();
        let book = service.store().change(|transaction| {
            let mut stored = transaction.definitions()?;
            change(&mut stored, configured)?;
            let book = book_of(configured, &stored)?;
            transaction.put_definitions(&stored)?;
            Ok::<_, RegistryError>(book)
        })?;
        let warnings = book.warnings().to_vec();
        service.put_in_force(&turn, book);
        Ok(warnings)
    }
}

fn view(service: &Service, book: &RuleBook, id: &str, profile: &Profile) -> ProfileView {
    let own = book.definitions().profiles.get(id);
    let configured = service.configured_rules().profiles.contains_key(id);
    ProfileView::of(id, profile, own, configured)
}

/// The rules that the definitions of the configuration file and of the store come to.
///
/// # Errors
/// [`RegistryError::Conflict`] where both are about the same, [`RegistryError::Unsound`].
fn book_of(configured: &Definitions, stored: &Definitions) -> Result<RuleBook, RegistryError> {
    let all = configured.joined(stored).map_err(|what| in_file(&what))?;
    Ok(RuleBook::new(all)?)
}
