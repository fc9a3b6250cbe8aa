//! Usage rules as the operator defines them.
//!
//! Every change is checked with all the others before it is written: it is taken over whole or not
//! at all, and what was taken over although it will most likely not do what was meant is said.

use keybearer_license::HardwareModel;
use keybearer_rules::{Column, Drm, Profile};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Registry, RegistryError};
use crate::store::StoreError;
use crate::usage::{
    Definitions, DeviceGroup, DeviceModel, DrmGroup, ProfileForm, RuleBook, RuleValues, Warning,
    listed,
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
    /// The operator's own values, by rule family and rule.
    pub own: ProfileForm,
    /// Every value that counts, by rule family and rule.
    pub rules: Map<String, Value>,
}

impl ProfileView {
    fn of(id: &str, profile: &Profile, own: Option<&ProfileForm>) -> Self {
        let families = Drm::ALL.iter().filter_map(|drm| profile.rules(*drm));
        Self {
            id: id.to_owned(),
            built_in: Column::from_name(id).is_some(),
            changed: own.is_some(),
            own: own.cloned().unwrap_or_default(),
            rules: families
                .map(|rules| (rules.drm().name().to_owned(), Value::Object(listed(&rules))))
                .collect(),
        }
    }
}

fn unknown(what: &str, id: &str) -> RegistryError {
    RegistryError::Unknown {
        what: format!("{what} {id:?}"),
    }
}

impl Registry {
    /// Everything about usage rules that was defined.
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
        let book = self.service()?.book();
        let own = &book.definitions().profiles;
        let profiles = book.profiles().iter();
        Ok(profiles
            .map(|(id, profile)| ProfileView::of(id, profile, own.get(id)))
            .collect())
    }

    /// One profile.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn profile(&self, id: &str) -> Result<ProfileView, RegistryError> {
        let book = self.service()?.book();
        let profile = book.profiles().get(id);
        let profile = profile.ok_or_else(|| unknown("profile", id))?;
        Ok(ProfileView::of(
            id,
            profile,
            book.definitions().profiles.get(id),
        ))
    }

    /// Adds a profile, or changes a built-in one; the values stated are the operator's own, and
    /// all others are those that the profile starts from.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`], naming family, rule, what it may be and what was found.
    pub fn put_profile(&self, id: &str, form: &ProfileForm) -> Result<Vec<Warning>, RegistryError> {
        self.define(|definitions| {
            definitions.profiles.insert(id.to_owned(), form.clone());
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
        let mut definitions = self.definitions()?;
        definitions.profiles.insert(id.to_owned(), form.clone());
        let book = RuleBook::new(definitions).map_err(|what| RegistryError::Invalid { what })?;
        let profile = book.profiles().get(id);
        let profile = profile.ok_or_else(|| unknown("profile", id))?;
        Ok((
            ProfileView::of(id, profile, Some(form)),
            book.warnings().to_vec(),
        ))
    }

    /// Removes a profile that was added, or gives a built-in one its own values back. Contents
    /// that name a profile that is gone get no licences any more (UR-07).
    ///
    /// # Errors
    /// [`RegistryError::Unknown`]; [`RegistryError::Invalid`] where an override is for it.
    pub fn remove_profile(&self, id: &str) -> Result<(), RegistryError> {
        self.define(|definitions| {
            let removed = definitions.profiles.remove(id);
            removed.map(drop).ok_or_else(|| unknown("profile", id))
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
        self.define(|definitions| {
            let models = &mut definitions.device_models;
            models.insert(name.as_str().to_owned(), model.clone());
            Ok(())
        })
    }

    /// Forgets a device model: it is of the generic family then.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn remove_device_model(&self, name: &str) -> Result<(), RegistryError> {
        self.define(|definitions| {
            let removed = definitions.device_models.remove(name);
            removed
                .map(drop)
                .ok_or_else(|| unknown("device model", name))
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
        self.define(|definitions| {
            definitions.device_groups.insert(id.to_owned(), group);
            Ok(())
        })
    }

    /// Removes a group of device models.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`]; [`RegistryError::Invalid`] where a model belongs to it.
    pub fn remove_device_group(&self, id: &str) -> Result<(), RegistryError> {
        self.define(|definitions| {
            let removed = definitions.device_groups.remove(id);
            removed.map(drop).ok_or_else(|| unknown("device group", id))
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
        self.define(|definitions| {
            let of_profile = definitions.overrides.entry(profile.to_owned()).or_default();
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
        self.define(|definitions| {
            let missing = || unknown("override", &format!("{profile}/{family}/{model}"));
            let overrides = &mut definitions.overrides;
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
        self.define(|definitions| {
            definitions.hdcp_skip_list = ids.iter().copied().collect();
            Ok(())
        })
    }

    /// Defines a DRM group; warns where its persistent licences meet device models without the
    /// counter that they need.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`].
    pub fn put_drm_group(&self, id: &str, group: DrmGroup) -> Result<Vec<Warning>, RegistryError> {
        self.define(|definitions| {
            definitions.drm_groups.insert(id.to_owned(), group);
            Ok(())
        })
    }

    /// Removes a DRM group. Contents that name it get no licences any more.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn remove_drm_group(&self, id: &str) -> Result<(), RegistryError> {
        self.define(|definitions| {
            let removed = definitions.drm_groups.remove(id);
            removed.map(drop).ok_or_else(|| unknown("DRM group", id))
        })
        .map(drop)
    }

    /// Changes the definitions, if they are sound afterwards.
    fn define(
        &self,
        change: impl Fn(&mut Definitions) -> Result<(), RegistryError>,
    ) -> Result<Vec<Warning>, RegistryError> {
        let service = self.service()?;
        // One at a time, so that what is in force is what was written last.
        let turn = service.turn_to_define();
        let book = service.store().change(|stored| {
            let mut definitions = stored.definitions()?;
            change(&mut definitions)?;
            let book =
                RuleBook::new(definitions).map_err(|what| RegistryError::Invalid { what })?;
            stored.put_definitions(book.definitions())?;
            Ok::<_, RegistryError>(book)
        })?;
        let warnings = book.warnings().to_vec();
        service.put_in_force(&turn, book);
        Ok(warnings)
    }
}

/// The rules in force when a server starts.
///
/// # Errors
/// [`StoreError::Damaged`] where what was checked before it was written does not hold any more.
pub(crate) fn stored_book(definitions: Definitions) -> Result<RuleBook, StoreError> {
    RuleBook::new(definitions).map_err(|what| {
        tracing::error!(what, "the usage rules in the store are not sound");
        StoreError::Damaged {
            table: "usage_rules",
        }
    })
}
