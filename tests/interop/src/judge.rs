//! The judge: FFmpeg reads two files and says whether their samples carry the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::tools::{Tools, run, status};

/// MD5 of each sample, by track in file order.
pub type Digests = BTreeMap<u32, Vec<String>>;

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every sample is what it was before protection.
    Ok {
        /// Their number.
        samples: usize,
    },
    /// The program said that all went well, and samples that it should have decrypted are as they
    /// were in the protected file. No sample is wrong otherwise.
    StillEncrypted {
        /// How many.
        samples: usize,
        /// Samples of the file, clear ones included.
        of: usize,
    },
    /// The program said that all went well, and samples are missing or carry other bytes.
    Wrong {
        /// How many.
        samples: usize,
        /// Samples of the file.
        of: usize,
    },
    /// The program said that it cannot, by its status.
    Refused,
    /// The program died of a signal or did not end.
    Died,
}

/// As in the table.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok { .. } => f.write_str("ok"),
            Self::StillEncrypted { samples, of } => write!(f, "{samples}/{of} still encrypted"),
            Self::Wrong { samples, of } => write!(f, "{samples}/{of} wrong"),
            Self::Refused => f.write_str("refused"),
            Self::Died => f.write_str("died"),
        }
    }
}

/// What a program gave.
pub enum Outcome {
    /// Files that together carry all tracks, in the order of the tracks.
    Files(Vec<PathBuf>),
    /// The samples, read by the program itself.
    Samples(Digests),
    /// It said that it cannot.
    Refused,
    /// It died of a signal or did not end.
    Died,
}

/// Compares files. Keeps what it has read of clear files, which many protected ones share.
pub struct Judge<'a> {
    tools: &'a Tools,
    known: Mutex<HashMap<PathBuf, Digests>>,
}

impl<'a> Judge<'a> {
    /// A judge that has read nothing yet.
    #[must_use]
    pub fn new(tools: &'a Tools) -> Self {
        Self {
            tools,
            known: Mutex::default(),
        }
    }

    /// What became of `protected`, whose samples should be those of `clear`.
    ///
    /// # Panics
    /// When the two files themselves cannot be judged by.
    #[must_use]
    pub fn judge(&self, protected: &Path, clear: &Path, outcome: Outcome) -> Verdict {
        let found = match outcome {
            Outcome::Refused => return Verdict::Refused,
            Outcome::Died => return Verdict::Died,
            Outcome::Samples(digests) => digests,
            Outcome::Files(files) => {
                let tracks = files
                    .iter()
                    .flat_map(|file| digests(&self.tools.ffmpeg8, &[], file).into_values());
                (0..).zip(tracks).collect()
            }
        };
        let wanted = self.read(clear);
        let total = self.samples(clear);
        assert!(total > 0, "{}: no samples", clear.display());
        let wrong = differences(&wanted, &found);
        if wrong.is_empty() {
            return Verdict::Ok { samples: total };
        }
        let before = self.read(protected);
        let untouched = |(track, index): &(u32, usize)| {
            let sample = |of: &Digests| of.get(track).and_then(|all| all.get(*index)).cloned();
            sample(&found).is_some() && sample(&found) == sample(&before)
        };
        let (samples, of) = (wrong.len(), total);
        if wrong.iter().all(untouched) {
            Verdict::StillEncrypted { samples, of }
        } else {
            Verdict::Wrong { samples, of }
        }
    }

    /// Samples of a clear file, in all its tracks.
    #[must_use]
    pub fn samples(&self, clear: &Path) -> usize {
        self.read(clear).values().map(Vec::len).sum()
    }

    fn read(&self, file: &Path) -> Digests {
        let mut known = self.known.lock().expect("no reader panics in between");
        let read = || digests(&self.tools.ffmpeg8, &[], file);
        known.entry(file.to_owned()).or_insert_with(read).clone()
    }
}

/// Track and number of each sample that is not as it should be; missing and surplus ones count.
fn differences(wanted: &Digests, found: &Digests) -> Vec<(u32, usize)> {
    let tracks: BTreeMap<u32, usize> = wanted
        .iter()
        .chain(found)
        .map(|(track, samples)| (*track, samples.len()))
        .fold(BTreeMap::new(), |mut longest, (track, length)| {
            let entry = longest.entry(track).or_default();
            *entry = length.max(*entry);
            longest
        });
    let sample = |of: &Digests, track: u32, index: usize| -> Option<String> {
        of.get(&track).and_then(|all| all.get(index)).cloned()
    };
    tracks
        .into_iter()
        .flat_map(|(track, length)| (0..length).map(move |index| (track, index)))
        .filter(|(track, index)| sample(wanted, *track, *index) != sample(found, *track, *index))
        .collect()
}

/// What FFmpeg reads of a file, with further options before the input. Its status says little: it
/// complains of what it cannot parse inside protected samples and goes on.
#[must_use]
pub fn digests(ffmpeg: &Path, options: &[&str], file: &Path) -> Digests {
    read(ffmpeg, options, file).1
}

/// As [`digests`], with FFmpeg's [`status`].
#[must_use]
pub fn read(ffmpeg: &Path, options: &[&str], file: &Path) -> (Option<i32>, Digests) {
    let mut arguments: Vec<OsString> = ["-nostdin", "-v", "error"].map(Into::into).into();
    arguments.extend(options.iter().map(Into::into));
    arguments.extend(["-i".into(), file.into()]);
    // Samples before the first that its parser takes for a key picture count as well.
    arguments.extend(["-map", "0", "-c", "copy", "-copyinkf"].map(Into::into));
    arguments.extend(["-f", "framemd5", "-"].map(Into::into));
    let output = run(ffmpeg, arguments);
    let mut tracks = Digests::new();
    // Stream, two times, duration, size, MD5, side data.
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split(',').map(str::trim);
        let track = fields.next().and_then(|field| field.parse().ok());
        if let (Some(track), Some(digest)) = (track, fields.nth(4)) {
            tracks.entry(track).or_default().push(digest.to_owned());
        }
    }
    (status(&output), tracks)
}
