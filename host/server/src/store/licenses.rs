//! Licences that may still be renewed.

use keybearer_license::{KeyId, LicenseId, Ueid, UnixTime};
use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{Change, StoreError, View, first_before, read, written};
use crate::config::text::Text;

/// By licence id.
const LICENSES: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("licenses");
/// By the time at which the record is forgotten.
const LICENSE_ENDS: TableDefinition<'_, (u64, &[u8; 16]), ()> =
    TableDefinition::new("license_ends");

/// Records dropped with one change.
const DROPPED_AT_ONCE: usize = 16;

/// A licence that was issued.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct LicenseRecord {
    /// The device it was issued to, 66 hexadecimal digits.
    ueid: String,
    /// The sequence number last issued.
    pub(crate) sequence: u64,
    /// The keys it holds.
    keys: Vec<Text<KeyId>>,
    /// When the record is forgotten, Unix time.
    pub(crate) until: u64,
}

impl LicenseRecord {
    pub(crate) fn new(ueid: &Ueid, sequence: u64, keys: Vec<KeyId>, until: UnixTime) -> Self {
        let keys = keys.into_iter().map(Text).collect();
        Self {
            ueid: ueid.to_string(),
            sequence,
            keys,
            until: until.0,
        }
    }

    /// The ids of the keys that it holds.
    pub(crate) fn key_ids(&self) -> Vec<KeyId> {
        self.keys.iter().map(|kid| kid.0).collect()
    }

    /// Whether the licence was issued to this device.
    pub(crate) fn is_of(&self, ueid: &Ueid) -> bool {
        self.ueid == ueid.to_string()
    }
}

impl View {
    /// A licence that was issued and is not forgotten.
    pub(crate) fn license(&self, id: &LicenseId) -> Result<Option<LicenseRecord>, StoreError> {
        let Some(licenses) = self.table(LICENSES)? else {
            return Ok(None);
        };
        let entry = licenses.get(&id.0)?;
        entry
            .map(|entry| read("licenses", entry.value()))
            .transpose()
    }
}

impl Change {
    /// A licence that was issued and is not forgotten.
    pub(crate) fn license(&self, id: &LicenseId) -> Result<Option<LicenseRecord>, StoreError> {
        let licenses = self.transaction.open_table(LICENSES)?;
        let entry = licenses.get(&id.0)?;
        entry
            .map(|entry| read("licenses", entry.value()))
            .transpose()
    }

    /// Writes a licence's record in place of the one before it.
    pub(crate) fn put_license(
        &self,
        id: &LicenseId,
        record: &LicenseRecord,
    ) -> Result<(), StoreError> {
        let mut ends = self.transaction.open_table(LICENSE_ENDS)?;
        let mut licenses = self.transaction.open_table(LICENSES)?;
        let bytes = written("licenses", record)?;
        let old = licenses
            .insert(&id.0, bytes.as_slice())?
            .map(|entry| read::<LicenseRecord>("licenses", entry.value()))
            .transpose()?;
        if let Some(old) = old {
            ends.remove((old.until, &id.0))?;
        }
        ends.insert((record.until, &id.0), ())?;
        Ok(())
    }

    /// Forgets licences whose time is over.
    pub(crate) fn drop_ended_licenses(&self, now: UnixTime) -> Result<(), StoreError> {
        let mut licenses = self.transaction.open_table(LICENSES)?;
        let mut ends = self.transaction.open_table(LICENSE_ENDS)?;
        for _ in 0..DROPPED_AT_ONCE {
            let Some((until, id)) = first_before(&ends, now.0)? else {
                break;
            };
            ends.remove((until, &id))?;
            licenses.remove(&id)?;
        }
        Ok(())
    }
}
