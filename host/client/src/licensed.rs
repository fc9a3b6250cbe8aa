//! Decrypts samples with licences acquired over a client.

mod holding;
mod samples;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use keybearer_license::SYSTEM_ID;
use keybearer_media::{BatchLimit, Pssh};
use keybearer_tee::SharedMemory;
use keybearer_wire::body::ReasonField;
use keybearer_wire::limits::{MAX_INIT_DATA, MAX_MEDIA_DURATION_MS, MAX_SAMPLES, MAX_SUBSAMPLES};
use keybearer_wire::{SampleTableBuilder, Status};

use self::holding::Holding;
use self::samples::refuse_long_sample;
pub(crate) use self::samples::{list, track_type};
use crate::{
    Client, ClientError, DecryptCall, InitData, Key, KeyId, KeyStatus, License, LicenseWanted,
    SampleDecryptor, Session, Statuses, TrackBatch, TrackType,
};

/// How often a trusted side that dies is opened anew within [`RECOVERY_TIME`]: one that dies of what it
/// is given would do so for ever.
const RECOVERIES: usize = 5;
/// See [`RECOVERIES`].
const RECOVERY_TIME: Duration = Duration::from_secs(60);

/// Decrypts with licences that it acquires as keys are needed, all samples inside the trusted side.
///
/// New keys are asked for in one request, and only those that the session does not hold already, be it
/// by licences of others. Where the session is full of licences, those of this decryptor that were used
/// longest ago make room; when their keys are needed again they are asked for again. A trusted side that
/// dies is opened anew, up to five times a minute, and the same keys acquired once more.
///
/// Calls block for the network while they acquire: until the client's deadline, or until its
/// [`crate::Cancel`] is triggered. Renewals are a driver's business ([`Client::keep_alive`]).
pub struct Licensed<'a> {
    client: &'a Client,
    session: &'a Session,
    token: Option<Vec<u8>>,
    max_media: u64,
    holding: Holding,
    recoveries: VecDeque<Instant>,
    unrecovered: Option<ClientError>,
    table: SampleTableBuilder,
}

/// Leaves the token out: whoever reads it could use it.
impl fmt::Debug for Licensed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Licensed")
            .field("licenses", &self.holding.licenses)
            .finish_non_exhaustive()
    }
}

impl<'a> Licensed<'a> {
    /// Starts with the licences that the session holds already. `token` goes to the service with
    /// each request.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`].
    pub fn new(
        client: &'a Client,
        session: &'a Session,
        token: Option<Vec<u8>>,
    ) -> Result<Self, ClientError> {
        let max_media = session.describe()?.max_media.into();
        let statuses = session.statuses()?;
        let mut holding = Holding::default();
        holding.look(&statuses);
        holding.licenses = statuses.licenses;
        Ok(Self {
            client,
            session,
            token,
            max_media,
            holding,
            recoveries: VecDeque::new(),
            unrecovered: None,
            table: SampleTableBuilder::default(),
        })
    }

    /// The licences that were acquired or held already, in that order, as they were then.
    #[must_use]
    pub fn licenses(&self) -> &[License] {
        &self.holding.licenses
    }

    /// Why the trusted side, after its death, could not be opened anew with the same keys.
    #[must_use]
    pub const fn unrecovered(&self) -> Option<&ClientError> {
        self.unrecovered.as_ref()
    }

    /// Whose keys these are.
    pub(crate) const fn of(&self) -> (&'a Client, &'a Session) {
        (self.client, self.session)
    }

    /// What a key that is held is for.
    pub(crate) fn track(&self, key: &KeyId) -> Option<TrackType> {
        self.holding.track(key)
    }

    /// Takes over what the session holds now.
    fn look(&mut self) -> Result<Statuses, ClientError> {
        let statuses = self.session.statuses()?;
        self.holding.look(&statuses);
        Ok(statuses)
    }

    /// Acquires keys, and brings trusted time where nothing else is missing: an answer that comes late
    /// brings none.
    fn acquire(&mut self, key_ids: &[KeyId], init_data: Vec<InitData>) -> Result<(), ClientError> {
        if key_ids.is_empty() {
            return Ok(());
        }
        let wanted = LicenseWanted {
            key_ids: key_ids.to_vec(),
            init_data,
            token: self.token.clone(),
            ..LicenseWanted::default()
        };
        self.holding.begin();
        self.client
            .acquire_each(self.session, &wanted, &mut self.holding)?;
        let statuses = self.look()?;
        let mut keys = key_ids.iter().filter_map(|id| statuses.key(id));
        if keys.any(waits_for_time) {
            self.client.sync_time(self.session)?;
        }
        Ok(())
    }

    /// Runs a call of the trusted side, and once more where only trusted time was missing: what it
    /// refuses it leaves as it was.
    fn decrypt_call(
        &mut self,
        batch: &TrackBatch<'_>,
        licensed: TrackType,
        data: &mut [u8],
    ) -> Result<(), ClientError> {
        let key_id = batch.protection.kid;
        list(&mut self.table, &batch.batch)?;
        let call = DecryptCall {
            key_id,
            license: None,
            track_type: track_type(batch.track.kind, batch.entry.picture, licensed),
            protection: batch.protection,
            duration_ms: u32::try_from(batch.batch.duration_ms()).unwrap_or(u32::MAX),
            picture: batch.entry.picture,
            samples: &self.table,
        };
        let error = match self.session.decrypt(&call, data) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !is_refusal(&error, Status::KeyNotUsable) {
            return Err(error);
        }
        let Ok(statuses) = self.session.statuses() else {
            return Err(error);
        };
        match statuses.key(&key_id) {
            Some(key) if waits_for_time(key) => {
                self.client.sync_time(self.session)?;
                self.session.decrypt(&call, data)
            }
            Some(key) => Err(ClientError::of_key(key)),
            None => Err(error),
        }
    }

    /// Opens the trusted side anew and acquires what it held.
    fn open_anew(&mut self) -> Result<(), ClientError> {
        let held = self.holding.key_ids();
        self.client.reopen(self.session)?;
        self.holding.lost();
        match self.acquire(&held, Vec::new()) {
            // Keys of times gone by may not be given any more; one that is needed says so when it is.
            Err(ClientError::KeysMissing { .. }) => self.look().map(drop),
            done => done,
        }
    }
}

impl SampleDecryptor for Licensed<'_> {
    type Error = ClientError;

    fn limit(&self) -> BatchLimit {
        BatchLimit {
            duration_ms: MAX_MEDIA_DURATION_MS.into(),
            bytes: self.max_media,
            samples: MAX_SAMPLES,
            subsamples: MAX_SUBSAMPLES,
        }
    }

    fn go_on(&mut self) -> Result<(), ClientError> {
        self.client.check("decrypting")
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), ClientError> {
        // Other systems' init data says nothing to the service, and what is in the common box stands
        // in the tracks as well.
        let own = pssh.iter().filter(|item| item.system_id == SYSTEM_ID);
        let init_data = own
            .filter(|item| item.data.len() <= MAX_INIT_DATA)
            .map(|item| InitData {
                system_id: item.system_id,
                data: item.data.clone(),
            });
        // Others may have brought a licence. A key that has ended counts as missing: the service may have
        // more time for it.
        let statuses = self.look()?;
        let is_missing = |id: &&KeyId| {
            let key = statuses.key(id);
            key.is_none_or(|key| matches!(key.status, KeyStatus::Expired | KeyStatus::Released))
        };
        let missing: Vec<KeyId> = key_ids.iter().filter(is_missing).copied().collect();
        self.acquire(&missing, init_data.collect())
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), ClientError> {
        let key_id = batch.protection.kid;
        refuse_long_sample(batch)?;
        if self.holding.is_given_up(&key_id) {
            self.acquire(&[key_id], Vec::new())?;
        }
        let licensed = self.holding.track(&key_id);
        let licensed = licensed.ok_or_else(|| ClientError::KeysMissing {
            key_ids: vec![key_id],
            denial: None,
        })?;
        self.holding.used(&key_id);
        self.decrypt_call(batch, licensed, data)
    }

    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        // Without it media is copied; what is wrong with the trusted side the next call says.
        self.session.shared_memory(len).ok().flatten()
    }

    fn recover(&mut self, error: &ClientError) -> bool {
        if !error.is_dead() && !is_refusal(error, Status::UnknownSession) {
            return false;
        }
        let now = Instant::now();
        let recent = |at: &Instant| now.duration_since(*at) < RECOVERY_TIME;
        self.recoveries.retain(recent);
        if self.recoveries.len() >= RECOVERIES {
            return false;
        }
        self.recoveries.push_back(now);
        self.unrecovered = self.open_anew().err();
        self.unrecovered.is_none()
    }
}

fn is_refusal(error: &ClientError, expected: Status) -> bool {
    matches!(error, ClientError::Refused { status, .. } if *status == expected)
}

/// Whether trusted time is all that a key waits for.
pub(crate) fn waits_for_time(key: &Key) -> bool {
    let mut reasons = key.reasons.iter();
    key.status == KeyStatus::StatusPending
        && reasons.any(|reason| reason.field == ReasonField::TrustedTime)
}

#[cfg(test)]
mod tests;
