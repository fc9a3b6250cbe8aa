//! Devices that were certified here, and those that were revoked.

use keybearer_crypto::Digest;
use keybearer_license::{HardwareModel, Serial, Ueid, UnixTime};
use keybearer_rules::{Drm, Level};
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{Change, StoreError, View, read, written};
use crate::config::text::Text;
use crate::names::Name;

/// By ueid.
const DEVICES: TableDefinition<'_, &[u8; 33], &[u8]> = TableDefinition::new("devices");
/// By ueid: the certificate chain that was issued.
const CHAINS: TableDefinition<'_, &[u8; 33], &[u8]> = TableDefinition::new("chains");
/// By SHA-256 of the public key: the one device that has it.
const DEVICE_KEYS: TableDefinition<'_, &[u8; 32], &[u8; 33]> = TableDefinition::new("device_keys");
/// By certificate serial: the device.
const SERIALS: TableDefinition<'_, &[u8; 16], &[u8; 33]> = TableDefinition::new("serials");
/// By time, for looking through them: the device that was certified then, under that serial.
const CERTIFIED: TableDefinition<'_, (u64, &[u8; 16]), &[u8; 33]> =
    TableDefinition::new("devices_by_time");
/// By certificate serial: when it was revoked, Unix time.
const REVOKED: TableDefinition<'_, &[u8; 16], u64> = TableDefinition::new("revoked");

/// Name of the revocation list's number among the store's numbers.
const REVOCATION_NUMBER: &str = "revocation_number";

/// What is known of a certified device.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct DeviceRecord {
    pub(crate) serial: Text<Serial>,
    pub(crate) key_digest: Text<Digest>,
    pub(crate) tenant: String,
    pub(crate) model: Text<HardwareModel>,
    pub(crate) level: Name<Level>,
    pub(crate) debug: bool,
    /// When it was certified, Unix time.
    pub(crate) certified: u64,
    /// When it was revoked, Unix time.
    pub(crate) revoked: Option<u64>,
    /// When it was suspended, Unix time.
    #[serde(default)]
    pub(crate) suspended: Option<u64>,
}

/// A certified device as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct DeviceView {
    /// Its certificate's serial, 32 hexadecimal digits: the handle for revoking it.
    pub serial: String,
    /// The tenant whose token it brought.
    pub tenant: String,
    /// Its model.
    pub model: String,
    /// The rule family of its model.
    pub family: String,
    /// The level it was certified for.
    pub level: String,
    /// Whether it is in debug state.
    pub debug: bool,
    /// When it was certified, Unix time.
    pub certified: u64,
    /// When it was revoked, for good; Unix time.
    pub revoked: Option<u64>,
    /// When it was suspended, Unix time: revoked as long as the operator wants.
    pub suspended: Option<u64>,
}

impl DeviceRecord {
    /// As the operator sees it, of a rule family.
    pub(crate) fn view(self, family: Drm) -> DeviceView {
        DeviceView {
            serial: self.serial.0.to_string(),
            tenant: self.tenant,
            model: self.model.0.to_string(),
            family: family.name().to_owned(),
            level: self.level.0.to_string(),
            debug: self.debug,
            certified: self.certified,
            revoked: self.revoked,
            suspended: self.suspended,
        }
    }
}

/// Where a device stands among all, by when it was certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevicePlace {
    /// When it was certified, Unix time.
    pub certified: u64,
    /// Its certificate's serial.
    pub serial: Serial,
}

impl View {
    /// How many devices there are.
    pub(crate) fn device_count(&self) -> Result<u64, StoreError> {
        match self.table(DEVICES)? {
            Some(devices) => Ok(devices.len()?),
            None => Ok(0),
        }
    }

    /// At most `limit` of the devices that are `wanted` and stand before `before`, newest first; and
    /// the place that the rest stands before, if there may be any. No more than `most` are looked at.
    pub(crate) fn devices(
        &self,
        before: Option<DevicePlace>,
        limit: usize,
        most: usize,
        wanted: impl Fn(&DeviceRecord) -> bool,
    ) -> Result<(Vec<DeviceRecord>, Option<DevicePlace>), StoreError> {
        let mut found = Vec::new();
        let (Some(times), Some(devices)) = (self.table(CERTIFIED)?, self.table(DEVICES)?) else {
            return Ok((found, None));
        };
        let mut places = match before {
            Some(before) => times.range(..(before.certified, &before.serial.0))?,
            None => times.range::<(u64, &[u8; 16])>(..)?,
        }
        .rev();
        let mut last = None;
        for _ in 0..most {
            if found.len() == limit {
                break;
            }
            let Some(place) = places.next() else {
                return Ok((found, None));
            };
            let (place, ueid) = place?;
            let (certified, serial) = place.value();
            last = Some(DevicePlace {
                certified,
                serial: Serial(*serial),
            });
            let record = known(&devices, ueid.value())?;
            let record = record.ok_or(StoreError::Damaged { table: "devices" })?;
            if wanted(&record) {
                found.push(record);
            }
        }
        let more = places.next().transpose()?.is_some();
        Ok((found, last.filter(|_| more)))
    }

    /// The device that a certificate was issued to, as it is now: it may have another one since.
    pub(crate) fn device(&self, serial: &Serial) -> Result<Option<DeviceRecord>, StoreError> {
        let (Some(serials), Some(devices)) = (self.table(SERIALS)?, self.table(DEVICES)?) else {
            return Ok(None);
        };
        match serials.get(&serial.0)? {
            Some(ueid) => known(&devices, ueid.value()),
            None => Ok(None),
        }
    }

    /// Whether a device was revoked: by this certificate, or whatever certificate it shows.
    pub(crate) fn is_revoked(&self, serial: &Serial, ueid: &Ueid) -> Result<bool, StoreError> {
        if let Some(revoked) = self.table(REVOKED)?
            && revoked.get(&serial.0)?.is_some()
        {
            return Ok(true);
        }
        let Some(devices) = self.table(DEVICES)? else {
            return Ok(false);
        };
        Ok(known(&devices, ueid.as_bytes())?.is_some_and(|device| device.revoked.is_some()))
    }

    /// The serials that are revoked, sorted, and the number of the list that says so.
    pub(crate) fn revoked(&self) -> Result<(u64, Vec<Serial>), StoreError> {
        let number = self.number(REVOCATION_NUMBER)?;
        let Some(table) = self.table(REVOKED)? else {
            return Ok((number, Vec::new()));
        };
        let serials = table
            .iter()?
            .map(|entry| Ok(Serial(*entry?.0.value())))
            .collect::<Result<_, StoreError>>()?;
        Ok((number, serials))
    }
}

impl Change {
    /// What is known of a device.
    pub(crate) fn device(&self, ueid: &Ueid) -> Result<Option<DeviceRecord>, StoreError> {
        known(&self.transaction.open_table(DEVICES)?, ueid.as_bytes())
    }

    /// What is known of the device that was certified with a key.
    pub(crate) fn device_of_key(&self, key: &Digest) -> Result<Option<DeviceRecord>, StoreError> {
        let keys = self.transaction.open_table(DEVICE_KEYS)?;
        let Some(ueid) = keys.get(&key.0)? else {
            return Ok(None);
        };
        let devices = self.transaction.open_table(DEVICES)?;
        match known(&devices, ueid.value())? {
            Some(device) => Ok(Some(device)),
            None => Err(StoreError::Damaged { table: "devices" }),
        }
    }

    /// The chain that was issued to a device.
    pub(crate) fn chain(&self, ueid: &Ueid) -> Result<Option<Vec<u8>>, StoreError> {
        let chains = self.transaction.open_table(CHAINS)?;
        let entry = chains.get(ueid.as_bytes())?;
        Ok(entry.map(|entry| entry.value().to_vec()))
    }

    /// Writes what is known of a device, and the chain issued to it.
    pub(crate) fn put_device(
        &self,
        ueid: &Ueid,
        record: &DeviceRecord,
        chain: &[u8],
    ) -> Result<(), StoreError> {
        let bytes = written("devices", record)?;
        let mut devices = self.transaction.open_table(DEVICES)?;
        let mut times = self.transaction.open_table(CERTIFIED)?;
        // A device that is certified anew stands where it is certified now.
        if let Some(before) = known(&devices, ueid.as_bytes())? {
            times.remove((before.certified, &before.serial.0.0))?;
        }
        times.insert((record.certified, &record.serial.0.0), ueid.as_bytes())?;
        devices.insert(ueid.as_bytes(), bytes.as_slice())?;
        self.transaction
            .open_table(CHAINS)?
            .insert(ueid.as_bytes(), chain)?;
        self.transaction
            .open_table(SERIALS)?
            .insert(&record.serial.0.0, ueid.as_bytes())?;
        self.transaction
            .open_table(DEVICE_KEYS)?
            .insert(&record.key_digest.0.0, ueid.as_bytes())?;
        Ok(())
    }

    /// Puts devices in the order of time that were certified before that was kept.
    pub(crate) fn order_devices(&self) -> Result<(), StoreError> {
        let devices = self.transaction.open_table(DEVICES)?;
        let mut times = self.transaction.open_table(CERTIFIED)?;
        for entry in devices.iter()? {
            let (ueid, record) = entry?;
            let record: DeviceRecord = read("devices", record.value())?;
            times.insert((record.certified, &record.serial.0.0), ueid.value())?;
        }
        Ok(())
    }

    /// Whether a certificate is revoked.
    pub(crate) fn is_revoked(&self, serial: &Serial) -> Result<bool, StoreError> {
        Ok(self
            .transaction
            .open_table(REVOKED)?
            .get(&serial.0)?
            .is_some())
    }

    /// How many certificates are revoked.
    pub(crate) fn revoked_count(&self) -> Result<u64, StoreError> {
        Ok(self.transaction.open_table(REVOKED)?.len()?)
    }

    /// Number of the newest revocation list.
    pub(crate) fn revocation_number(&self) -> Result<u64, StoreError> {
        self.number(REVOCATION_NUMBER)
    }

    /// The device that a certificate was issued to here.
    fn ueid_of(&self, serial: &Serial) -> Result<Option<[u8; 33]>, StoreError> {
        let serials = self.transaction.open_table(SERIALS)?;
        let ueid = serials.get(&serial.0)?.map(|entry| *entry.value());
        Ok(ueid)
    }

    /// Suspends a device from `since` on, or ends that. Tells whether there is such a one.
    pub(crate) fn suspend(
        &self,
        serial: &Serial,
        since: Option<UnixTime>,
    ) -> Result<bool, StoreError> {
        let Some(ueid) = self.ueid_of(serial)? else {
            return Ok(false);
        };
        let mut devices = self.transaction.open_table(DEVICES)?;
        let Some(mut record) = known(&devices, &ueid)? else {
            return Err(StoreError::Damaged { table: "devices" });
        };
        record.suspended = since.map(|since| since.0);
        devices.insert(&ueid, written("devices", &record)?.as_slice())?;
        Ok(true)
    }

    /// Revokes a certificate that was issued here. Tells whether there is such a one.
    pub(crate) fn revoke(&self, serial: &Serial, now: UnixTime) -> Result<bool, StoreError> {
        let Some(ueid) = self.ueid_of(serial)? else {
            return Ok(false);
        };
        if self.is_revoked(serial)? {
            return Ok(true);
        }
        self.transaction
            .open_table(REVOKED)?
            .insert(&serial.0, now.0)?;
        let mut devices = self.transaction.open_table(DEVICES)?;
        if let Some(mut record) = known(&devices, &ueid)? {
            record.revoked = Some(now.0);
            devices.insert(&ueid, written("devices", &record)?.as_slice())?;
        }
        // Never below the clock: a server whose store was lost still goes on to higher numbers
        // than the lists that devices have seen.
        let number = self.number(REVOCATION_NUMBER)?.saturating_add(1).max(now.0);
        self.set_number(REVOCATION_NUMBER, number)?;
        Ok(true)
    }
}

/// What a table, of a view or of a change, has about a device.
fn known(
    devices: &impl ReadableTable<&'static [u8; 33], &'static [u8]>,
    ueid: &[u8; 33],
) -> Result<Option<DeviceRecord>, StoreError> {
    let entry = devices.get(ueid)?;
    entry
        .map(|entry| read("devices", entry.value()))
        .transpose()
}

#[cfg(test)]
mod tests;
