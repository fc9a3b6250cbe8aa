//! Devices that were certified, page by page: there may be more of them than one answer can hold.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use keybearer_license::Serial;
use serde::Serialize;

use super::{Registry, RegistryError};
use crate::config::text::TextForm;
use crate::service::Revocation;
use crate::store::{DevicePlace, DeviceView, LogEntry, LogEvent};

/// Devices on one page unless said otherwise.
const PAGE: usize = 100;
/// Most devices that are looked at for one page unless said otherwise.
const LOOKED_AT: usize = 10_000;

/// Which devices are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceQuery {
    /// A part of the model, serial, tenant or rule family, in whatever case; all where it is empty.
    pub search: String,
    /// Those that stand before this place, which is that of the page before.
    pub before: Option<DevicePlace>,
    /// At most so many, and at least one.
    pub limit: usize,
    /// No more than so many are looked at, and at least one, so that a search for what is rare takes no
    /// longer than any other.
    pub looked_at: usize,
}

impl Default for DeviceQuery {
    fn default() -> Self {
        Self {
            search: String::new(),
            before: None,
            limit: PAGE,
            looked_at: LOOKED_AT,
        }
    }
}

/// Some of the devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DevicePage {
    /// How many there are, wanted or not.
    pub total: u64,
    /// Those that are wanted, the newest first.
    pub devices: Vec<DeviceView>,
    /// Where the next page begins; none on the last. A page that is not full need not be the last: only so
    /// many devices are looked at for one.
    #[serde(serialize_with = "place")]
    pub next: Option<DevicePlace>,
}

fn place<S: serde::Serializer>(
    place: &Option<DevicePlace>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = place.as_ref().map(DevicePlace::to_string);
    text.serialize(serializer)
}

/// Time and serial with a dash between them.
impl fmt::Display for DevicePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.certified, self.serial)
    }
}

/// A text that is no place of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected what a page has as its next")]
pub struct NoPlace;

impl FromStr for DevicePlace {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (certified, serial) = text.split_once('-').ok_or(NoPlace)?;
        Ok(Self {
            certified: certified.parse().map_err(|_| NoPlace)?,
            serial: <Serial as TextForm>::parse(serial).ok_or(NoPlace)?,
        })
    }
}

impl Registry {
    /// A page of the devices that were certified here.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn devices(&self, query: &DeviceQuery) -> Result<DevicePage, RegistryError> {
        let service = self.service()?;
        let (book, view) = (service.book(), service.store().view()?);
        let search = query.search.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&search);
        let (limit, most) = (query.limit.max(1), query.looked_at.max(1));
        let (devices, next) = view.devices(query.before, limit, most, |device| {
            search.is_empty()
                || has(device.model.0.as_str())
                || has(&device.serial.0.to_string())
                || has(&device.tenant)
                || has(book.family(&device.model.0).name())
        })?;
        let views = devices.into_iter().map(|device| {
            let family = book.family(&device.model.0);
            device.view(family)
        });
        Ok(DevicePage {
            total: view.device_count()?,
            devices: views.collect(),
            next,
        })
    }

    /// The device that a certificate was issued to here, as it is now: one that was certified anew has
    /// another serial since, and is found under either.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`].
    pub fn device(&self, serial: &Serial) -> Result<DeviceView, RegistryError> {
        let service = self.service()?;
        let found = service.store().view()?.device(serial)?;
        let device = found.ok_or_else(|| unknown_device(serial))?;
        let family = service.book().family(&device.model.0);
        Ok(device.view(family))
    }

    /// The models of the devices that entries of the log name, by serial.
    ///
    /// # Errors
    /// [`RegistryError::Failed`].
    pub fn models(&self, entries: &[LogEntry]) -> Result<BTreeMap<String, String>, RegistryError> {
        let view = self.service()?.store().view()?;
        let mut models = BTreeMap::new();
        for entry in entries {
            let serial = match &entry.event {
                LogEvent::Provision { device, .. } | LogEvent::License { device, .. } => device,
                LogEvent::Denial { device, .. } => match device {
                    Some(device) => device,
                    None => continue,
                },
            };
            if models.contains_key(serial) {
                continue;
            }
            if let Some(number) = <Serial as TextForm>::parse(serial)
                && let Some(device) = view.device(&number)?
            {
                models.insert(serial.clone(), device.model.0.as_str().to_owned());
            }
        }
        Ok(models)
    }

    /// Revokes a device; returns the number of the revocation list that says so.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] device, [`RegistryError::Conflict`] where the list is full.
    pub fn revoke_device(&self, serial: &Serial) -> Result<u64, RegistryError> {
        match self.service()?.revoke(serial)? {
            Revocation::Done(number) => Ok(number),
            Revocation::Unknown => Err(unknown_device(serial)),
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
            Err(unknown_device(serial))
        }
    }
}

fn unknown_device(serial: &Serial) -> RegistryError {
    RegistryError::Unknown {
        what: format!("device with serial {serial}"),
    }
}
