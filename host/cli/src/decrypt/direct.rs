//! Decryption with keys at hand.

use std::collections::BTreeSet;

use keybearer_cenc::{CencError, SampleProtection};
use keybearer_client::{KeyId, SampleDecryptor, TrackBatch, explain::kid};
use keybearer_media::Pssh;

use super::keys::Keys;
use crate::failure::Failure;

/// Decrypts samples with given keys.
pub(super) struct Direct {
    keys: Keys,
    used: BTreeSet<KeyId>,
}

/// Why a file cannot be decrypted.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectError {
    #[error("the file needs keys that were not given: {}", list(.0))]
    Missing(Vec<KeyId>),
    #[error("track {track}: a sample cannot be decrypted: {source}")]
    Sample { track: u32, source: CencError },
    /// The walk over the file does not hand out such a batch.
    #[error("track {track}: the samples exceed their batch")]
    Batch { track: u32 },
}

fn list(ids: &[KeyId]) -> String {
    ids.iter().map(kid).collect::<Vec<_>>().join(", ")
}

impl From<DirectError> for Failure {
    fn from(error: DirectError) -> Self {
        let failure = Self::input(error.to_string()).cause(&error);
        match error {
            DirectError::Missing(_) => {
                failure.hint("give them with --key-file or --key, as KID:KEY")
            }
            _ => failure,
        }
    }
}

impl Direct {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys,
            used: BTreeSet::new(),
        }
    }

    /// Keys given that no track asked for.
    pub(super) fn unused(&self) -> Vec<KeyId> {
        self.keys
            .ids()
            .filter(|id| !self.used.contains(*id))
            .copied()
            .collect()
    }
}

impl SampleDecryptor for Direct {
    type Error = DirectError;

    fn prepare(&mut self, key_ids: &[KeyId], _: &[Pssh]) -> Result<(), DirectError> {
        let missing: Vec<KeyId> = key_ids
            .iter()
            .filter(|id| self.keys.get(id).is_none())
            .copied()
            .collect();
        if !missing.is_empty() {
            return Err(DirectError::Missing(missing));
        }
        self.used.extend(key_ids);
        Ok(())
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), DirectError> {
        let track = batch.track.id;
        let key_id = batch.protection.kid;
        let key = self
            .keys
            .get(&key_id)
            .ok_or_else(|| DirectError::Missing(vec![key_id]))?;
        let mut rest = data;
        for sample in batch.batch.samples() {
            let size = usize::try_from(sample.size).map_err(|_| DirectError::Batch { track })?;
            let (clear, behind) = rest
                .split_at_mut_checked(size)
                .ok_or(DirectError::Batch { track })?;
            let subsamples = batch.batch.subsamples(sample);
            let protection = SampleProtection {
                scheme: batch.protection.scheme,
                pattern: batch.protection.pattern,
                iv: sample.iv.as_slice(),
                subsamples: (!subsamples.is_empty()).then_some(subsamples),
            };
            key.decrypt_sample(&protection, clear)
                .map_err(|source| DirectError::Sample { track, source })?;
            rest = behind;
        }
        Ok(())
    }
}
