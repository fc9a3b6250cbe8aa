//! Decrypts samples with licences acquired over a client.

use std::collections::HashMap;
use std::fmt;

use keybearer_license::SYSTEM_ID;
use keybearer_media::{BatchLimit, PictureSize, Pssh, TrackKind};
use keybearer_wire::limits::{
    MAX_INIT_DATA, MAX_INIT_DATA_ITEMS, MAX_KEY_IDS, MAX_MEDIA_DURATION_MS, MAX_SAMPLES,
    MAX_SUBSAMPLES,
};
use keybearer_wire::{SampleTableBuilder, Status, SubsampleEntry};

use crate::{
    Client, ClientError, DecryptCall, InitData, KeyId, License, LicenseWanted, SampleDecryptor,
    Session, TrackBatch, TrackType,
};

/// Decrypts with licences that it acquires as keys are needed, all samples inside the trusted side.
pub struct Licensed<'a> {
    client: &'a Client,
    session: &'a Session,
    token: Option<Vec<u8>>,
    max_media: u64,
    licenses: Vec<License>,
    tracks: HashMap<KeyId, TrackType>,
    table: SampleTableBuilder,
}

/// Leaves the token out: whoever reads it could use it.
impl fmt::Debug for Licensed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Licensed")
            .field("licenses", &self.licenses)
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
        let held = session.statuses()?.licenses;
        let mut licensed = Self {
            client,
            session,
            token,
            max_media,
            licenses: Vec::new(),
            tracks: HashMap::new(),
            table: SampleTableBuilder::default(),
        };
        held.into_iter().for_each(|license| licensed.hold(license));
        Ok(licensed)
    }

    /// The licences that were acquired or held already, in that order, as they were then.
    #[must_use]
    pub fn licenses(&self) -> &[License] {
        &self.licenses
    }

    fn hold(&mut self, license: License) {
        self.tracks
            .extend(license.keys.iter().map(|key| (key.id, key.track_type)));
        self.licenses.push(license);
    }

    /// Asks until every key is there. A service gives the keys of one content in one licence: what an
    /// answer leaves out is asked for again, once for each set, by key ids alone, since init data could
    /// lead to the same content once more.
    fn acquire(&mut self, key_ids: &[KeyId], init_data: &[InitData]) -> Result<(), ClientError> {
        let mut missing = key_ids.to_vec();
        let mut init_data = init_data.to_vec();
        loop {
            let asked = missing.len();
            let wanted = LicenseWanted {
                key_ids: missing.clone(),
                init_data: std::mem::take(&mut init_data),
                token: self.token.clone(),
                ..LicenseWanted::default()
            };
            let license = match self.client.acquire(self.session, &wanted) {
                Ok(license) => license,
                // Of the first answer the denial says it all; later it is about the rest only.
                Err(ClientError::Denied(denial)) if asked < key_ids.len() => {
                    let denial = Some(Box::new(denial));
                    let key_ids = missing;
                    return Err(ClientError::KeysMissing { key_ids, denial });
                }
                Err(error) => return Err(error),
            };
            self.hold(license);
            missing.retain(|id| !self.tracks.contains_key(id));
            if missing.is_empty() {
                return Ok(());
            }
            if missing.len() == asked {
                let key_ids = missing;
                let denial = None;
                return Err(ClientError::KeysMissing { key_ids, denial });
            }
        }
    }

    /// Adds what the trusted side knows about a key that it refused.
    fn explained(&mut self, key_id: KeyId, error: ClientError) -> ClientError {
        if !matches!(
            error,
            ClientError::Refused {
                status: Status::KeyNotUsable,
                ..
            }
        ) {
            return error;
        }
        match self.session.statuses() {
            Ok(statuses) => match statuses.key(&key_id) {
                Some(key) => ClientError::KeyNotUsable {
                    key_id,
                    status: key.status,
                    reasons: key.reasons.clone(),
                },
                None => error,
            },
            Err(_) => error,
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

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), ClientError> {
        // Other systems' init data says nothing to the service, and what is in the common box stands
        // in the tracks as well.
        let own = pssh.iter().filter(|item| item.system_id == SYSTEM_ID);
        let init_data: Vec<InitData> = own
            .filter(|item| item.data.len() <= MAX_INIT_DATA)
            .map(|item| InitData {
                system_id: item.system_id,
                data: item.data.clone(),
            })
            .take(MAX_INIT_DATA_ITEMS)
            .collect();
        let missing: Vec<KeyId> = key_ids
            .iter()
            .copied()
            .filter(|id| !self.tracks.contains_key(id))
            .collect();
        missing
            .chunks(MAX_KEY_IDS)
            .try_for_each(|ids| self.acquire(ids, &init_data))
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), ClientError> {
        let key_id = batch.protection.kid;
        let licensed = *self
            .tracks
            .get(&key_id)
            .ok_or_else(|| ClientError::KeysMissing {
                key_ids: vec![key_id],
                denial: None,
            })?;
        refuse_long_sample(batch)?;
        let full = |status| ClientError::Refused {
            during: "listing samples",
            status,
        };
        self.table.clear();
        for sample in batch.batch.samples() {
            let subsamples = batch.batch.subsamples(sample).iter();
            let subsamples = subsamples.map(|part| SubsampleEntry {
                clear: part.clear,
                protected: part.protected,
            });
            self.table
                .push(sample.iv.as_slice(), sample.size, subsamples)
                .map_err(full)?;
        }
        let call = DecryptCall {
            key_id,
            license: None,
            track_type: track_type(batch.track.kind, batch.entry.picture, licensed),
            protection: batch.protection,
            duration_ms: u32::try_from(batch.batch.duration_ms()).unwrap_or(u32::MAX),
            picture: batch.entry.picture,
            samples: &self.table,
        };
        self.session
            .decrypt(&call, data)
            .map_err(|error| self.explained(key_id, error))
    }
}

/// A sample cannot be split, and the trusted side looks at its rules at least every two seconds of
/// media: said here, where the sample can be named.
fn refuse_long_sample(batch: &TrackBatch<'_>) -> Result<(), ClientError> {
    let duration_ms = batch.batch.duration_ms();
    let limit_ms = u64::from(MAX_MEDIA_DURATION_MS);
    if duration_ms <= limit_ms {
        return Ok(());
    }
    let fragment = batch.batch.fragment();
    let first = batch.batch.samples().first().map(|sample| sample.range());
    let before = fragment
        .samples()
        .iter()
        .take_while(|sample| Some(sample.range()) != first);
    Err(ClientError::SampleTooLong {
        track: batch.track.id,
        sample: before.count().saturating_add(1),
        decode_time: fragment.decode_time,
        timescale: fragment.timescale,
        duration_ms,
        limit_ms,
    })
}

/// What to call the track when asking for its decryption. A file knows sound from pictures, but not
/// what a service counts as high definition: there the key's own type is taken, and the trusted side
/// compares the picture size. Where the two contradict each other the file's word goes out and is
/// refused.
fn track_type(kind: TrackKind, picture: Option<PictureSize>, licensed: TrackType) -> TrackType {
    match (kind, licensed) {
        (TrackKind::Audio, _) => TrackType::Audio,
        (TrackKind::Other, _) => TrackType::Other,
        (TrackKind::Video, TrackType::Audio | TrackType::Other) => {
            match picture.map(|picture| u32::from(picture.width) * u32::from(picture.height)) {
                // Up to 1024 x 576, the largest standard-definition picture in use.
                Some(pixels) if pixels > 1024 * 576 => TrackType::Hd,
                _ => TrackType::Sd,
            }
        }
        (TrackKind::Video, video) => video,
    }
}

#[cfg(test)]
mod tests;
