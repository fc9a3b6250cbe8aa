//! From a protected file to the screen: one track through the decoder in the trusted side, the others
//! through a clear session beside it.

mod route;
mod track;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use keybearer_media::{BatchLimit, Fragment, MediaReader, Part, Presentation, TrackFragment};

pub use self::route::Route;
use self::track::ProtectedTrack;
use super::{DecoderProblem, Presented, ProtectedSession};
use crate::{Client, ClientError, KeyId, Licensed, PlaybackError, SampleDecryptor, TrackBatch};

/// What became of one unit of the protected track.
#[derive(Debug)]
pub struct UnitReport<'a> {
    /// `track_ID`.
    pub track: u32,
    /// Its number among the track's units, from 0.
    pub number: u64,
    /// The key that it is protected with; `None` for one of a clear lead.
    pub key_id: Option<KeyId>,
    /// Where it is in the film, in the order of decoding. Pictures are named by the numbers of their units.
    pub time: Duration,
    /// Whether it was accepted, and which pictures that let out; else why not.
    pub outcome: &'a Result<Presented, ClientError>,
}

/// Who watches a film being played. Every method may be left out.
pub trait Viewer {
    /// A unit, or a batch of a clear track, of this place of the film comes next.
    fn at(&mut self, time: Duration) {
        let _ = time;
    }

    /// What became of a unit.
    fn unit(&mut self, report: &UnitReport<'_>) {
        let _ = report;
    }

    /// Pictures that were still waiting at the end.
    fn rest(&mut self, presented: &Presented) {
        let _ = presented;
    }

    /// Clear samples of another track, one behind the other, or why its key may not be used with the
    /// outputs as they are.
    fn clear(&mut self, batch: &TrackBatch<'_>, samples: Result<&[u8], &ClientError>) {
        let _ = (batch, samples);
    }
}

/// What was played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectedSummary {
    /// The track that the decoder got; `None`: no key demanded it.
    pub track: Option<u32>,
    /// Units submitted.
    pub units: u64,
    /// Those that the decoder took.
    pub accepted: u64,
    /// Those that it rejected.
    pub rejected: u64,
    /// Those that were lost with a decoder that died, or passed over until the next IDR picture.
    pub lost: u64,
    /// Those whose key the outputs did not allow, and such samples of other tracks.
    pub stopped: u64,
    /// Pictures presented.
    pub presented: u64,
    /// Protected samples of other tracks, decrypted in the clear session.
    pub clear_samples: u64,
}

/// Plays files in a protected session, and what needs none in a clear one.
///
/// Licences are acquired as keys are needed, in each session by itself: what one holds is no business of
/// the other's, since their levels differ, and so what the service grants them.
#[derive(Debug)]
pub struct ProtectedPlayer<'a> {
    session: &'a ProtectedSession,
    licensed: Licensed<'a>,
    clear: Licensed<'a>,
    route: Route,
    needed: BTreeSet<KeyId>,
    prepared: BTreeSet<KeyId>,
}

impl<'a> ProtectedPlayer<'a> {
    /// A player over a protected and a clear session of one client. `token` goes to the service with each
    /// request.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`].
    pub fn new(
        client: &'a Client,
        protected: &'a ProtectedSession,
        clear: &'a crate::Session,
        token: Option<Vec<u8>>,
        route: Route,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            session: protected,
            licensed: Licensed::new(client, protected.session(), token.clone())?,
            clear: Licensed::new(client, clear, token)?,
            route,
            needed: BTreeSet::new(),
            prepared: BTreeSet::new(),
        })
    }

    /// The licences of the protected session, see [`Licensed::licenses`].
    #[must_use]
    pub const fn protected_licenses(&self) -> &Licensed<'a> {
        &self.licensed
    }

    /// The licences of the clear session.
    #[must_use]
    pub const fn clear_licenses(&self) -> &Licensed<'a> {
        &self.clear
    }
}

/// Plays a file: the track that the route says goes to the decoder, unit by unit, and nothing clear of it
/// comes back; protected samples of other tracks are decrypted and given to the viewer.
///
/// A unit that is rejected, lost with a decoder or stopped by the outputs is told to the viewer, and the
/// play goes on.
///
/// # Errors
/// [`PlaybackError::Open`], [`PlaybackError::Input`]; [`PlaybackError::Decryptor`] for whatever else ends
/// the play: a licence that is refused, a codec or a size that the decoder does not take, a second track
/// for the decoder, a key that may not be used for reasons other than the outputs. A second track is told
/// before anything is played where both state a key of the decoder and their first protected fragments need
/// one; where only the groups of a fragment give it, when that is reached.
pub fn play_protected(
    input: &Path,
    player: &mut ProtectedPlayer<'_>,
    viewer: &mut dyn Viewer,
) -> Result<ProtectedSummary, PlaybackError<ClientError>> {
    let mut reader = open(input)?.in_pieces();
    let presentation = reader.shared_presentation();
    let chosen = player
        .route(&presentation)
        .map_err(PlaybackError::Decryptor)?;
    player.leaves_one_track(&presentation.tracks, input)?;
    let mut play = Play {
        presentation: &presentation,
        init: reader.init().to_vec(),
        chosen: None,
        track: None,
        player,
        viewer,
        summary: ProtectedSummary::default(),
        clear: Vec::new(),
    };
    if let Some(chosen) = chosen {
        play.choose(chosen);
    }
    reader.forget_init();
    while let Some(part) = reader.next_part().map_err(PlaybackError::Input)? {
        if let Part::Fragment(fragment) = part {
            play.fragment(fragment).map_err(PlaybackError::Decryptor)?;
        }
        play.player
            .licensed
            .go_on()
            .map_err(PlaybackError::Decryptor)?;
    }
    play.end().map_err(PlaybackError::Decryptor)?;
    Ok(play.summary)
}

fn open(input: &Path) -> Result<MediaReader<File>, PlaybackError<ClientError>> {
    let source = File::open(input).map_err(|source| PlaybackError::Open {
        path: input.to_path_buf(),
        source,
    })?;
    MediaReader::open_seekable(source).map_err(PlaybackError::Input)
}

/// One file being played.
struct Play<'p, 'a> {
    presentation: &'p Presentation,
    /// The initialisation segment.
    init: Vec<u8>,
    /// Index of the track that the decoder gets.
    chosen: Option<usize>,
    track: Option<ProtectedTrack<'p>>,
    player: &'p mut ProtectedPlayer<'a>,
    viewer: &'p mut dyn Viewer,
    summary: ProtectedSummary,
    /// Samples of a clear track, decrypted here.
    clear: Vec<u8>,
}

impl Play<'_, '_> {
    /// This track goes to the decoder.
    fn choose(&mut self, at: usize) {
        self.chosen = Some(at);
        if let Some(track) = self.presentation.tracks.get(at) {
            self.summary.track = Some(track.id);
            self.track = Some(ProtectedTrack::new(track, self.init.clone()));
        }
    }

    fn fragment(&mut self, fragment: &Fragment) -> Result<(), ClientError> {
        for of_track in fragment.tracks() {
            let ids: Vec<KeyId> = of_track.key_ids().collect();
            if Some(of_track.track) == self.chosen {
                // New keys of the same track are the decoder's as well.
                self.player.needed.extend(&ids);
            }
            self.player.prepare(&ids, fragment.pssh())?;
            let by_decoder = ids.iter().find(|id| self.player.needed.contains(*id));
            match (self.chosen, by_decoder) {
                (None, Some(_)) => self.choose(of_track.track),
                (Some(chosen), Some(key_id)) if chosen != of_track.track => {
                    return Err(ClientError::ProtectedPathTaken {
                        track: of_track.track_id,
                        key_id: *key_id,
                        playing: self.summary.track.unwrap_or_default(),
                    });
                }
                _ => {}
            }
        }
        for of_track in fragment.tracks() {
            if Some(of_track.track) == self.chosen {
                self.protected(of_track, fragment.media())?;
            } else {
                self.beside(of_track, fragment.media())?;
            }
        }
        Ok(())
    }

    /// The samples of the protected track, each by itself.
    fn protected(&mut self, of_track: &TrackFragment, media: &[u8]) -> Result<(), ClientError> {
        let Some(track) = &mut self.track else {
            return Ok(());
        };
        let single = BatchLimit {
            samples: 1,
            ..BatchLimit::UNLIMITED
        };
        track.enter(of_track);
        for batch in of_track.batches(single) {
            let data = media.get(batch.range()).unwrap_or_default();
            self.viewer.at(track.time());
            let (number, time) = (track.number(), track.time());
            let outcome = track.submit(self.player, of_track, &batch, data)?;
            let count = match &outcome {
                Ok(presented) => {
                    self.summary.presented += count(presented.times.len());
                    &mut self.summary.accepted
                }
                Err(error) => match error.decoder_problem() {
                    Some(DecoderProblem::ContentRejected) => &mut self.summary.rejected,
                    Some(_) => &mut self.summary.lost,
                    None => &mut self.summary.stopped,
                },
            };
            *count += 1;
            self.summary.units += 1;
            self.viewer.unit(&UnitReport {
                track: of_track.track_id,
                number,
                key_id: batch.key_id(),
                time,
                outcome: &outcome,
            });
        }
        Ok(())
    }

    /// The protected samples of another track.
    fn beside(&mut self, of_track: &TrackFragment, media: &[u8]) -> Result<(), ClientError> {
        let track = self.presentation.tracks.get(of_track.track);
        let entry = track.and_then(|track| track.entries.get(of_track.entry));
        let (Some(track), Some(entry)) = (track, entry) else {
            return Ok(());
        };
        let mut time = of_track.decode_time.unwrap_or_default();
        for batch in of_track.batches(self.player.clear.limit()) {
            let lasts = batch.samples().iter();
            let lasts: u64 = lasts.map(|sample| u64::from(sample.duration)).sum();
            self.viewer.at(track::place(time, of_track.timescale));
            time = time.saturating_add(lasts);
            let Some(protection) = batch.protection() else {
                continue;
            };
            let batch = TrackBatch {
                track,
                entry,
                protection,
                batch,
            };
            let data = media.get(batch.batch.range()).unwrap_or_default();
            let samples = count(batch.batch.samples().len());
            loop {
                // As the file has it, each time: nobody knows how far an attempt that failed got.
                self.clear.clear();
                self.clear.extend_from_slice(data);
                match self.player.clear.decrypt(&batch, &mut self.clear) {
                    Ok(()) => {
                        self.summary.clear_samples += samples;
                        self.viewer.clear(&batch, Ok(&self.clear));
                    }
                    Err(error) if error.is_restricted_by_outputs() => {
                        self.summary.stopped += samples;
                        self.viewer.clear(&batch, Err(&error));
                    }
                    Err(error) if self.player.clear.recover(&error) => continue,
                    Err(error) => return Err(error),
                }
                break;
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ClientError> {
        if !self.track.as_ref().is_some_and(ProtectedTrack::is_ready) {
            return Ok(());
        }
        let rest = match self.player.session.flush() {
            Ok(rest) => rest,
            // A decoder that dies now loses what waited, and nothing else.
            Err(error) if error.decoder_problem().is_some() => Presented::default(),
            Err(error) => return Err(error),
        };
        self.summary.presented += count(rest.times.len());
        self.viewer.rest(&rest);
        Ok(())
    }
}

fn count(samples: usize) -> u64 {
    u64::try_from(samples).unwrap_or(u64::MAX)
}
