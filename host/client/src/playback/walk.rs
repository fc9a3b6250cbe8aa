//! The walk over one file or stream, part by part.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};

use keybearer_media::{
    BatchLimit, ClearWriter, Fragment, KeyId, MediaError, MediaReader, PAGE, Part, Presentation,
    Pssh, Sample,
};

use super::memory::MediaMemory;
use super::{PlaybackError, Progress, SampleDecryptor, Summary, TrackBatch};

/// Most key ids, and most `pssh` boxes, that are remembered as told. Real streams have a few.
const MAX_SEEN: usize = 4096;
/// Memory is asked for with this much to spare at most, so that it need not be for each fragment that
/// is a little larger than those before.
const MAX_SPARE: usize = 1 << 20;

pub(super) fn walk<D: SampleDecryptor, R: Read, W: Write>(
    reader: MediaReader<R>,
    output: W,
    decryptor: &mut D,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Summary, W), PlaybackError<D::Error>> {
    let mut reader = reader.in_pieces();
    let presentation = reader.shared_presentation();
    decryptor
        .begin(reader.init())
        .map_err(PlaybackError::Decryptor)?;
    let mut writer = ClearWriter::start(output, &reader).map_err(PlaybackError::Output)?;
    reader.forget_init();
    let mut walk = Walk {
        seen: Seen::default(),
        summary: Summary::default(),
        presentation: &presentation,
        lent: Lent::default(),
        decryptor,
    };
    if presentation.is_protected() {
        walk.prepare(presentation.key_ids(), &presentation.pssh)
            .map_err(PlaybackError::Decryptor)?;
    }
    loop {
        walk.lend(&mut reader).map_err(PlaybackError::Input)?;
        let Some(part) = reader.next_part().map_err(PlaybackError::Input)? else {
            break;
        };
        walk.decryptor.go_on().map_err(PlaybackError::Decryptor)?;
        match part {
            Part::Other(bytes) => writer.write_other(bytes),
            Part::Fragment(_) => {
                walk.fragment(&mut reader)?;
                writer.write_fragment(reader.fragment())
            }
        }
        .map_err(PlaybackError::Output)?;
        progress(Progress {
            bytes: reader.position(),
            total: None,
            samples: walk.summary.protected_samples,
        });
    }
    walk.decryptor.end().map_err(PlaybackError::Decryptor)?;
    let mut summary = walk.summary;
    summary.bytes = reader.position();
    let output = writer.finish().map_err(PlaybackError::Output)?;
    Ok((summary, output))
}

/// What the decryptor was told already. An endless stream may bring new key ids and `pssh` boxes in
/// every fragment, so only so many are kept, and of the boxes a digest.
#[derive(Default)]
struct Seen {
    key_ids: HashSet<KeyId>,
    pssh: HashSet<[u64; 2]>,
    /// Keyed at random: nobody can make a file whose boxes collide.
    hashers: [RandomState; 2],
}

impl Seen {
    fn is_new_key(&mut self, id: KeyId) -> bool {
        if self.key_ids.len() >= MAX_SEEN {
            self.key_ids.clear();
        }
        self.key_ids.insert(id)
    }

    /// True for a box not seen before.
    fn is_new(&mut self, pssh: &Pssh) -> bool {
        if self.pssh.len() >= MAX_SEEN {
            self.pssh.clear();
        }
        let content = (&pssh.system_id, &pssh.key_ids, &pssh.data);
        let digest = self.hashers.each_ref().map(|state| state.hash_one(content));
        self.pssh.insert(digest)
    }
}

/// What is known about the decryptor's own memory.
#[derive(Default)]
struct Lent {
    /// Bytes of the piece in use; 0 for none.
    bytes: usize,
    /// It has none, so that asking again is of no use.
    refused: bool,
    /// What the largest fragment so far needed: where an input cannot tell what comes, the best guess.
    largest: usize,
}

/// The walk over one file.
struct Walk<'w, D> {
    presentation: &'w Presentation,
    decryptor: &'w mut D,
    seen: Seen,
    summary: Summary,
    lent: Lent,
}

impl<D: SampleDecryptor> Walk<'_, D> {
    /// Tells the decryptor what is new; nothing, if nothing is.
    fn prepare(&mut self, mut key_ids: Vec<KeyId>, pssh: &[Pssh]) -> Result<(), D::Error> {
        key_ids.retain(|id| self.seen.is_new_key(*id));
        let new_pssh = pssh.iter().filter(|item| self.seen.is_new(item));
        let new_pssh: Vec<Pssh> = new_pssh.cloned().collect();
        if key_ids.is_empty() && new_pssh.is_empty() {
            return Ok(());
        }
        while let Err(error) = self.decryptor.prepare(&key_ids, &new_pssh) {
            if !self.decryptor.recover(&error) {
                return Err(error);
            }
            self.lent = Lent::default();
        }
        Ok(())
    }

    /// Puts the next part into memory of the decryptor's own, where it has any.
    fn lend<R: Read>(&mut self, reader: &mut MediaReader<R>) -> Result<(), MediaError> {
        if self.lent.refused {
            return Ok(());
        }
        let wanted = reader.needed_memory()?.unwrap_or(0);
        self.lend_at_least(reader, wanted.max(self.lent.largest))
    }

    fn lend_at_least<R: Read>(
        &mut self,
        reader: &mut MediaReader<R>,
        wanted: usize,
    ) -> Result<(), MediaError> {
        if wanted <= self.lent.bytes || self.lent.refused {
            return Ok(());
        }
        // The old memory goes first: there is never room for two fragments.
        reader.set_memory(Box::new(MediaMemory::new(None)))?;
        let spare = (wanted / 8).min(MAX_SPARE);
        let shared = self.decryptor.memory(wanted.saturating_add(spare));
        self.lent.bytes = shared.as_ref().map_or(0, |shared| shared.bytes().len());
        self.lent.refused = self.lent.bytes < wanted;
        if !self.lent.refused {
            reader.set_memory(Box::new(MediaMemory::new(shared)))?;
        }
        Ok(())
    }

    /// Decrypts the reader's fragment. What the decryptor failed on and recovers from is begun again
    /// with the data as the input has them: nobody knows what became of those it was working on.
    fn fragment<R: Read>(
        &mut self,
        reader: &mut MediaReader<R>,
    ) -> Result<(), PlaybackError<D::Error>> {
        let fragment = reader.fragment();
        let tracks = fragment.tracks().iter();
        let key_ids = tracks.flat_map(|track| track.key_ids()).collect();
        self.prepare(key_ids, fragment.pssh())
            .map_err(PlaybackError::Decryptor)?;
        let needed = fragment.media().len().saturating_add(PAGE);
        self.lent.largest = self.lent.largest.max(needed);
        while let Err(error) = self.decrypt(reader.fragment()) {
            if !reader.can_reread() || !self.decryptor.recover(&error) {
                return Err(PlaybackError::Decryptor(error));
            }
            let largest = self.lent.largest;
            self.lent = Lent::default();
            self.lend_at_least(reader, largest)
                .and_then(|()| reader.reread())
                .map_err(PlaybackError::Input)?;
        }
        self.count(reader.fragment());
        Ok(())
    }

    fn decrypt(&mut self, fragment: &mut Fragment) -> Result<(), D::Error> {
        let limit = self.decryptor.limit();
        let (tracks, media) = fragment.split();
        for of_track in tracks {
            let track = self.presentation.tracks.get(of_track.track);
            let entry = track.and_then(|track| track.entries.get(of_track.entry));
            for batch in of_track.batches(limit) {
                // The reader made all three from one movie header; none of them is absent.
                let (Some(track), Some(entry), Some(protection)) =
                    (track, entry, batch.protection())
                else {
                    continue;
                };
                let batch = TrackBatch {
                    track,
                    entry,
                    protection,
                    batch,
                };
                // In bounds by the reader's word; nothing, were it not, would not fit the samples' sizes.
                let data = media.get_mut(batch.batch.range()).unwrap_or_default();
                self.decryptor.decrypt(&batch, data)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, fragment: &Fragment) {
        self.summary.fragments += u64::from(!fragment.is_continued());
        for track in fragment.tracks() {
            self.summary.samples += count(track.samples());
            for batch in track.batches(BatchLimit::UNLIMITED) {
                let Some(id) = batch.key_id() else { continue };
                self.summary.protected_samples += count(batch.samples());
                if !self.summary.key_ids.contains(&id) {
                    self.summary.key_ids.push(id);
                }
            }
        }
    }
}

fn count(samples: &[Sample]) -> u64 {
    u64::try_from(samples.len()).unwrap_or(u64::MAX)
}
