//! Annex B streams as access units with length fields, their configuration record, and a sink that
//! keeps what it was given.

#![allow(dead_code, reason = "each test binary uses some of it")]

pub(crate) mod greedy;
pub(crate) mod heap;
pub(crate) mod units;
pub(crate) mod writer;

pub(crate) use units::{record, with_lengths};

use std::path::{Path, PathBuf};

use keybearer_video::{Picture, Sink, SinkFailed};
use sha2::{Digest, Sha256};

pub(crate) fn clips() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clips")
}

/// A stream as a container would hold it.
pub(crate) struct Stream {
    /// The payload of its `avcC` box: the sets before its first picture.
    pub(crate) record: Vec<u8>,
    /// Its access units, with parameter sets where the stream repeats them.
    pub(crate) units: Vec<Vec<u8>>,
}

impl Stream {
    pub(crate) fn read(name: &str) -> Self {
        let path = clips().join(format!("{name}.h264"));
        Self::of(&std::fs::read(&path).unwrap_or_else(|_| panic!("no {}", path.display())))
    }

    pub(crate) fn of(annex_b: &[u8]) -> Self {
        let nals = nals(annex_b);
        let units: Vec<Vec<u8>> = nals
            // An access unit delimiter begins each unit.
            .split(|nal| nal[0] & 31 == 9)
            .filter(|unit| !unit.is_empty())
            .map(with_lengths)
            .collect();
        let before_pictures = nals.iter().take_while(|nal| !matches!(nal[0] & 31, 1..=5));
        let (mut sequence, mut picture) = (Vec::new(), Vec::new());
        for nal in before_pictures {
            match nal[0] & 31 {
                7 => sequence.push(nal.to_vec()),
                8 => picture.push(nal.to_vec()),
                _ => {}
            }
        }
        Self {
            record: record(&sequence, &picture),
            units,
        }
    }
}

/// The NAL units of an Annex B stream.
pub(crate) fn nals(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..stream.len().saturating_sub(2))
        .filter(|&at| stream[at..at + 3] == [0, 0, 1])
        .collect();
    starts
        .iter()
        .enumerate()
        .map(|(index, &at)| {
            let end = starts.get(index + 1).copied().unwrap_or(stream.len());
            let nal = &stream[at + 3..end];
            let length = nal
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |last| last + 1);
            &nal[..length]
        })
        .collect()
}

/// A picture as it reached the sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) time: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) planes: [Vec<u8>; 3],
}

impl Shown {
    pub(crate) fn of(picture: &Picture<'_>) -> Self {
        let planes = [picture.luma, picture.cb, picture.cr];
        for (index, plane) in planes.iter().enumerate() {
            let shift = u32::from(index > 0);
            assert_eq!(plane.width, picture.luma.width >> shift);
            assert_eq!(plane.height, picture.luma.height >> shift);
            assert_eq!(plane.samples.len(), (plane.width * plane.height) as usize);
        }
        Self {
            time: picture.time,
            width: picture.luma.width,
            height: picture.luma.height,
            planes: planes.map(|plane| plane.samples.to_vec()),
        }
    }

    /// As the `.sha256` files have it.
    pub(crate) fn line(&self) -> String {
        let mut hash = Sha256::new();
        for plane in &self.planes {
            hash.update(plane);
        }
        format!(
            "{}x{} {}",
            self.width,
            self.height,
            hex::encode(hash.finalize())
        )
    }
}

/// Keeps every picture.
#[derive(Default)]
pub(crate) struct Keep(pub(crate) Vec<Shown>);

impl Sink for Keep {
    fn present(&mut self, picture: &Picture<'_>) -> Result<(), SinkFailed> {
        self.0.push(Shown::of(picture));
        Ok(())
    }
}

/// What FFmpeg's decoder makes of a clip.
pub(crate) fn expected(name: &str) -> Vec<String> {
    std::fs::read_to_string(clips().join(format!("{name}.sha256")))
        .expect("each clip has its digests")
        .lines()
        .map(str::to_owned)
        .collect()
}
