//! The track that the decoder gets, unit by unit.

use std::time::Duration;

use keybearer_media::{Batch, Track, TrackFragment};
use keybearer_wire::{SampleTableBuilder, Status};

use super::ProtectedPlayer;
use crate::licensed::{list, track_type, waits_for_time};
use crate::protected::config::Configuration;
use crate::protected::{DecoderTrack, Presented, ProtectedUnit};
use crate::{ClientError, DecoderProblem, KeyId, SampleDecryptor, TrackType};

/// A track on its way to the decoder.
pub(super) struct ProtectedTrack<'p> {
    track: &'p Track,
    /// The initialisation segment.
    init: Vec<u8>,
    /// What the decoder is ready for.
    configuration: Option<(Configuration, TrackType)>,
    /// Number of the next unit.
    number: u64,
    /// Where that is, in units of the track's timescale.
    at: u64,
    table: SampleTableBuilder,
}

/// A place in a film.
pub(super) fn place(at: u64, timescale: u32) -> Duration {
    let scale = u64::from(timescale.max(1));
    let (seconds, rest) = (at / scale, at % scale);
    // Below the timescale, which has 32 bits, the product has 62 at most.
    let nanos = rest.saturating_mul(1_000_000_000) / scale;
    Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos))
}

impl<'p> ProtectedTrack<'p> {
    pub(super) fn new(track: &'p Track, init: Vec<u8>) -> Self {
        Self {
            track,
            init,
            configuration: None,
            number: 0,
            at: 0,
            table: SampleTableBuilder::default(),
        }
    }

    /// Whether there is a decoder that may hold pictures.
    pub(super) const fn is_ready(&self) -> bool {
        self.configuration.is_some()
    }

    /// Number of the next unit.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Where the next unit is.
    pub(super) fn time(&self) -> Duration {
        place(self.at, self.track.timescale)
    }

    /// The next units are those of this fragment.
    pub(super) const fn enter(&mut self, of_track: &TrackFragment) {
        if let Some(at) = of_track.decode_time {
            self.at = at;
        }
    }

    /// Submits the one sample of a batch. The inner error is the unit's alone, the outer one ends the
    /// play.
    pub(super) fn submit(
        &mut self,
        player: &mut ProtectedPlayer<'_>,
        of_track: &TrackFragment,
        batch: &Batch<'_>,
        data: &[u8],
    ) -> Result<Result<Presented, ClientError>, ClientError> {
        self.configure(player, of_track.entry, batch.key_id())?;
        let time = self.number;
        self.number += 1;
        let lasts = batch.samples().iter();
        // A file may begin at any time.
        self.at = lasts.fold(self.at, |at, sample| {
            at.saturating_add(sample.duration.into())
        });
        list(&mut self.table, batch)?;
        let mut timed = false;
        loop {
            let configuration = self.configuration.as_ref();
            let unit = ProtectedUnit {
                time,
                duration_ms: u32::try_from(batch.duration_ms()).unwrap_or(u32::MAX),
                protection: batch
                    .protection()
                    .map(|protection| (protection, &self.table)),
                license: None,
                idr: configuration.is_some_and(|(it, _)| it.is_idr(data)),
            };
            let error = match player.session.submit(&unit, data) {
                Ok(presented) => return Ok(Ok(presented)),
                Err(error) => error,
            };
            match (error.decoder_problem(), batch.key_id()) {
                (Some(DecoderProblem::NotConfigured), _) => return Err(error),
                (Some(_), _) => return Ok(Err(error)),
                (None, Some(id)) if is_unusable(&error) => match standing(player, id, error)? {
                    Unusable::Time(error) if timed => return Err(error),
                    Unusable::Time(_) => {
                        timed = true;
                        let (client, session) = player.licensed.of();
                        client.sync_time(session)?;
                    }
                    Unusable::Outputs(error) => {
                        // What refers to this unit would be shown without it. Where the decoder is
                        // lost nothing waits, and the next unit tells.
                        let _ = player.session.skip();
                        return Ok(Err(error));
                    }
                },
                (None, _) if recovers(player, &error) => {
                    // The decoder is gone as well, and the next one begins with the next IDR picture.
                    self.configuration = None;
                    self.configure(player, of_track.entry, batch.key_id())?;
                }
                (None, _) => return Err(error),
            }
        }
    }

    /// Makes the decoder ready for a sample entry, unless it is ready for the same.
    fn configure(
        &mut self,
        player: &ProtectedPlayer<'_>,
        entry: usize,
        key: Option<KeyId>,
    ) -> Result<(), ClientError> {
        let unsupported = ClientError::Decoder {
            during: "choosing a track",
            problem: DecoderProblem::UnsupportedCodec,
        };
        let wanted = self.track.entries.get(entry);
        let found = Configuration::of(&self.init, self.track.id, entry);
        let (Some(wanted), Some(found)) = (wanted, found) else {
            return Err(unsupported);
        };
        // What a clear lead is for its track's key says; without one, the picture's size.
        let key = key.or_else(|| self.track.protection().map(|protection| protection.kid));
        let licensed = key.and_then(|id| player.licensed.track(&id));
        let licensed = licensed.unwrap_or(TrackType::Other);
        let track_type = track_type(self.track.kind, wanted.picture, licensed);
        let ready = (found, track_type);
        if self.configuration.as_ref() == Some(&ready) {
            return Ok(());
        }
        player.session.configure(&DecoderTrack {
            track_type,
            codec: wanted.codec.0,
            record: ready.0.record.clone(),
        })?;
        self.configuration = Some(ready);
        Ok(())
    }
}

/// Why a key may not be used, where the play may go on.
enum Unusable {
    /// Trusted time is missing.
    Time(ClientError),
    /// Its outputs do not give what it demands.
    Outputs(ClientError),
}

fn is_unusable(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Refused {
            status: Status::KeyNotUsable,
            ..
        }
    )
}

/// Opens the keys' side anew if that is what is wrong: a decoder whose keys' side has died can only say
/// that its platform fails.
fn recovers(player: &mut ProtectedPlayer<'_>, error: &ClientError) -> bool {
    if player.licensed.recover(error) {
        return true;
    }
    let (_, session) = player.licensed.of();
    let asked = session.statuses();
    asked.is_err_and(|error| player.licensed.recover(&error))
}

/// What the trusted side says of a key that it does not let be used.
///
/// # Errors
/// What ends the play: the key's status with its reasons, or `error` where none is told.
fn standing(
    player: &ProtectedPlayer<'_>,
    id: KeyId,
    error: ClientError,
) -> Result<Unusable, ClientError> {
    let (_, session) = player.licensed.of();
    let statuses = session.statuses()?;
    let Some(key) = statuses.key(&id) else {
        return Err(error);
    };
    let error = ClientError::of_key(key);
    if waits_for_time(key) {
        return Ok(Unusable::Time(error));
    }
    if error.is_restricted_by_outputs() {
        return Ok(Unusable::Outputs(error));
    }
    Err(error)
}
