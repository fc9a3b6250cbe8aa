//! Enrolment and factory tokens, by digest: who reads the store cannot use them.

use keybearer_crypto::Digest;
use keybearer_license::{HardwareModel, Ueid, UnixTime};
use keybearer_rules::Level;
use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{Change, StoreError, View, first_before, read, written};
use crate::config::text::Text;
use crate::names::Name;

/// By SHA-256 of the token.
const TOKENS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("tokens");
/// By end, for forgetting.
const TOKEN_ENDS: TableDefinition<'_, (u64, &[u8; 32]), ()> = TableDefinition::new("token_ends");

/// How long an ended token is remembered, in seconds, so that a late device hears that it has ended.
const KEPT_AFTER_END: u64 = 24 * 60 * 60;
/// Tokens dropped with one change.
const DROPPED_AT_ONCE: usize = 16;

/// What a token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenKind {
    /// Whoever brings it first, at most Low.
    Enrolment,
    /// The device whose key it names, up to a level.
    Factory {
        /// SHA-256 of the device's public key as a COSE_Key.
        key_digest: Text<Digest>,
        /// The highest level it certifies.
        level: Name<Level>,
    },
}

/// A token and what became of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TokenRecord {
    pub(crate) kind: TokenKind,
    pub(crate) tenant: String,
    pub(crate) model: Option<Text<HardwareModel>>,
    /// First second it no longer counts, Unix time.
    pub(crate) expires: u64,
    /// The one device that used it.
    pub(crate) used_by: Option<TokenUser>,
}

/// The device that used a token. Both together: a key alone could be certified under as many
/// ueids as its holder can think of, and each would outlive the revocation of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct TokenUser {
    /// SHA-256 of its public key.
    pub(crate) key_digest: Text<Digest>,
    /// What it calls itself.
    pub(crate) ueid: Text<Ueid>,
}

impl View {
    /// Whether there is a token of this digest.
    pub(crate) fn has_token(&self, digest: &Digest) -> Result<bool, StoreError> {
        match self.table(TOKENS)? {
            Some(tokens) => Ok(tokens.get(&digest.0)?.is_some()),
            None => Ok(false),
        }
    }
}

impl Change {
    /// The record of a token.
    pub(crate) fn token(&self, digest: &Digest) -> Result<Option<TokenRecord>, StoreError> {
        let tokens = self.transaction.open_table(TOKENS)?;
        let entry = tokens.get(&digest.0)?;
        entry.map(|entry| read("tokens", entry.value())).transpose()
    }

    /// Writes a token's record.
    pub(crate) fn put_token(
        &self,
        digest: &Digest,
        record: &TokenRecord,
    ) -> Result<(), StoreError> {
        let bytes = written("tokens", record)?;
        self.transaction
            .open_table(TOKENS)?
            .insert(&digest.0, bytes.as_slice())?;
        self.transaction
            .open_table(TOKEN_ENDS)?
            .insert((record.expires, &digest.0), ())?;
        Ok(())
    }

    /// Forgets tokens that have ended: they are refused with or without a record.
    pub(crate) fn drop_ended_tokens(&self, now: UnixTime) -> Result<(), StoreError> {
        let mut tokens = self.transaction.open_table(TOKENS)?;
        let mut ends = self.transaction.open_table(TOKEN_ENDS)?;
        let kept_from = now.0.saturating_sub(KEPT_AFTER_END);
        for _ in 0..DROPPED_AT_ONCE {
            let Some((end, digest)) = first_before(&ends, kept_from)? else {
                break;
            };
            ends.remove((end, &digest))?;
            tokens.remove(&digest)?;
        }
        Ok(())
    }
}
