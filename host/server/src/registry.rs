//! The operator's interface in process; the HTTP admin side calls nothing else.

mod condition;
mod contents;
mod profiles;
mod token;
mod usage;

use std::sync::{Arc, Weak};

use keybearer_license::Serial;

use crate::service::{Fault, Revocation, Service};
use crate::store::{DeviceView, LogEntry, StoreError, Totals};
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

    /// Every device that was certified here.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn devices(&self) -> Result<Vec<DeviceView>, RegistryError> {
        let service = self.service()?;
        let book = service.book();
        let devices = service.store().view()?.devices()?.into_iter();
        Ok(devices
            .map(|device| {
                let family = book.family(&device.model.0);
                device.view(family)
            })
            .collect())
    }

    /// Revokes a device; returns the number of the revocation list that says so.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] device, [`RegistryError::Conflict`] where the list is full.
    pub fn revoke_device(&self, serial: &Serial) -> Result<u64, RegistryError> {
        match self.service()?.revoke(serial)? {
            Revocation::Done(number) => Ok(number),
            Revocation::Unknown => Err(RegistryError::Unknown {
                what: format!("device with serial {serial}"),
            }),
            Revocation::ListFull => Err(RegistryError::Conflict {
                what: "the revocation list is full".into(),
            }),
        }
    }

    /// Suspends a device, or ends that: it is revoked as long as the operator wants. Unlike one
    /// that is revoked for good, it is in no revocation list, and a usage-rules profile may let it
    /// pass (UR-19).
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] device.
    pub fn suspend_device(&self, serial: &Serial, suspended: bool) -> Result<(), RegistryError> {
        let service = self.service()?;
        let since = suspended.then(|| service.now());
        let known = service
            .store()
            .change(|change| change.suspend(serial, since))?;
        if known {
            Ok(())
        } else {
            Err(RegistryError::Unknown {
                what: format!("device with serial {serial}"),
            })
        }
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
