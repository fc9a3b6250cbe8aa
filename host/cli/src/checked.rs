//! Looks at what was decrypted, and counts what that look could have told: Common Encryption has no
//! integrity, so where garbage would not show, success must not be taken for proof.

use std::collections::{BTreeMap, BTreeSet};

use keybearer_client::{KeyId, SampleDecryptor, TrackBatch, explain::kid};
use keybearer_media::{BatchLimit, Pssh};
use keybearer_tee::SharedMemory;
use serde::Serialize;

use crate::failure::Failure;
use crate::structure::{Flaw, Protected, Shapes};
use crate::terminal::Terminal;

/// Flaws that garbage would have had on average for a track to count as checked: of a thousand wrong
/// keys one would pass (e^-7).
const ENOUGH: f64 = 7.0;

/// A decryptor whose results are looked at.
pub(crate) struct Checked<D> {
    pub(crate) inner: D,
    looks: bool,
    shapes: Shapes,
    tracks: BTreeMap<u32, Track>,
}

/// What was seen of a track.
#[derive(Default)]
struct Track {
    key_ids: BTreeSet<KeyId>,
    telling: f64,
    /// What of it was told by parts that are behind: the part at hand may be decrypted again.
    settled: f64,
}

/// A track whose key may be wrong for all that can be told.
#[derive(Debug, Serialize)]
pub(crate) struct Doubt {
    track: u32,
    key_ids: Vec<String>,
    why: &'static str,
}

/// Why a decryption ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError<E: std::error::Error + 'static> {
    /// What came out is not what its codec writes.
    #[error("track {track}: {flaw}; the key for key id {} is wrong, or the file damaged", kid(.key_id))]
    Implausible {
        track: u32,
        key_id: KeyId,
        flaw: Flaw,
    },
    /// The decryptor's own error.
    #[error(transparent)]
    Inner(E),
}

impl<E: std::error::Error + 'static> From<CheckError<E>> for Failure
where
    Self: From<E>,
{
    fn from(error: CheckError<E>) -> Self {
        match error {
            CheckError::Inner(error) => error.into(),
            CheckError::Implausible { .. } => Self::input(error.to_string())
                .hint("--unchecked writes the result nevertheless, for looking at it"),
        }
    }
}

impl<D> Checked<D> {
    /// Looks at what `inner` decrypts, unless told not to.
    pub(crate) fn new(inner: D, looks: bool) -> Self {
        Self {
            inner,
            looks,
            shapes: Shapes::default(),
            tracks: BTreeMap::new(),
        }
    }

    /// The tracks of which a wrong key would not have been noticed.
    pub(crate) fn doubts(&self) -> Vec<Doubt> {
        let doubtful = self
            .tracks
            .iter()
            .filter(|(_, track)| track.telling < ENOUGH);
        doubtful
            .map(|(number, track)| Doubt {
                track: *number,
                key_ids: track.key_ids.iter().map(kid).collect(),
                why: if !self.looks {
                    "--unchecked was given"
                } else if self.shapes.knows(*number) {
                    "garbage would show in more data only"
                } else {
                    "the form of its codec is not known here"
                },
            })
            .collect()
    }
}

impl Doubt {
    /// Says it, as a warning or as a remark.
    pub(crate) fn tell(&self, terminal: Terminal, warn: bool) {
        let text = format!(
            "track {}: whether the key is right could not be checked ({}); a wrong key gives garbage",
            self.track, self.why
        );
        if warn {
            terminal.warn(text);
        } else {
            terminal.say(text);
        }
    }
}

impl<D: SampleDecryptor> SampleDecryptor for Checked<D> {
    type Error = CheckError<D::Error>;

    fn limit(&self) -> BatchLimit {
        self.inner.limit()
    }

    fn begin(&mut self, init: &[u8]) -> Result<(), Self::Error> {
        if self.looks {
            self.shapes = Shapes::of(init);
        }
        self.inner.begin(init).map_err(CheckError::Inner)
    }

    fn go_on(&mut self) -> Result<(), Self::Error> {
        for track in self.tracks.values_mut() {
            track.settled = track.telling;
        }
        self.inner.go_on().map_err(CheckError::Inner)
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        self.inner.end().map_err(CheckError::Inner)
    }

    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        self.inner.memory(len)
    }

    fn recover(&mut self, error: &Self::Error) -> bool {
        let CheckError::Inner(error) = error else {
            return false;
        };
        let recovered = self.inner.recover(error);
        if recovered {
            // The same samples come once more, and tell no more than the first time.
            for track in self.tracks.values_mut() {
                track.telling = track.settled;
            }
        }
        recovered
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), Self::Error> {
        self.inner.prepare(key_ids, pssh).map_err(CheckError::Inner)
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), Self::Error> {
        self.inner.decrypt(batch, data).map_err(CheckError::Inner)?;
        let (number, key_id) = (batch.track.id, batch.protection.kid);
        let track = self.tracks.entry(number).or_default();
        track.key_ids.insert(key_id);
        let pattern = batch.protection.pattern;
        let (crypt, skip) = (f64::from(pattern.crypt), f64::from(pattern.skip));
        let share = if crypt + skip > 0.0 {
            crypt / (crypt + skip)
        } else {
            1.0
        };
        let mut rest = &*data;
        for sample in batch.batch.samples() {
            // The batch's data are its samples, one behind the other.
            let size = usize::try_from(sample.size).unwrap_or(usize::MAX);
            let Some((clear, behind)) = rest.split_at_checked(size) else {
                break;
            };
            rest = behind;
            self.shapes
                .check(number, clear)
                .map_err(|flaw| CheckError::Implausible {
                    track: number,
                    key_id,
                    flaw,
                })?;
            let subsamples = batch.batch.subsamples(sample);
            let protected = if subsamples.is_empty() {
                Protected::Whole
            } else {
                let bytes = subsamples.iter().map(|part| f64::from(part.protected));
                Protected::Part(bytes.sum::<f64>() * share)
            };
            track.telling += self.shapes.telling(number, size, protected);
        }
        Ok(())
    }
}
