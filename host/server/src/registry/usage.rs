//! Usage rules as the operator defines them.
//!
//! Every change is checked with all the others before it is written: it is taken over whole or not
//! at all, and what was taken over although it will most likely not do what was meant is said.

use std::collections::BTreeMap;

use keybearer_license::HardwareModel;
use keybearer_rules::Drm;
use serde::Serialize;

use super::{Registry, RegistryError, Revision};
use crate::service::Service;
use crate::usage::{
    Definitions, DeviceGroup, DeviceModel, DrmGroup, RuleBook, RuleValues, Warning,
};

/// What a thing is called in refusals.
pub(super) fn named(what: &str, id: &str) -> String {
    format!("{what} {id:?}")
}

pub(super) fn unknown(what: &str, id: &str) -> RegistryError {
    RegistryError::Unknown {
        what: named(what, id),
    }
}

/// Removes an entry, if it is the store's.
pub(super) fn remove<T>(
    what: &str,
    stored: &mut BTreeMap<String, T>,
    configured: &BTreeMap<String, T>,
    id: &str,
) -> Result<(), RegistryError> {
    match stored.remove(id) {
        Some(_) => Ok(()),
        None if configured.contains_key(id) => Err(in_file(&named(what, id))),
        None => Err(unknown(what, id)),
    }
}

fn in_file(what: &str) -> RegistryError {
    RegistryError::Conflict {
        what: format!("{what} is in the configuration file, and can be changed there alone"),
    }
}

impl Registry {
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

    /// Defines a device model.
    ///
    /// # Errors
    /// [`RegistryError::Invalid`] where there is no such group.
    pub fn put_device_model(
        &self,
        name: &HardwareModel,
        model: &DeviceModel,
    ) -> Result<Vec<Warning>, RegistryError> {
        let id = name.as_str();
        let current = of(|all| all.device_models.get(id));
        self.define(&named("device model", id), current, |stored, _| {
            stored.device_models.insert(id.to_owned(), model.clone());
            Ok(())
        })
    }

    /// One device model.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn device_model(&self, name: &str) -> Result<DeviceModel, RegistryError> {
        self.defined("device model", name, |all| all.device_models.get(name))
    }

    /// Forgets a device model: it is of the generic family then.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn remove_device_model(&self, name: &str) -> Result<(), RegistryError> {
        let current = of(|all| all.device_models.get(name));
        self.define(
            &named("device model", name),
            current,
            |stored, configured| {
                remove(
                    "device model",
                    &mut stored.device_models,
                    &configured.device_models,
                    name,
                )
            },
        )
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
        let current = of(|all| all.device_groups.get(id));
        self.define(&named("device group", id), current, |stored, _| {
            stored.device_groups.insert(id.to_owned(), group);
            Ok(())
        })
    }

    /// One group of device models.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn device_group(&self, id: &str) -> Result<DeviceGroup, RegistryError> {
        self.defined("device group", id, |all| all.device_groups.get(id))
    }

    /// Removes a group of device models.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`]; [`RegistryError::Invalid`] where a model belongs to it.
    pub fn remove_device_group(&self, id: &str) -> Result<(), RegistryError> {
        let current = of(|all| all.device_groups.get(id));
        self.define(&named("device group", id), current, |stored, configured| {
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
        let path = format!("{profile}/{family}/{model}");
        let current = of(|all| {
            all.overrides
                .get(profile)?
                .get(family.name())?
                .get(model.as_str())
        });
        self.define(&named("override", &path), current, |stored, _| {
            let of_profile = stored.overrides.entry(profile.to_owned()).or_default();
            let of_family = of_profile.entry(family.name().to_owned()).or_default();
            of_family.insert(model.as_str().to_owned(), values.clone());
            Ok(())
        })
    }

    /// One override.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn override_for(
        &self,
        profile: &str,
        family: Drm,
        model: &str,
    ) -> Result<RuleValues, RegistryError> {
        let path = format!("{profile}/{family}/{model}");
        self.defined("override", &path, |all| {
            all.overrides.get(profile)?.get(family.name())?.get(model)
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
        let path = format!("{profile}/{family}/{model}");
        let find = |all: &Definitions| {
            let of_family = all.overrides.get(profile)?.get(family.name())?;
            of_family.get(model).map(Revision::of)
        };
        let current = |_: &Service, book: &RuleBook| find(book.definitions()).transpose();
        self.define(&named("override", &path), current, |stored, configured| {
            if find(configured).is_some() {
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
        let current = of(|all| Some(&all.hdcp_skip_list));
        self.define("the HDCP skip list", current, |stored, _| {
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
        let current = of(|all| all.drm_groups.get(id));
        self.define(&named("DRM group", id), current, |stored, _| {
            stored.drm_groups.insert(id.to_owned(), group);
            Ok(())
        })
    }

    /// One DRM group.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn drm_group(&self, id: &str) -> Result<DrmGroup, RegistryError> {
        self.defined("DRM group", id, |all| all.drm_groups.get(id))
    }

    /// Removes a DRM group. Contents that name it get no licences any more.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn remove_drm_group(&self, id: &str) -> Result<(), RegistryError> {
        let current = of(|all| all.drm_groups.get(id));
        self.define(&named("DRM group", id), current, |stored, configured| {
            remove(
                "DRM group",
                &mut stored.drm_groups,
                &configured.drm_groups,
                id,
            )
        })
        .map(drop)
    }

    /// A part of the definitions in force.
    fn defined<T: Clone>(
        &self,
        what: &str,
        id: &str,
        part: impl Fn(&Definitions) -> Option<&T>,
    ) -> Result<T, RegistryError> {
        let book = self.service()?.book();
        let found = part(book.definitions()).cloned();
        found.ok_or_else(|| unknown(what, id))
    }

    /// Changes the stored definitions, if all are sound afterwards and what is changed is as this
    /// handle's condition has it; `current` tells the revision that is in force. The change is told
    /// the definitions of the configuration file as well.
    pub(super) fn define(
        &self,
        what: &str,
        current: impl Fn(&Service, &RuleBook) -> Result<Option<Revision>, RegistryError>,
        change: impl Fn(&mut Definitions, &Definitions) -> Result<(), RegistryError>,
    ) -> Result<Vec<Warning>, RegistryError> {
        let service = self.service()?;
        // One at a time, so that what is in force is what was written last.
        let turn = service.turn_to_define();
        let configured = service.configured_rules();
        let book = service.store().change(|transaction| {
            let mut stored = transaction.definitions()?;
            change(&mut stored, configured)?;
            self.only
                .check(what, || current(&service, &service.book()))?;
            let book = book_of(configured, &stored)?;
            transaction.put_definitions(&stored)?;
            Ok::<_, RegistryError>(book)
        })?;
        let warnings = book.warnings().to_vec();
        service.put_in_force(&turn, book);
        Ok(warnings)
    }
}

/// Tells the revision of a part of the definitions.
fn of<T: Serialize>(
    part: impl Fn(&Definitions) -> Option<&T>,
) -> impl Fn(&Service, &RuleBook) -> Result<Option<Revision>, RegistryError> {
    move |_, book| part(book.definitions()).map(Revision::of).transpose()
}

/// The rules that the definitions of the configuration file and of the store come to.
///
/// # Errors
/// [`RegistryError::Conflict`] where both are about the same, [`RegistryError::Unsound`].
pub(super) fn book_of(
    configured: &Definitions,
    stored: &Definitions,
) -> Result<RuleBook, RegistryError> {
    let all = configured.joined(stored).map_err(|what| in_file(&what))?;
    Ok(RuleBook::new(all)?)
}
