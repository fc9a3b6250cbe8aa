//! Changes that are made only where things still are as their author saw them.
//!
//! Of two operators who change the same thing at the same time, the later would undo what the earlier
//! did without seeing it. A change that names the revision it was made from is refused instead.

use keybearer_crypto::Crypto;
use serde::Serialize;

use super::{Registry, RegistryError};
use crate::crypto::ServiceCrypto;

/// Which state of something was read. Any change makes another one, and the same state is the same
/// revision again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// The revision of what reads as `value`: SHA-256 of its JSON form, in hexadecimal. Not that of a
    /// content: its keys count as well and are in no [`ContentView`](super::ContentView), so it comes with
    /// it out of [`Registry::content`].
    ///
    /// # Errors
    /// [`RegistryError::Failed`] where it has none.
    pub fn of(value: &impl Serialize) -> Result<Self, RegistryError> {
        Self::with(value, &[])
    }

    /// The same of something that is more than it shows.
    pub(super) fn with(value: &impl Serialize, hidden: &[&[u8]]) -> Result<Self, RegistryError> {
        let shown = serde_json::to_vec(value).map_err(|error| RegistryError::Failed {
            what: error.to_string(),
        })?;
        let parts: Vec<&[u8]> = [shown.as_slice()].iter().chain(hidden).copied().collect();
        Ok(Self(hex::encode(ServiceCrypto::new().sha256(&parts).0)))
    }

    /// A revision as somebody states it, who may never have read one.
    pub(crate) fn stated(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// States that something may be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum States {
    /// Whichever: it is there.
    Any,
    /// One of these.
    OneOf(Vec<Revision>),
}

impl States {
    /// Whether something is in one of them; what is not there is in none.
    fn have(&self, current: Option<&Revision>) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::OneOf(known), Some(current)) => known.contains(current),
        }
    }
}

/// What a request demands of what it is about; nothing unless stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// States it must be in (RFC 9110 section 13.1.1).
    pub is: Option<States>,
    /// States it must not be in; not there with [`States::Any`] (section 13.1.2).
    pub is_not: Option<States>,
}

impl Condition {
    /// That it still is as it was read.
    #[must_use]
    pub fn unchanged(since: Revision) -> Self {
        Self {
            is: Some(States::OneOf(vec![since])),
            is_not: None,
        }
    }

    /// That it is not there yet.
    #[must_use]
    pub fn absent() -> Self {
        Self {
            is: None,
            is_not: Some(States::Any),
        }
    }

    /// Whether it must be in another state than it is.
    pub(crate) fn misses(&self, current: Option<&Revision>) -> bool {
        self.is.as_ref().is_some_and(|states| !states.have(current))
    }

    /// Whether it is in a state that it must not be in.
    pub(crate) fn meets(&self, current: Option<&Revision>) -> bool {
        let is_not = self.is_not.as_ref();
        is_not.is_some_and(|states| states.have(current))
    }

    /// Refuses where it does not hold; `what` is asked for nothing else.
    pub(super) fn check(
        &self,
        what: &str,
        current: impl FnOnce() -> Result<Option<Revision>, RegistryError>,
    ) -> Result<(), RegistryError> {
        if *self == Self::default() {
            return Ok(());
        }
        let current = current()?;
        let overtaken = |said: &str| {
            Err(RegistryError::Overtaken {
                what: format!("{what} {said}"),
            })
        };
        if self.misses(current.as_ref()) {
            overtaken(match current {
                Some(_) => "was changed since it was read; nothing was written",
                None => "is not there, or not any more; nothing was written",
            })
        } else if self.meets(current.as_ref()) {
            overtaken("is there already; nothing was written")
        } else {
            Ok(())
        }
    }
}

impl Registry {
    /// A handle whose `put_` and `remove_` methods change something only where `condition` holds of
    /// it, and otherwise fail with [`RegistryError::Overtaken`]. Nothing else looks at it.
    #[must_use]
    pub fn only_if(&self, condition: Condition) -> Self {
        Self {
            service: self.service.clone(),
            only: condition,
        }
    }
}

#[cfg(test)]
mod tests;
