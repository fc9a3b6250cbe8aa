//! A clip of a few small pictures, protected here, and the connection that plays it.
//!
//! The pictures and the digests of their decoded samples are those that FFmpeg made for the tests of
//! `crates/video`.

#![allow(
    clippy::cast_possible_truncation,
    reason = "the clip is part of this file: a few kilobytes"
)]

use keybearer_license::KeyUse;
use keybearer_tee::{Media, Tee, TeeSession};
use keybearer_wire::decode_response;
use keybearer_wire::decoder::Exchange;
use keybearer_wire::decoder::body::{self, Decode, Presented, Protection};
use keybearer_wire::field::Blob;
use keybearer_wire::limits::MAX_REQUEST;

use crate::connection::{Failure, KEY};
use crate::encryption::{Subsample, noise, protect};

/// NAL units with start codes (ITU-T H.264 annex B).
const STREAM: &[u8] = include_bytes!("../../../crates/video/tests/clips/baseline-64x48.h264");
/// Size and digest of each picture, a line each.
const DIGESTS: &str = include_str!("../../../crates/video/tests/clips/baseline-64x48.sha256");
/// Bytes of the length before each NAL unit.
const LENGTH: usize = 4;

/// Types of NAL units (ITU-T H.264 table 7-1).
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;
const DELIMITER: u8 = 9;

/// The clip.
pub(crate) struct Clip {
    /// Its decoder configuration record (ISO/IEC 14496-15 section 5.3.3.1).
    pub(crate) record: Vec<u8>,
    pub(crate) units: Vec<Unit>,
    /// SHA-256 of each decoded picture.
    pub(crate) digests: Vec<[u8; 32]>,
}

/// An access unit in clear.
#[derive(Clone, Default)]
pub(crate) struct Unit {
    pub(crate) bytes: Vec<u8>,
    subsamples: Vec<Subsample>,
    pub(crate) idr: bool,
}

/// An access unit as a host has it.
pub(crate) struct ProtectedUnit {
    pub(crate) bytes: Vec<u8>,
    time: u64,
    scheme: u8,
    sample: [u8; 24],
    subsamples: Vec<u8>,
}

fn nal_units() -> Vec<&'static [u8]> {
    let begins = |at: &usize| STREAM[*at..].starts_with(&[0, 0, 1]);
    let begins: Vec<usize> = (0..STREAM.len()).filter(begins).collect();
    let ends = begins.iter().skip(1).copied().chain([STREAM.len()]);
    let whole = begins
        .iter()
        .zip(ends)
        .map(|(begin, end)| &STREAM[begin + 3..end]);
    // A fourth byte of the next start code belongs to none.
    whole.map(without_zeros).collect()
}

/// Without the zeros at its end.
fn without_zeros(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|byte| *byte != 0);
    &nal[..end.map_or(0, |end| end + 1)]
}

fn kind(nal: &[u8]) -> u8 {
    nal[0] & 0x1f
}

impl Clip {
    pub(crate) fn new() -> Self {
        let mut units: Vec<Unit> = Vec::new();
        let (mut sequence, mut picture): (&[u8], &[u8]) = (&[], &[]);
        for nal in nal_units() {
            match kind(nal) {
                DELIMITER => units.push(Unit::default()),
                SEQUENCE_PARAMETERS => sequence = nal,
                PICTURE_PARAMETERS => picture = nal,
                _ => {}
            }
            let unit = units.last_mut().expect("it begins with a delimiter");
            unit.add(nal);
        }
        let size = |nal: &[u8]| (nal.len() as u16).to_be_bytes();
        let record = [
            &[1, sequence[1], sequence[2], sequence[3], 0xff, 0xe1][..],
            &size(sequence),
            sequence,
            &[1],
            &size(picture),
            picture,
        ];
        let digest = |line: &str| {
            let (_, digest) = line.split_once(' ').expect("size and digest");
            let pair =
                |at| u8::from_str_radix(&digest[at * 2..at * 2 + 2], 16).expect("hexadecimal");
            std::array::from_fn(pair)
        };
        Self {
            record: record.concat(),
            units,
            digests: DIGESTS.lines().map(digest).collect(),
        }
    }

    /// Its units as a host has them, under [`KEY`].
    pub(crate) fn protected(&self, key: [u8; 16], usage: &KeyUse) -> Vec<ProtectedUnit> {
        let number = |(at, unit): (u64, &Unit)| unit.protected(key, usage, at);
        (1..).zip(&self.units).map(number).collect()
    }
}

impl Unit {
    /// Appends a NAL unit; what a slice says beyond its first byte is to be protected.
    fn add(&mut self, nal: &[u8]) {
        self.idr |= kind(nal) == IDR_SLICE;
        let slice = matches!(kind(nal), SLICE | IDR_SLICE);
        let clear = if slice {
            LENGTH + 1
        } else {
            LENGTH + nal.len()
        };
        let protected = LENGTH + nal.len() - clear;
        match self.subsamples.last_mut() {
            Some((before, 0)) => *before += clear as u32,
            _ => self.subsamples.push((clear as u32, 0)),
        }
        if let Some((_, last)) = self.subsamples.last_mut() {
            *last = protected as u32;
        }
        self.bytes
            .extend_from_slice(&(nal.len() as u32).to_be_bytes());
        self.bytes.extend_from_slice(nal);
    }

    /// Protects it with `cenc`; `number` makes its initialisation vector and its time.
    pub(crate) fn protected(&self, key: [u8; 16], usage: &KeyUse, number: u64) -> ProtectedUnit {
        let mut iv = [0; 16];
        iv[..8].copy_from_slice(&noise(8, number));
        let mut bytes = self.bytes.clone();
        protect(key, usage, iv, &self.subsamples, &mut bytes);
        let mut sample = [0; 24];
        sample[..16].copy_from_slice(&iv);
        sample[16..20].copy_from_slice(&(bytes.len() as u32).to_be_bytes());
        sample[20..].copy_from_slice(&(self.subsamples.len() as u32).to_be_bytes());
        let records = self
            .subsamples
            .iter()
            .flat_map(|(clear, protected)| [clear.to_be_bytes(), protected.to_be_bytes()].concat());
        ProtectedUnit {
            bytes,
            time: number * 40,
            scheme: usage.scheme.code(),
            sample,
            subsamples: records.collect(),
        }
    }
}

impl ProtectedUnit {
    /// The request that plays it.
    pub(crate) fn request(&self) -> Decode<'_> {
        Decode {
            time: self.time,
            duration_ms: 40,
            protection: Some(Protection {
                key_id: KEY,
                license: None,
                scheme: self.scheme,
                iv_size: 8,
                constant_iv: None,
                crypt_blocks: 0,
                skip_blocks: 0,
                sample: self.sample,
                subsamples: Blob(&self.subsamples),
            }),
        }
    }
}

/// A connection to a decoder, spoken by hand.
pub(crate) struct Player {
    tee: Box<dyn TeeSession>,
    /// The last response.
    pub(crate) response: Vec<u8>,
}

impl Player {
    pub(crate) fn start(tee: &dyn Tee) -> Result<Self, Failure> {
        Ok(Self {
            tee: tee.connect_decoder()?,
            response: Vec::new(),
        })
    }

    fn say<'r, R: Exchange<'r>, T>(
        &mut self,
        request: &R,
        media: Media<'_>,
        read: impl FnOnce(R::Answer<'_>) -> T,
    ) -> Result<T, Failure> {
        let request = request
            .encode(MAX_REQUEST)
            .map_err(|_| Failure::Malformed)?;
        let command = R::COMMAND.code();
        self.tee
            .call(command, &request, &mut self.response, media)?;
        decode_response::<R::Answer<'_>>(&self.response)
            .map_err(|_| Failure::Malformed)?
            .map(read)
            .map_err(Failure::Refused)
    }

    pub(crate) fn attach(&mut self, ticket: [u8; 16]) -> Result<(), Failure> {
        self.say(&body::Attach { ticket }, Media::None, |_| ())
    }

    pub(crate) fn configure(&mut self, clip: &Clip) -> Result<(), Failure> {
        let configure = body::Configure {
            codec: *b"avc1",
            record: Blob(&clip.record),
        };
        self.say(&configure, Media::None, |_| ())
    }

    pub(crate) fn play(&mut self, unit: &ProtectedUnit) -> Result<Presented, Failure> {
        self.say(&unit.request(), Media::Input(&unit.bytes), |a| a)
    }

    pub(crate) fn flush(&mut self) -> Result<Presented, Failure> {
        self.say(&body::Flush {}, Media::None, |a| a)
    }

    /// Has it die, in a test build.
    pub(crate) fn die(&mut self) -> Result<(), Failure> {
        self.say(&body::Die {}, Media::None, |_| ())
    }
}
