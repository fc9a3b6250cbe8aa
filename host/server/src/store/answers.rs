//! Answers kept for repeats, so that a request is worked on and counted once.

use keybearer_crypto::Digest;
use keybearer_license::{RequestId, UnixTime};
use redb::{ReadableTable, ReadableTableMetadata, TableDefinition};

use super::{Change, StoreError, View, first_before};

/// How long an answer is kept, in seconds. Twice the life of a challenge: when an answer is gone,
/// the challenge of the request that earned it is long over.
const ANSWER_SECONDS: u64 = 600;

/// Answers dropped with one change; more than one comes with it, so that the table shrinks.
const DROPPED_AT_ONCE: usize = 16;

/// By request id: SHA-256 of the signed request, and the answer.
const ANSWERS: TableDefinition<'_, &[u8; 16], (&[u8; 32], &[u8])> = TableDefinition::new("answers");
/// By time, for forgetting.
const ANSWER_TIMES: TableDefinition<'_, (u64, &[u8; 16]), ()> =
    TableDefinition::new("answer_times");

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

    /// Keeps an answer.
    pub(crate) fn keep_answer(
        &self,
        now: UnixTime,
        id: &RequestId,
        request: &Digest,
        answer: &[u8],
    ) -> Result<(), StoreError> {
        self.transaction
            .open_table(ANSWERS)?
            .insert(&id.0, (&request.0, answer))?;
        self.transaction
            .open_table(ANSWER_TIMES)?
            .insert((now.0, &id.0), ())?;
        Ok(())
    }

    /// Forgets the oldest answers whose time is over.
    pub(crate) fn drop_old_answers(&self, now: UnixTime) -> Result<(), StoreError> {
        let mut answers = self.transaction.open_table(ANSWERS)?;
        let mut times = self.transaction.open_table(ANSWER_TIMES)?;
        let kept_from = now.0.saturating_sub(ANSWER_SECONDS);
        for _ in 0..DROPPED_AT_ONCE {
            let Some((time, id)) = first_before(&times, kept_from)? else {
                break;
            };
            times.remove((time, &id))?;
            answers.remove(&id)?;
        }
        Ok(())
    }
}
