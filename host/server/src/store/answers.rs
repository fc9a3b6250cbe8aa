//! Answers kept for repeats, so that a request is worked on and counted once.

use keybearer_crypto::Digest;
use keybearer_license::{RequestId, Ueid, UnixTime};
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition};

use super::{Change, StoreError, View, first_before};

/// How long an answer is kept, in seconds. Twice the life of a challenge: when an answer is gone,
/// the challenge of the request that earned it is long over.
const ANSWER_SECONDS: u64 = 600;

/// Answers dropped with one change; more than one comes with it, so that the table shrinks.
const DROPPED_AT_ONCE: usize = 16;

/// By request id: SHA-256 of the signed request, and the answer.
const ANSWERS: TableDefinition<'_, &[u8; 16], (&[u8; 32], &[u8])> = TableDefinition::new("answers");
/// By time, for forgetting: whose answer it is.
const ANSWER_TIMES: TableDefinition<'_, (u64, &[u8; 16]), &[u8; 33]> =
    TableDefinition::new("answer_times");
/// By ueid: how many answers are kept for it.
const HOLDINGS: TableDefinition<'_, &[u8; 33], u64> = TableDefinition::new("answer_holdings");

/// Whose the answers of strangers are, all together. No ueid: the first byte of those is 1.
const STRANGERS: [u8; 33] = [0; 33];

/// An answer that was given before.
pub(crate) struct KeptAnswer {
    /// SHA-256 of the request it answers.
    pub(crate) request: Digest,
    /// The answer, as it was sent.
    pub(crate) answer: Vec<u8>,
}

fn kept(
    table: &impl ReadableTable<&'static [u8; 16], (&'static [u8; 32], &'static [u8])>,
    id: &RequestId,
) -> Result<Option<KeptAnswer>, StoreError> {
    Ok(table.get(&id.0)?.map(|entry| {
        let (request, answer) = entry.value();
        KeptAnswer {
            request: Digest(*request),
            answer: answer.to_vec(),
        }
    }))
}

impl View {
    /// The answer given to a request id.
    pub(crate) fn answer(&self, id: &RequestId) -> Result<Option<KeptAnswer>, StoreError> {
        self.table(ANSWERS)?
            .map_or(Ok(None), |table| kept(&table, id))
    }
}

impl Change {
    /// The answer given to a request id. Changes come one after the other, so what is not found
    /// here cannot be kept by another before this change is over.
    pub(crate) fn answer(&self, id: &RequestId) -> Result<Option<KeptAnswer>, StoreError> {
        kept(&self.transaction.open_table(ANSWERS)?, id)
    }

    /// How many answers are kept.
    pub(crate) fn answers(&self) -> Result<u64, StoreError> {
        Ok(self.transaction.open_table(ANSWERS)?.len()?)
    }

    /// How many answers are kept for a device.
    pub(crate) fn answers_of(&self, ueid: &Ueid) -> Result<u64, StoreError> {
        let holdings = self.transaction.open_table(HOLDINGS)?;
        let kept = holdings.get(ueid.as_bytes())?;
        Ok(kept.map_or(0, |kept| kept.value()))
    }

    /// Keeps an answer: a device's, or a stranger's.
    pub(crate) fn keep_answer(
        &self,
        now: UnixTime,
        id: &RequestId,
        request: &Digest,
        answer: &[u8],
        holder: Option<&Ueid>,
    ) -> Result<(), StoreError> {
        let holder = holder.map_or(&STRANGERS, Ueid::as_bytes);
        self.transaction
            .open_table(ANSWERS)?
            .insert(&id.0, (&request.0, answer))?;
        self.transaction
            .open_table(ANSWER_TIMES)?
            .insert((now.0, &id.0), holder)?;
        let mut holdings = self.transaction.open_table(HOLDINGS)?;
        let kept = holdings.get(holder)?.map_or(0, |kept| kept.value());
        holdings.insert(holder, kept.saturating_add(1))?;
        Ok(())
    }

    /// Forgets the oldest answers whose time is over.
    pub(crate) fn drop_old_answers(&self, now: UnixTime) -> Result<(), StoreError> {
        let mut answers = self.transaction.open_table(ANSWERS)?;
        let mut times = self.transaction.open_table(ANSWER_TIMES)?;
        let mut holdings = self.transaction.open_table(HOLDINGS)?;
        let kept_from = now.0.saturating_sub(ANSWER_SECONDS);
        for _ in 0..DROPPED_AT_ONCE {
            let Some((time, id)) = first_before(&times, kept_from)? else {
                break;
            };
            let holder = times.remove((time, &id))?.map(|holder| *holder.value());
            answers.remove(&id)?;
            let Some(holder) = holder else { continue };
            let kept = holdings.get(&holder)?.map_or(0, |kept| kept.value());
            if kept > 1 {
                holdings.insert(&holder, kept.saturating_sub(1))?;
            } else {
                holdings.remove(&holder)?;
            }
        }
        Ok(())
    }
}
