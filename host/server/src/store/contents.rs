//! Contents that came over the admin interface, with their keys sealed.

use keybearer_crypto::Secret;
use keybearer_license::KeyId;
use redb::{ReadableTable, TableDefinition};

use super::{Change, Store, StoreError, View, read, seal, written};
use crate::config::{ContentSpec, KeySource};

/// By content id: the content without its keys.
const CONTENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("contents");
/// By key id: the content it belongs to, and the sealed key.
const KEYS: TableDefinition<'_, &[u8; 16], (&str, &[u8])> = TableDefinition::new("keys");

/// A content key in the store.
pub(crate) struct StoredKey {
    /// The content it belongs to.
    pub(crate) content: String,
    /// Still sealed; [`Self::open`] opens it.
    sealed: Vec<u8>,
}

impl StoredKey {
    /// As it lies in the store, and nobody can read it.
    pub(crate) fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// The key itself, for the licence that will carry it.
    pub(crate) fn open(
        &self,
        store_key: &Secret<32>,
        kid: &KeyId,
    ) -> Result<Secret<16>, StoreError> {
        seal::open(store_key, kid, &self.sealed)
    }
}

fn stored_key(
    table: &impl ReadableTable<&'static [u8; 16], (&'static str, &'static [u8])>,
    kid: &KeyId,
) -> Result<Option<StoredKey>, StoreError> {
    Ok(table.get(&kid.0)?.map(|entry| {
        let (content, sealed) = entry.value();
        StoredKey {
            content: content.to_owned(),
            sealed: sealed.to_vec(),
        }
    }))
}

fn content(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    id: &str,
) -> Result<Option<ContentSpec>, StoreError> {
    table
        .get(id)?
        .map(|entry| read("contents", entry.value()))
        .transpose()
}

impl Store {
    /// Opens one sealed key, if there is any, so that a foreign store key is found at the start.
    pub(crate) fn try_store_key(&self, store_key: &Secret<32>) -> Result<(), StoreError> {
        let view = self.view()?;
        let Some(keys) = view.table(KEYS)? else {
            return Ok(());
        };
        let Some((kid, entry)) = keys.first()? else {
            return Ok(());
        };
        seal::open(store_key, &KeyId(*kid.value()), entry.value().1).map(drop)
    }
}

impl View {
    /// A key by its id.
    pub(crate) fn key(&self, kid: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.table(KEYS)?
            .map_or(Ok(None), |table| stored_key(&table, kid))
    }

    /// A content, without its keys.
    pub(crate) fn content(&self, id: &str) -> Result<Option<ContentSpec>, StoreError> {
        self.table(CONTENTS)?
            .map_or(Ok(None), |table| content(&table, id))
    }

    /// Every content, by id, without keys.
    pub(crate) fn contents(&self) -> Result<Vec<ContentSpec>, StoreError> {
        let Some(table) = self.table(CONTENTS)? else {
            return Ok(Vec::new());
        };
        table
            .iter()?
            .map(|entry| read("contents", entry?.1.value()))
            .collect()
    }
}

impl Change {
    /// A key by its id.
    pub(crate) fn key(&self, kid: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        stored_key(&self.transaction.open_table(KEYS)?, kid)
    }

    /// A content, without its keys.
    pub(crate) fn content(&self, id: &str) -> Result<Option<ContentSpec>, StoreError> {
        content(&self.transaction.open_table(CONTENTS)?, id)
    }

    /// Writes a content in place of one with the same id. Keys that are not given but were there
    /// before stay as they are; `owner_of` elsewhere is the caller's to check.
    pub(crate) fn put_content(
        &self,
        store_key: &Secret<32>,
        spec: &ContentSpec,
    ) -> Result<(), StoreError> {
        let mut contents = self.transaction.open_table(CONTENTS)?;
        let mut keys = self.transaction.open_table(KEYS)?;
        if let Some(old) = content(&contents, &spec.id)? {
            let gone = |kid| spec.keys.iter().all(|key| key.kid != kid);
            for key in old.keys.iter().filter(|key| gone(key.kid)) {
                keys.remove(&key.kid.0)?;
            }
        }
        for key in &spec.keys {
            if let KeySource::Given(secret) = &key.source {
                let sealed = seal::seal(store_key, &key.kid, secret)?;
                keys.insert(&key.kid.0, (spec.id.as_str(), sealed.as_slice()))?;
            }
        }
        contents.insert(spec.id.as_str(), written("contents", spec)?.as_slice())?;
        Ok(())
    }

    /// Removes a content, if it is there, and its keys.
    pub(crate) fn remove_content(&self, id: &str) -> Result<(), StoreError> {
        let mut contents = self.transaction.open_table(CONTENTS)?;
        let Some(old) = content(&contents, id)? else {
            return Ok(());
        };
        let mut keys = self.transaction.open_table(KEYS)?;
        for key in &old.keys {
            keys.remove(&key.kid.0)?;
        }
        contents.remove(id)?;
        Ok(())
    }
}
