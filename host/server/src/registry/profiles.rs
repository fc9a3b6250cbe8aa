//! Usage-rules profiles, and the rules that they set.

use keybearer_rules::{Column, Drm, Profile, Rules};
use serde::Serialize;
use serde_json::{Map, Value};

use super::usage::{book_of, named, remove, unknown};
use super::{Registry, RegistryError, Revision};
use crate::service::Service;
use crate::usage::{ProfileForm, RuleBook, Warning, listed};

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
        let current = |service: &Service, book: &RuleBook| revision(service, book, id);
        self.define(&named("profile", id), current, |stored, _| {
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
        let current = |service: &Service, book: &RuleBook| revision(service, book, id);
        self.define(&named("profile", id), current, |stored, configured| {
            remove("profile", &mut stored.profiles, &configured.profiles, id)
        })
        .map(drop)
    }
}

fn view(service: &Service, book: &RuleBook, id: &str, profile: &Profile) -> ProfileView {
    let own = book.definitions().profiles.get(id);
    let configured = service.configured_rules().profiles.contains_key(id);
    ProfileView::of(id, profile, own, configured)
}

fn revision(
    service: &Service,
    book: &RuleBook,
    id: &str,
) -> Result<Option<Revision>, RegistryError> {
    let profile = book.profiles().get(id);
    profile
        .map(|profile| Revision::of(&view(service, book, id, profile)))
        .transpose()
}
