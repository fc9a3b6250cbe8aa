//! The operator's interface in process; the HTTP admin side calls nothing else.

mod condition;
mod contents;
mod devices;
mod profiles;
mod token;
mod usage;

use std::sync::{Arc, Weak};

use crate::service::{Fault, Service};
use crate::store::{LogEntry, StoreError, Totals};
use crate::usage::Unsound;

/// Why the operator's wish was not fulfilled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The server has stopped.
    #[error("the server has stopped")]
    Stopped,
    /// What was given contradicts itself.
    #[error("{what}")]
    Invalid {
        /// What is wrong.
        what: String,
    },
    /// Definitions of usage rules are not sound.
    #[error("{0}")]
    Unsound(Unsound),
    /// What was given contradicts what is there.
    #[error("{what}")]
    Conflict {
        /// What it contradicts.
        what: String,
    },
    /// What was to be changed is not as the change's [`Condition`] has it.
    #[error("{what}")]
    Overtaken {
        /// What it is instead.
        what: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    Unknown {
        /// What was looked for.
        what: String,
    },
    /// The store or the cryptography failed.
    #[error("{what}")]
    Failed {
        /// What failed.
        what: String,
    },
}

impl From<Unsound> for RegistryError {
    fn from(unsound: Unsound) -> Self {
        Self::Unsound(unsound)
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        Self::Failed {
            what: error.to_string(),
        }
    }
}

impl From<Fault> for RegistryError {
    fn from(fault: Fault) -> Self {
        Self::Failed {
            what: fault.to_string(),
        }
    }
}

pub use condition::{Condition, Revision, States};
pub use contents::{ContentView, GeneratedKey};
pub use devices::{DevicePage, DeviceQuery, NoPlace};
pub use profiles::{FamilyView, ProfileView, RuleView};
pub use token::{EnrolmentToken, FactoryToken, MintedToken};

/// The operator's interface to a running server.
#[derive(Clone)]
pub struct Registry {
    // Weak, so that a handle kept by the caller does not keep the store open.
    service: Weak<Service>,
    /// What changes demand of what they change.
    only: Condition,
}

impl Registry {
    pub(crate) fn new(service: &Arc<Service>) -> Self {
        Self {
            service: Arc::downgrade(service),
            only: Condition::default(),
        }
    }

    fn service(&self) -> Result<Arc<Service>, RegistryError> {
        self.service.upgrade().ok_or(RegistryError::Stopped)
    }

    /// At most `limit` entries of the log with a number above `after`, oldest first.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn log(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, RegistryError> {
        Ok(self.service()?.store().view()?.log(after, limit)?)
    }

    /// At most `limit` entries of the log with a number below `before`, newest first.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn newest(&self, before: u64, limit: usize) -> Result<Vec<LogEntry>, RegistryError> {
        Ok(self.service()?.store().view()?.newest(before, limit)?)
    }

    /// How often what happened since the store was made.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn totals(&self) -> Result<Totals, RegistryError> {
        Ok(self.service()?.store().view()?.totals()?)
    }
}
