//! Which track goes to the decoder, and whose keys are acquired in which session.

use std::path::Path;

use keybearer_license::DenialReason;
use keybearer_media::{Part, Presentation, Pssh, Track, TrackKind};

use super::{ProtectedPlayer, open};
use crate::{ClientError, KeyId, Level, PlaybackError, SampleDecryptor};

/// Which tracks go to the decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// The first protected track of pictures.
    #[default]
    Pictures,
    /// The one whose key no clear session may have. Where the clear session may have them all, none does.
    AsNeeded,
}

impl ProtectedPlayer<'_> {
    /// Acquires the keys of a presentation, before anything is played, and says which track goes to the
    /// decoder, where that is known by now.
    pub(super) fn route(
        &mut self,
        presentation: &Presentation,
    ) -> Result<Option<usize>, ClientError> {
        let tracks = &presentation.tracks;
        // Whatever its samples turn out to be: groups may protect what the track itself does not.
        let picture =
            |track: &Track| track.kind == TrackKind::Video && track.protection().is_some();
        let mut ids = presentation.key_ids();
        let mut chosen = None;
        if self.route == Route::Pictures {
            chosen = tracks.iter().position(picture);
            let own = chosen.and_then(|at| tracks.get(at)).and_then(key_of);
            let others = tracks.iter().enumerate().any(|(at, track)| {
                let other_key = key_of(track).is_some_and(|id| Some(id) != own);
                Some(at) != chosen && (other_key || track.has_key_groups())
            });
            // Keys by sample groups are those of a track that the fragments name.
            ids.retain(|id| !others || tracks.iter().any(|track| key_of(track) == Some(*id)));
            let of_others =
                |id: &KeyId| Some(*id) != own && tracks.iter().any(|it| key_of(it) == Some(*id));
            let own = ids.iter().filter(|id| chosen.is_some() && !of_others(id));
            self.needed.extend(own);
        }
        self.prepare(&ids, &presentation.pssh)?;
        Ok(chosen)
    }

    /// Tests that the decoder gets one track at most, as far as that is known before anything is played.
    ///
    /// Two tracks that name its keys are looked up in the file, for sample groups may give their samples
    /// others: what counts is the first protected fragment of each. What comes behind these is met when
    /// it is played.
    pub(super) fn leaves_one_track(
        &self,
        tracks: &[Track],
        input: &Path,
    ) -> Result<(), PlaybackError<ClientError>> {
        let names_one = |track: &Track| key_of(track).is_some_and(|id| self.needed.contains(&id));
        let mut naming: Vec<usize> = (0..tracks.len())
            .filter(|at| tracks.get(*at).is_some_and(names_one))
            .collect();
        if naming.len() < 2 {
            return Ok(());
        }
        let mut needing = Vec::new();
        let mut reader = open(input)?.in_pieces();
        while !naming.is_empty()
            && let Some(part) = reader.next_part().map_err(PlaybackError::Input)?
        {
            let Part::Fragment(fragment) = part else {
                continue;
            };
            for found in fragment.tracks() {
                let mut ids = found.key_ids().peekable();
                let waits = naming.iter().position(|at| *at == found.track);
                if let Some(waits) = waits
                    && ids.peek().is_some()
                {
                    naming.swap_remove(waits);
                    let key_id = ids.find(|id| self.needed.contains(id));
                    needing.extend(tracks.get(found.track).zip(key_id));
                }
            }
        }
        // Pictures are what it is for.
        needing.sort_by_key(|(track, _)| (track.kind != TrackKind::Video, track.id));
        match needing[..] {
            [(playing, _), (other, key_id), ..] => {
                Err(PlaybackError::Decryptor(ClientError::ProtectedPathTaken {
                    track: other.id,
                    key_id,
                    playing: playing.id,
                }))
            }
            _ => Ok(()),
        }
    }

    /// Acquires keys that have not been acquired yet.
    pub(super) fn prepare(&mut self, ids: &[KeyId], pssh: &[Pssh]) -> Result<(), ClientError> {
        let new = ids.iter().filter(|id| !self.prepared.contains(*id));
        let new: Vec<KeyId> = new.copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        let (protected, clear): (Vec<KeyId>, Vec<KeyId>) =
            new.iter().partition(|id| self.needed.contains(*id));
        let mut refused = Vec::new();
        if !clear.is_empty() {
            match self.clear.prepare(&clear, pssh) {
                Ok(()) => {}
                Err(error) if self.route == Route::AsNeeded => {
                    // What the clear session holds already was not asked for.
                    let asked = clear.iter().filter(|id| self.clear.track(id).is_none());
                    let asked: Vec<KeyId> = asked.copied().collect();
                    refused = needs_high(&error, &asked).ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        }
        let protected: Vec<KeyId> = protected.into_iter().chain(refused).collect();
        if !protected.is_empty() {
            // A device that has less says here, before anything is played, what is needed.
            self.licensed.prepare(&protected, pssh)?;
            self.needed.extend(protected);
        }
        self.prepared.extend(new);
        Ok(())
    }
}

/// The key that a track names for its samples, where groups give them no other.
fn key_of(track: &Track) -> Option<KeyId> {
    let mut protections = track.entries.iter().filter_map(|entry| entry.protection);
    protections
        .find(|protection| protection.is_protected)
        .map(|protection| protection.kid)
}

/// The keys of those asked for that a clear session may not have, if that is all that is wrong.
fn needs_high(error: &ClientError, asked: &[KeyId]) -> Option<Vec<KeyId>> {
    let (denial, missing) = match error {
        ClientError::Denied(denial) => (denial, asked),
        ClientError::KeysMissing {
            key_ids,
            denial: Some(denial),
        } => (&**denial, &key_ids[..]),
        _ => return None,
    };
    let high = denial.reason == Some(DenialReason::LevelTooLow)
        && denial.level_needed == Some(Level::High);
    high.then(|| missing.to_vec())
}
