//! Other decryptors, each given all keys of a file that it can take.

use std::ffi::OsString;
use std::path::Path;
use std::process::Output;

use keybearer_license::TrackType;

use crate::files::{Key, ProtectedFile};
use crate::judge::{Outcome, read};
use crate::tools::{Tools, run, status};

/// A decryptor that nobody here wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Shaka Packager, which made most of the files.
    Packager,
    /// Debian's FFmpeg 5, which takes one key for all tracks.
    Ffmpeg5,
    /// FFmpeg 8.
    Ffmpeg8,
    /// Bento4 through the crate `mp4decrypt`.
    Bento4,
    /// The crate `vsd-mp4`, which takes one key and one track.
    VsdMp4,
}

impl Peer {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 5] = [
        Self::Packager,
        Self::Ffmpeg5,
        Self::Ffmpeg8,
        Self::Bento4,
        Self::VsdMp4,
    ];

    /// The column's title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Packager => "Packager",
            Self::Ffmpeg5 => "FFmpeg 5",
            Self::Ffmpeg8 => "FFmpeg 8",
            Self::Bento4 => "Bento4",
            Self::VsdMp4 => "vsd-mp4",
        }
    }

    /// Decrypts a file into `folder`, which is empty.
    #[must_use]
    pub fn decrypt(self, tools: &Tools, file: &ProtectedFile, folder: &Path) -> Outcome {
        match self {
            Self::Packager => packager(tools, file, folder),
            Self::Ffmpeg5 => {
                let key = hex::encode(file.keys[0].key);
                ffmpeg(&tools.ffmpeg5, &["-decryption_key", &key], file)
            }
            Self::Ffmpeg8 => {
                let keys: Vec<String> = distinct(file).map(|key| key.text('=')).collect();
                ffmpeg(&tools.ffmpeg8, &["-decryption_keys", &keys.join(":")], file)
            }
            Self::Bento4 => {
                let keys = distinct(file).map(|key| key.text(':')).collect();
                of_a_crate(tools, "bento4", file, folder, keys)
            }
            Self::VsdMp4 => {
                let keys = distinct(file).take(1).map(|key| key.text(':')).collect();
                of_a_crate(tools, "vsd-mp4", file, folder, keys)
            }
        }
    }
}

/// Each key once.
fn distinct(file: &ProtectedFile) -> impl Iterator<Item = &Key> {
    let keys = file.keys.iter().enumerate();
    keys.filter(|(number, key)| file.keys[..*number].iter().all(|other| other.id != key.id))
        .map(|(_, key)| key)
}

fn ffmpeg(program: &Path, options: &[&str], file: &ProtectedFile) -> Outcome {
    match read(program, options, &file.path) {
        (Some(0), samples) => Outcome::Samples(samples),
        (Some(_), _) => Outcome::Refused,
        (None, _) => Outcome::Died,
    }
}

/// Packager writes a file for each track.
fn packager(tools: &Tools, file: &ProtectedFile, folder: &Path) -> Outcome {
    let streams: &[&str] = match (file.has_two_tracks(), file.keys[0].track) {
        (true, _) => &["video", "audio"],
        (false, TrackType::Audio) => &["audio"],
        (false, _) => &["video"],
    };
    let outputs: Vec<_> = streams
        .iter()
        .map(|stream| folder.join(format!("{stream}.mp4")))
        .collect();
    let input = file.path.display();
    let described = streams.iter().zip(&outputs).map(|(stream, output)| {
        let output = output.display();
        format!("in={input},stream={stream},output={output},drm_label=0")
    });
    let keys: Vec<String> = distinct(file)
        .enumerate()
        .map(|(label, key)| {
            format!(
                "label={label}:key_id={}",
                key.text(':').replace(':', ":key=")
            )
        })
        .collect();
    let mut arguments: Vec<OsString> = described.map(Into::into).collect();
    arguments.extend(["--quiet", "--enable_raw_key_decryption", "--keys"].map(Into::into));
    arguments.push(keys.join(",").into());
    match ended(&run(&tools.packager, arguments)) {
        None => Outcome::Files(outputs),
        Some(outcome) => outcome,
    }
}

fn of_a_crate(
    tools: &Tools,
    name: &str,
    file: &ProtectedFile,
    folder: &Path,
    keys: Vec<String>,
) -> Outcome {
    let output = folder.join("clear.mp4");
    let mut arguments: Vec<OsString> = vec![name.into(), file.path.clone().into()];
    arguments.push(output.clone().into());
    arguments.extend(keys.into_iter().map(Into::into));
    match ended(&run(&tools.crates, arguments)) {
        None => Outcome::Files(vec![output]),
        Some(outcome) => outcome,
    }
}

/// `None` when the program says that all went well.
fn ended(output: &Output) -> Option<Outcome> {
    match status(output) {
        Some(0) => None,
        Some(_) => Some(Outcome::Refused),
        None => Some(Outcome::Died),
    }
}
