//! The embedded store: one file, one writer at a time, every change whole or not at all.
//!
//! Promises that what one [`Change`] does becomes durable together: a one-use token is consumed,
//! the answer kept for repeats and the log written in the same commit, or none of it. Content keys
//! lie in it sealed, tokens as digests. Distrusts the file: what does not read back as it was
//! written is [`StoreError::Damaged`], never a default.

mod answers;
mod contents;
mod definitions;
mod devices;
mod error;
mod group;
mod licenses;
mod log;
mod seal;
mod tokens;
mod used_tokens;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableError, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::keys::files::{check_private, sync_directory};
pub(crate) use answers::KeptAnswer;
pub(crate) use contents::StoredKey;
pub(crate) use devices::DeviceRecord;
pub use devices::{DevicePlace, DeviceView};
pub(crate) use error::StoreError;
use group::{Announced, Groups};
pub(crate) use licenses::LicenseRecord;
pub use log::{KeyRules, LogEntry, LogEvent, Totals};
pub(crate) use tokens::{TokenKind, TokenRecord, TokenUser};

/// Single numbers by name: counters and the revocation list's number.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// The form of the tables. Another form is another number, and this build refuses it.
const FORM: u64 = 3;
/// The form before: without the order of devices by time, which is made when it is opened.
const UNORDERED: u64 = 2;

/// The store of one server.
pub(crate) struct Store {
    database: Database,
    groups: Groups,
}

impl Store {
    /// Opens the store's file, or makes it, for its owner alone. Of what was read and written at
    /// most `cache_bytes` stay in memory; the database's own measure would be a gigabyte.
    ///
    /// # Errors
    /// [`StoreError::File`] where others can read it, [`StoreError::InUse`] where another server has it
    /// open, [`StoreError::Open`] where it is no store, [`StoreError::Damaged`].
    pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io {
            path: path.to_owned(),
            source,
        };
        let existed = path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        check_private(path, &file).map_err(StoreError::File)?;
        let database = FileBackend::new(file)
            .and_then(|backend| {
                Database::builder()
                    .set_cache_size(cache_bytes)
                    .create_with_backend(backend)
            })
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreError::InUse {
                    path: path.to_owned(),
                },
                other => StoreError::Open {
                    path: path.to_owned(),
                    source: Box::new(other.into()),
                },
            })?;
        if !existed {
            sync_directory(path).map_err(io)?;
        }
        let store = Self {
            database,
            groups: Groups::default(),
        };
        let found = store.change(|change| {
            let form = change.number("form")?;
            match form {
                0 => change.set_number("form", FORM)?,
                FORM => {}
                UNORDERED => {
                    change.order_devices()?;
                    change.set_number("form", FORM)?;
                }
                other => {
                    return Err(StoreError::Form {
                        found: other,
                        known: FORM,
                    });
                }
            }
            Ok(form)
        })?;
        if found == UNORDERED {
            tracing::info!(
                path = %path.display(),
                "store of an older server taken over; that one refuses it from now on"
            );
        }
        Ok(store)
    }

    /// Says that a change is coming, so that those before it may become durable with it. To be dropped
    /// just before it, and before anything that may take long.
    pub(crate) fn announce(&self) -> Announced<'_> {
        self.groups.announce()
    }

    /// Runs `work` as one change: durable when this returns, undone when `work` fails. Changes that
    /// wait for one another become durable together; `work` may have to be done again when another
    /// fails.
    pub(crate) fn change<T, E: From<StoreError>>(
        &self,
        work: impl Fn(&Change) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.groups.together(&self.database, &work)? {
            Some(done) => Ok(done),
            None => self.groups.alone(&self.database, &work),
        }
    }

    /// A view of the store as it is now, which later changes do not alter.
    pub(crate) fn view(&self) -> Result<View, StoreError> {
        Ok(View {
            transaction: self.database.begin_read()?,
        })
    }
}

/// One change under way. Dropped without a commit, it has not happened.
pub(crate) struct Change {
    transaction: WriteTransaction,
}

impl Change {
    fn number(&self, name: &str) -> Result<u64, StoreError> {
        let numbers = self.transaction.open_table(NUMBERS)?;
        let number = numbers.get(name)?.map_or(0, |number| number.value());
        Ok(number)
    }

    fn set_number(&self, name: &str, number: u64) -> Result<(), StoreError> {
        self.transaction.open_table(NUMBERS)?.insert(name, number)?;
        Ok(())
    }
}

/// A view of the store.
pub(crate) struct View {
    transaction: ReadTransaction,
}

impl View {
    fn number(&self, name: &str) -> Result<u64, StoreError> {
        let Some(numbers) = self.table(NUMBERS)? else {
            return Ok(0);
        };
        let number = numbers.get(name)?.map_or(0, |number| number.value());
        Ok(number)
    }

    /// A table, or none where nothing was ever written to it.
    fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<Option<redb::ReadOnlyTable<K, V>>, StoreError> {
        match self.transaction.open_table(table) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads a record that [`written`] wrote.
fn read<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged { table })
}

fn written<T: Serialize>(table: &'static str, record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|_| StoreError::Damaged { table })
}

/// The oldest entry of an index by time, if its time lies before `time`.
fn first_before<const N: usize, V: redb::Value + 'static>(
    index: &impl ReadableTable<(u64, &'static [u8; N]), V>,
    time: u64,
) -> Result<Option<(u64, [u8; N])>, StoreError> {
    let first = index.first()?.map(|(entry, _)| {
        let (time, id) = entry.value();
        (time, *id)
    });
    Ok(first.filter(|(first, _)| *first < time))
}

#[cfg(test)]
mod tests;
