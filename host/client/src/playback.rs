//! From a protected file to a clear one, a fragment at a time.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use keybearer_media::{
    Batch, BatchLimit, ClearWriter, Fragment, KeyId, MediaError, MediaReader, Part, Presentation,
    Protection, Pssh, Sample, SampleEntry, Track, TrackFragment,
};

use crate::output::{OutputFile, same_file};

/// Turns protected samples into clear ones: with keys of a licence ([`crate::Licensed`]), or with
/// keys that the caller has.
pub trait SampleDecryptor {
    /// Why it cannot.
    type Error: std::error::Error + Send + Sync + 'static;

    /// How much one batch may hold.
    fn limit(&self) -> BatchLimit {
        BatchLimit::default()
    }

    /// Looks at the initialisation segment, all bytes up to and including `moov`. Called once, first.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn begin(&mut self, init: &[u8]) -> Result<(), Self::Error> {
        let _ = init;
        Ok(())
    }

    /// Says whether to go on. Called for every part of the input, protected or not, and once more
    /// before the output gets its name.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn go_on(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Makes keys ready. Called before the first batch with all that `moov` says, and again whenever
    /// a fragment brings key ids or `pssh` boxes not seen before; then only with those. After
    /// thousands of different ones some are told again.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), Self::Error>;

    /// Decrypts a batch in place. `data` holds its samples one behind the other, in order, without
    /// gaps.
    ///
    /// # Errors
    /// The decryptor's own; the walk ends.
    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), Self::Error>;
}

/// Protected samples of one track under one key, with all that the file says about them.
#[derive(Clone, Copy, Debug)]
pub struct TrackBatch<'a> {
    /// The track.
    pub track: &'a Track,
    /// The sample entry in effect.
    pub entry: &'a SampleEntry,
    /// How the samples are protected.
    pub protection: &'a Protection,
    /// The samples.
    pub batch: Batch<'a>,
}

/// How far the walk has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes of the whole input, where known.
    pub total: Option<u64>,
    /// Samples decrypted.
    pub samples: u64,
}

/// What the walk has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes read, and as many were written.
    pub bytes: u64,
    /// Fragments of protected files.
    pub fragments: u64,
    /// Samples in them.
    pub samples: u64,
    /// Those of them that were protected and are now clear.
    pub protected_samples: u64,
    /// Keys used, in the order of their first use.
    pub key_ids: Vec<KeyId>,
}

/// Why a file was not decrypted. Nothing stands under the output's name then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaybackError<E: std::error::Error + 'static> {
    /// The input cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The input.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The input cannot be read, or is not what the standards say.
    #[error("input: {0}")]
    Input(#[source] MediaError),
    /// Input and output are one file.
    #[error("{} is the input; choose another name for the output", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// Samples could not be decrypted.
    #[error(transparent)]
    Decryptor(E),
    /// A stream cannot be written.
    #[error("output: {0}")]
    Output(#[source] MediaError),
    /// The output file cannot be made.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Decrypts a file. The output stands under its name only when it is whole: it is written to a
/// temporary file in the same folder, which is renamed at the end.
///
/// A file without protection comes out as it is.
///
/// # Errors
/// [`PlaybackError`]; whatever stood under the output's name before still does.
pub fn decrypt_file<D: SampleDecryptor>(
    input: &Path,
    output: &Path,
    decryptor: &mut D,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, PlaybackError<D::Error>> {
    let open = |source| PlaybackError::Open {
        path: input.to_path_buf(),
        source,
    };
    let write = |source| PlaybackError::Write {
        path: output.to_path_buf(),
        source,
    };
    let source = File::open(input).map_err(open)?;
    let total = source.metadata().map_err(open)?.len();
    if same_file(input, output) {
        return Err(PlaybackError::SameFile {
            path: output.to_path_buf(),
        });
    }
    let target = BufWriter::new(OutputFile::create(output).map_err(write)?);
    let mut in_whole = |so_far: Progress| {
        progress(Progress {
            total: Some(total),
            ..so_far
        })
    };
    let (summary, target) = walk(source, target, decryptor, &mut in_whole)?;
    let target = target
        .into_inner()
        .map_err(|error| write(error.into_error()))?;
    target.commit().map_err(write)?;
    Ok(summary)
}

/// Decrypts a stream into another. What was written before an error is the caller's to throw away.
///
/// # Errors
/// [`PlaybackError`].
pub fn decrypt_stream<D: SampleDecryptor>(
    input: impl Read,
    output: impl Write,
    decryptor: &mut D,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, PlaybackError<D::Error>> {
    walk(input, output, decryptor, progress).map(|(summary, _)| summary)
}

fn walk<D: SampleDecryptor, W: Write>(
    input: impl Read,
    output: W,
    decryptor: &mut D,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Summary, W), PlaybackError<D::Error>> {
    let mut reader = MediaReader::open(input).map_err(PlaybackError::Input)?;
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
        decryptor,
    };
    if presentation.is_protected() {
        walk.prepare(presentation.key_ids(), &presentation.pssh)?;
    }
    while let Some(part) = reader.next_part().map_err(PlaybackError::Input)? {
        walk.decryptor.go_on().map_err(PlaybackError::Decryptor)?;
        match part {
            Part::Other(bytes) => writer.write_other(bytes),
            Part::Fragment(fragment) => {
                walk.fragment(fragment)?;
                writer.write_fragment(fragment)
            }
        }
        .map_err(PlaybackError::Output)?;
        let bytes = reader.position();
        progress(Progress {
            bytes,
            total: None,
            samples: walk.summary.protected_samples,
        });
    }
    walk.decryptor.go_on().map_err(PlaybackError::Decryptor)?;
    let mut summary = walk.summary;
    summary.bytes = reader.position();
    let output = writer.finish().map_err(PlaybackError::Output)?;
    Ok((summary, output))
}

/// Most `pssh` boxes that are remembered as told. Real streams have a few.
const MAX_SEEN: usize = 4096;

/// What the decryptor was told already. The tracks bound the key ids; `pssh` boxes may be new in every
/// fragment of an endless stream, so of these a digest is kept, and only of so many.
#[derive(Default)]
struct Seen {
    key_ids: HashSet<KeyId>,
    pssh: HashSet<[u64; 2]>,
    /// Keyed at random: nobody can make a file whose boxes collide.
    hashers: [RandomState; 2],
}

impl Seen {
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

/// The walk over one file.
struct Walk<'w, D> {
    presentation: &'w Presentation,
    decryptor: &'w mut D,
    seen: Seen,
    summary: Summary,
}

impl<D: SampleDecryptor> Walk<'_, D> {
    /// Tells the decryptor what is new; nothing, if nothing is.
    fn prepare(
        &mut self,
        mut key_ids: Vec<KeyId>,
        pssh: &[Pssh],
    ) -> Result<(), PlaybackError<D::Error>> {
        key_ids.retain(|id| self.seen.key_ids.insert(*id));
        let mut new_pssh = pssh.to_vec();
        new_pssh.retain(|item| self.seen.is_new(item));
        if key_ids.is_empty() && new_pssh.is_empty() {
            return Ok(());
        }
        self.decryptor
            .prepare(&key_ids, &new_pssh)
            .map_err(PlaybackError::Decryptor)
    }

    fn fragment(&mut self, fragment: &mut Fragment) -> Result<(), PlaybackError<D::Error>> {
        let limit = self.decryptor.limit();
        let needed = fragment
            .tracks()
            .iter()
            .flat_map(|track| track.batches(limit));
        let key_ids = needed.filter_map(|batch| batch.key_id()).collect();
        self.prepare(key_ids, fragment.pssh())?;

        self.summary.fragments += 1;
        let presentation = self.presentation;
        let (tracks, media) = fragment.split();
        for of_track in tracks {
            self.summary.samples += count(of_track.samples());
            let track = presentation.tracks.get(of_track.track);
            let entry = track.and_then(|track| track.entries.get(of_track.entry));
            for batch in of_track.batches(whole_runs(of_track, limit)) {
                // The reader made all three from one movie header; none of them is absent.
                let (Some(track), Some(entry), Some(protection)) =
                    (track, entry, batch.protection())
                else {
                    continue;
                };
                self.batch(
                    &TrackBatch {
                        track,
                        entry,
                        protection,
                        batch,
                    },
                    media,
                )?;
            }
        }
        Ok(())
    }

    fn batch(
        &mut self,
        batch: &TrackBatch<'_>,
        media: &mut [u8],
    ) -> Result<(), PlaybackError<D::Error>> {
        // `whole_runs` has left no gaps; nothing, were there one, would not fit the samples' sizes.
        let range = batch.batch.contiguous_range().unwrap_or_default();
        let data = media.get_mut(range).unwrap_or_default();
        self.decryptor
            .decrypt(batch, data)
            .map_err(PlaybackError::Decryptor)?;
        self.summary.protected_samples += count(batch.batch.samples());
        if !self.summary.key_ids.contains(&batch.protection.kid) {
            self.summary.key_ids.push(batch.protection.kid);
        }
        Ok(())
    }
}

/// The limit under which no batch of this track fragment has a gap: where the file does not keep its
/// samples side by side, each goes alone.
fn whole_runs(track: &TrackFragment, limit: BatchLimit) -> BatchLimit {
    if track
        .batches(limit)
        .all(|batch| batch.contiguous_range().is_some())
    {
        limit
    } else {
        BatchLimit {
            samples: 1,
            ..limit
        }
    }
}

fn count(samples: &[Sample]) -> u64 {
    u64::try_from(samples.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
