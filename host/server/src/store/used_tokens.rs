//! Authorisation tokens that count once, by digest: which licence each of them brought.

use keybearer_crypto::Digest;
use keybearer_license::{LicenseId, UnixTime};
use redb::{ReadableTable, TableDefinition};

use super::{Change, StoreError, first_before};

/// By digest of tenant, credential and token id: the licence.
const USED: TableDefinition<'_, &[u8; 32], &[u8; 16]> = TableDefinition::new("used_tokens");
/// By the token's end, for forgetting: an ended token is refused with or without a record.
const USED_ENDS: TableDefinition<'_, (u64, &[u8; 32]), ()> =
    TableDefinition::new("used_token_ends");

/// Records dropped with one change.
const DROPPED_AT_ONCE: usize = 16;

impl Change {
    /// The licence that a token brought, if it was used.
    pub(crate) fn license_of_token(&self, token: &Digest) -> Result<Option<LicenseId>, StoreError> {
        let used = self.transaction.open_table(USED)?;
        let license = used.get(&token.0)?;
        Ok(license.map(|license| LicenseId(*license.value())))
    }

    /// Remembers that a token was used, until it ends at `ends`.
    pub(crate) fn use_token(
        &self,
        token: &Digest,
        ends: u64,
        license: &LicenseId,
    ) -> Result<(), StoreError> {
        self.transaction
            .open_table(USED)?
            .insert(&token.0, &license.0)?;
        self.transaction
            .open_table(USED_ENDS)?
            .insert((ends, &token.0), ())?;
        Ok(())
    }

    /// Forgets tokens that have ended.
    pub(crate) fn drop_used_tokens(&self, now: UnixTime) -> Result<(), StoreError> {
        let mut used = self.transaction.open_table(USED)?;
        let mut ends = self.transaction.open_table(USED_ENDS)?;
        for _ in 0..DROPPED_AT_ONCE {
            let Some((end, token)) = first_before(&ends, now.0)? else {
                break;
            };
            ends.remove((end, &token))?;
            used.remove(&token)?;
        }
        Ok(())
    }
}
