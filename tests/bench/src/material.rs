//! The material: video and audio that FFmpeg made and Shaka Packager protected.
//!
//! It is made once and kept in the target folder. What it shows does not matter; how large its
//! fragments, samples and protected ranges are does.

use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use keybearer_interop::tools::Tools;

use crate::process::arguments;
use crate::report::{folder, progress};

/// Key id of everything here, as hexadecimal digits.
pub const KID: &str = "6b657962656172657262656e63686b31";
/// Key of everything here, as hexadecimal digits.
pub const KEY: &str = "00112233445566778899aabbccddeeff";

/// Seconds of each track, and of each fragment.
const SECONDS: u32 = 60;
const FRAGMENT_SECONDS: u32 = 2;

/// What is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    /// 1920x1080 at 55 Mbit/s in four slices a picture: fragments of about 14 MB.
    LargeVideo,
    /// 1920x1080 at 6 Mbit/s: fragments of about 1.5 MB.
    Video,
    /// AAC at 128 kbit/s: fragments of about 33 kB with some 95 samples.
    Audio,
}

impl Track {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::LargeVideo, Self::Video, Self::Audio];

    /// For tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::LargeVideo => "video 55 Mbit/s",
            Self::Video => "video 6 Mbit/s",
            Self::Audio => "audio 128 kbit/s",
        }
    }

    const fn stem(self) -> &'static str {
        match self {
            Self::LargeVideo => "large",
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }

    /// One fragment's worth, to be repeated: nobody waits for a minute of it to be encoded.
    fn encode(self) -> Vec<OsString> {
        let picture = "testsrc2=size=1920x1080:rate=30,noise=alls=70:allf=t";
        let video = |rate: &str| {
            let mut of = arguments(&[&"-i", &picture, &"-c:v", &"libx264"]);
            of.extend(arguments(&[&"-preset", &"ultrafast", &"-g", &"60"]));
            of.extend(arguments(&[&"-x264-params", &"slices=4:scenecut=0"]));
            for option in ["-b:v", "-minrate", "-maxrate", "-bufsize"] {
                of.extend(arguments(&[&option, &rate]));
            }
            of
        };
        match self {
            Self::LargeVideo => video("55M"),
            Self::Video => video("6M"),
            Self::Audio => arguments(&[&"-i", &"anoisesrc", &"-c:a", &"aac", &"-b:a", &"128k"]),
        }
    }
}

/// A protected file.
pub struct Material {
    /// Where.
    pub path: PathBuf,
    /// `cenc` or `cbcs`.
    pub scheme: &'static str,
    /// What.
    pub track: Track,
}

impl Material {
    /// The file, made if it is not there yet.
    ///
    /// # Panics
    /// When the tools are missing or fail, with what to do.
    #[must_use]
    pub fn get(track: Track, scheme: &'static str) -> Self {
        let path = folder().join(format!("{}-{scheme}.mp4", track.stem()));
        if !path.is_file() {
            let tools = Tools::find("");
            let clear = clear(&tools, track);
            progress(&format!("protecting {} with {scheme}", track.title()));
            let unfinished = path.with_extension("part.mp4");
            let stream = if track == Track::Audio {
                "audio"
            } else {
                "video"
            };
            let described = format!(
                "in={},stream={stream},output={}",
                clear.display(),
                unfinished.display()
            );
            let keys = format!("label=:key_id={KID}:key={KEY}");
            let seconds = FRAGMENT_SECONDS.to_string();
            let mut of = arguments(&[&described, &"--quiet", &"--clear_lead", &"0"]);
            of.extend(arguments(&[
                &"--enable_raw_key_encryption",
                &"--keys",
                &keys,
            ]));
            of.extend(arguments(&[&"--protection_scheme", &scheme]));
            of.extend(arguments(&[&"--segment_duration", &seconds]));
            of.extend(arguments(&[&"--fragment_duration", &seconds]));
            ends_well(&tools.packager, &of);
            fs::rename(&unfinished, &path).expect("the target folder can be written");
        }
        Self {
            path,
            scheme,
            track,
        }
    }

    /// The initialisation segment, and each fragment from `moof` to `mdat`.
    ///
    /// # Panics
    /// When the file is not what Shaka Packager writes.
    #[must_use]
    pub fn segments(&self) -> Segments {
        let bytes = fs::read(&self.path).expect("the material can be read");
        let mut init = 0..0;
        let mut fragments: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while let Some(header) = bytes.get(at..at + 8) {
            let size = u32::from_be_bytes(header[..4].try_into().expect("four bytes"));
            let end = at + usize::try_from(size).expect("a size fits");
            match &header[4..] {
                b"moov" => init = 0..end,
                b"moof" => fragments.push(at..end),
                b"mdat" => fragments.last_mut().expect("a moof comes first").end = end,
                _ => {}
            }
            at = end;
        }
        assert!(!init.is_empty() && !fragments.is_empty());
        Segments {
            init: bytes[init].to_vec(),
            fragments: fragments
                .into_iter()
                .map(|range| bytes[range].to_vec())
                .collect(),
        }
    }
}

/// A file in pieces, as players fetch it.
pub struct Segments {
    /// From `ftyp` to `moov`.
    pub init: Vec<u8>,
    /// `moof` and `mdat` each.
    pub fragments: Vec<Vec<u8>>,
}

impl Segments {
    /// Bytes of all fragments.
    #[must_use]
    pub fn size(&self) -> usize {
        self.fragments.iter().map(Vec::len).sum()
    }

    /// Bytes of the largest fragment.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.fragments.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// The clear track, made if it is not there yet.
fn clear(tools: &Tools, track: Track) -> PathBuf {
    let path = folder().join(format!("{}-clear.mp4", track.stem()));
    if path.is_file() {
        return path;
    }
    progress(&format!("encoding {}", track.title()));
    let piece = path.with_extension("piece.mp4");
    let seconds = FRAGMENT_SECONDS.to_string();
    let mut of = arguments(&[&"-y", &"-v", &"error", &"-f", &"lavfi"]);
    of.extend(track.encode());
    of.extend(arguments(&[&"-t", &seconds, &piece]));
    ends_well(&tools.ffmpeg8, &of);
    let repeats = (SECONDS / FRAGMENT_SECONDS - 1).to_string();
    let unfinished = path.with_extension("part.mp4");
    let mut of = arguments(&[&"-y", &"-v", &"error", &"-stream_loop", &repeats]);
    of.extend(arguments(&[&"-i", &piece, &"-c", &"copy", &unfinished]));
    ends_well(&tools.ffmpeg8, &of);
    fs::remove_file(&piece).expect("the target folder can be written");
    fs::rename(&unfinished, &path).expect("the target folder can be written");
    path
}

fn ends_well(program: &Path, of: &[OsString]) {
    let output = Command::new(program)
        .args(of)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    assert!(
        output.status.success(),
        "{} failed: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}
