//! The samples that `demo` plays: a video and an audio file in each of the four schemes, made by FFmpeg
//! and Shaka Packager (tests/samples), with their clear counterparts and their published test keys.

use serde::Deserialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// A protected file and what it must become.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) protected: &'static [u8],
    pub(crate) clear: &'static [u8],
}

macro_rules! samples {
    ($($protected:literal => $clear:literal),+ $(,)?) => {
        &[$(Sample {
            name: $protected,
            protected: include_bytes!(concat!("../../../tests/samples/", $protected)),
            clear: include_bytes!(concat!("../../../tests/samples/", $clear)),
        }),+]
    };
}

/// The files, in the order of the table.
pub(crate) const SAMPLES: &[Sample] = samples![
    "cenc-video.mp4" => "clear-video.mp4",
    "cenc-audio.mp4" => "clear-audio.mp4",
    "cens-video.mp4" => "clear-video.mp4",
    "cens-audio.mp4" => "clear-audio.mp4",
    "cbc1-video.mp4" => "clear-video.mp4",
    "cbc1-audio.mp4" => "clear-audio.mp4",
    "cbcs-video.mp4" => "clear-video.mp4",
    "cbcs-audio.mp4" => "clear-audio.mp4",
];

const KEYS: &str = include_str!("../../../tests/samples/samples.json");

/// The published test key of a key id, both in hexadecimal.
#[derive(Debug, Deserialize)]
pub(crate) struct TestKey {
    pub(crate) kid: String,
    pub(crate) key: String,
}

#[derive(Deserialize)]
struct Listing {
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    file: String,
    tracks: Vec<TestKey>,
}

/// The test keys of a file's tracks.
pub(crate) fn keys(name: &str) -> Result<Vec<TestKey>, Failure> {
    let listing: Listing = serde_json::from_str(KEYS).map_err(|error| {
        Failure::new(
            Exit::Input,
            "the list of samples in this program is damaged",
        )
        .cause(&error)
    })?;
    Ok(listing
        .files
        .into_iter()
        .find(|file| file.file == name)
        .map_or_else(Vec::new, |file| file.tracks))
}

#[cfg(test)]
mod tests {
    use super::{SAMPLES, keys};

    #[test]
    fn every_sample_has_its_keys() {
        for sample in SAMPLES {
            assert_eq!(
                keys(sample.name).expect("a list").len(),
                1,
                "{}",
                sample.name
            );
        }
    }
}
