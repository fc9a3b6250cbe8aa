//! The clips of `crates/video`, H.264 streams that FFmpeg made and decoded, protected here as a
//! packager would.

use std::path::{Path, PathBuf};

use keybearer_license::Scheme;
use keybearer_video::{Budget, Codec, Decoder, DigestSink};
use keybearer_wire::decoder::body;
use keybearer_wire::field::Blob;
use keybearer_wire::{SampleTableBuilder, SubsampleEntry};

use crate::encrypt::{Subsample, encrypt};

/// Bytes of heap for a decoder outside of the TEE.
const HEAP: usize = 9 << 20;

/// The folder of the clips. `KEYBEARER_CLIPS` moves it, for a machine without the checkout.
#[must_use]
pub fn folder() -> PathBuf {
    std::env::var_os("KEYBEARER_CLIPS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/video/tests/clips"),
        PathBuf::from,
    )
}

/// A stream as a container would hold it.
#[derive(Debug)]
pub struct Clip {
    /// What a test says when it fails.
    pub name: String,
    /// The payload of its `avcC` box (ISO/IEC 14496-15 section 5.3.3.1).
    pub record: Vec<u8>,
    picture: Vec<u8>,
    /// Its access units in decoding order, NAL units with lengths of four bytes.
    pub units: Vec<Vec<u8>>,
}

impl Clip {
    /// Reads `NAME.h264`, in which an access unit delimiter begins each unit.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn read(name: &str) -> Self {
        let path = folder().join(format!("{name}.h264"));
        let stream = std::fs::read(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
        let nals = nals(&stream);
        let units = nals.split(|nal| nal[0] & 31 == 9);
        let units = units.filter(|unit| !unit.is_empty()).map(with_lengths);
        let first = |kind| nals.iter().find(|nal| nal[0] & 31 == kind);
        let (sequence, picture) = (first(7).expect("an SPS"), first(8).expect("a PPS"));
        let record = record(sequence, picture);
        Self {
            name: name.to_owned(),
            record,
            picture: picture.to_vec(),
            units: units.collect(),
        }
    }

    /// Its configuration record with another sequence parameter set.
    #[must_use]
    pub fn record_with(&self, sequence: &[u8]) -> Vec<u8> {
        record(sequence, &self.picture)
    }

    /// Its first unit behind another sequence parameter set.
    #[must_use]
    pub fn unit_with(&self, sequence: &[u8]) -> Vec<u8> {
        [with_lengths(&[sequence]), self.units[0].clone()].concat()
    }

    /// The digest of each picture as FFmpeg decodes the clear stream, in presentation order.
    ///
    /// # Panics
    /// When its list is not there.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; 32]> {
        let path = folder().join(format!("{}.sha256", self.name));
        let list = std::fs::read_to_string(path).expect("each clip has its digests");
        let digest = |line: &str| {
            let mut digest = [0; 32];
            let (_, hexadecimal) = line.split_once(' ').expect("size and digest");
            hex::decode_to_slice(hexadecimal, &mut digest).expect("a digest");
            digest
        };
        list.lines().map(digest).collect()
    }

    /// The digest of each picture within so many pixels, in presentation order: the clear stream
    /// through decoder and scaler on this side, without any boundary.
    ///
    /// # Panics
    /// When the stream does not decode.
    #[must_use]
    pub fn scaled(&self, pixels: u64) -> Vec<[u8; 32]> {
        let mut decoder = Decoder::new(Budget::of_heap(HEAP));
        let configured = decoder.configure(Codec::H264, &self.record);
        configured.expect("the clip fits");
        let mut sink = DigestSink::default();
        for (time, unit) in (0..).zip(&self.units) {
            let accepted = decoder.decode(unit, time, Some(pixels), &mut sink);
            accepted.expect("FFmpeg made it");
        }
        let rest = decoder.flush(Some(pixels), &mut sink);
        rest.expect("this sink takes all");
        sink.take()
    }
}

fn record(sequence: &[u8], picture: &[u8]) -> Vec<u8> {
    let mut record = vec![1, sequence[1], sequence[2], sequence[3], 0xff, 0xe1];
    record.extend(length(sequence));
    record.extend(sequence);
    record.push(1);
    record.extend(length(picture));
    record.extend(picture);
    record
}

/// A sequence parameter set (ITU-T H.264 clause 7.3.2.1.1) of Baseline at level 4.0 for pictures of so
/// many macroblocks and reference pictures, shown in the order in which they are decoded.
#[must_use]
pub fn sequence(width: u32, height: u32, references: u32) -> Vec<u8> {
    // Exp-Golomb, clause 9.1: as many zeros as bits follow the first one.
    let number = |value: u32| {
        let code = format!("{:b}", value + 1);
        "0".repeat(code.len() - 1) + &code
    };
    // Its id, the length of frame numbers, the order's type, references.
    let mut bits: String = [0, 0, 2, references].into_iter().map(number).collect();
    bits.push('0'); // no gaps in frame numbers
    bits.push_str(&number(width - 1));
    bits.push_str(&number(height - 1));
    // Frames only, direct inference, neither cropping nor VUI; then the stop bit.
    bits.push_str("11001");
    while !bits.len().is_multiple_of(8) {
        bits.push('0');
    }
    let mut set = vec![0x67, 66, 0xc0, 40];
    let bytes = (0..bits.len() / 8).map(|at| &bits[at * 8..at * 8 + 8]);
    set.extend(bytes.map(|byte| u8::from_str_radix(byte, 2).expect("eight bits")));
    set
}

/// The NAL units of a byte stream (ITU-T H.264 annex B).
fn nals(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..stream.len().saturating_sub(2))
        .filter(|at| stream[*at..at + 3] == [0, 0, 1])
        .collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let nal = |(start, end): (&usize, usize)| {
        let nal = &stream[start + 3..end];
        let zeros = nal.iter().rev().take_while(|byte| **byte == 0).count();
        &nal[..nal.len() - zeros]
    };
    starts.iter().zip(ends).map(nal).collect()
}

fn with_lengths(nals: &[&[u8]]) -> Vec<u8> {
    let mut unit = Vec::new();
    for nal in nals {
        unit.extend(
            u32::try_from(nal.len())
                .expect("a small clip")
                .to_be_bytes(),
        );
        unit.extend(*nal);
    }
    unit
}

fn length(set: &[u8]) -> [u8; 2] {
    u16::try_from(set.len()).expect("a small set").to_be_bytes()
}

/// A protected access unit with the records that describe it.
#[derive(Debug)]
pub struct Protected {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The sample record.
    pub sample: [u8; 24],
    /// The subsample records.
    pub subsamples: Vec<u8>,
}

impl Protected {
    /// What has a decoder decode it, as [`protect`] makes it under the key `key_id`.
    #[must_use]
    pub fn decode(&self, scheme: Scheme, key_id: [u8; 16], time: u64) -> body::Decode<'_> {
        let cbcs = scheme == Scheme::Cbcs;
        body::Decode {
            time,
            duration_ms: 40,
            protection: Some(body::Protection {
                key_id,
                license: None,
                scheme: scheme.code(),
                iv_size: if cbcs { 0 } else { 16 },
                constant_iv: cbcs.then_some(Blob(&CONSTANT_IV)),
                crypt_blocks: u8::from(cbcs),
                skip_blocks: if cbcs { 9 } else { 0 },
                sample: self.sample,
                subsamples: Blob(&self.subsamples),
            }),
        }
    }
}

/// The constant initialisation vector of [`protect`] with `cbcs`.
pub const CONSTANT_IV: [u8; 16] = [0x2b; 16];
/// Bytes that stay clear in front of each slice: its length, its type and all of its header.
const CLEAR: usize = 4 + 1 + 32;

/// Protects a unit as ISO/IEC 23001-7 section 9.5.2 has it: slices, but for what begins them, in whole
/// blocks. `number` makes the vector of `cenc`.
///
/// # Panics
/// For schemes other than `cenc` and `cbcs`.
#[must_use]
pub fn protect(scheme: Scheme, key: &[u8; 16], number: u64, unit: &[u8]) -> Protected {
    let mut subsamples: Vec<Subsample> = Vec::new();
    let mut clear = 0_usize;
    let mut rest = unit;
    while let [a, b, c, d, kind, ..] = rest {
        let size = 4 + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let slice = matches!(kind & 31, 1 | 5) && size >= CLEAR + 16;
        let protected = if slice { (size - CLEAR) / 16 * 16 } else { 0 };
        clear += size - protected;
        if protected > 0 {
            let clear = u16::try_from(std::mem::take(&mut clear)).expect("a small clip");
            subsamples.push((clear, u32::try_from(protected).expect("a small clip")));
        }
        rest = &rest[size..];
    }
    if clear > 0 {
        subsamples.push((u16::try_from(clear).expect("a small clip"), 0));
    }
    let mut iv = [0; 16];
    let (pattern, used) = match scheme {
        Scheme::Cenc => {
            iv[..8].copy_from_slice(&number.to_be_bytes());
            ((0, 0), iv)
        }
        Scheme::Cbcs => ((1, 9), CONSTANT_IV),
        other => panic!("{other:?} is not made here"),
    };
    let mut bytes = unit.to_vec();
    encrypt(scheme, pattern, key, &used, Some(&subsamples), &mut bytes);
    protected_as(bytes, &iv, &subsamples)
}

/// Describes bytes as a unit of these subsamples, whatever they are.
///
/// # Panics
/// When they are more than a record can say.
#[must_use]
pub fn protected_as(bytes: Vec<u8>, iv: &[u8; 16], subsamples: &[Subsample]) -> Protected {
    let mut table = SampleTableBuilder::default();
    let size = u32::try_from(bytes.len()).expect("a unit is small");
    let records = subsamples.iter().map(|(clear, protected)| {
        let clear = u32::from(*clear);
        SubsampleEntry {
            clear,
            protected: *protected,
        }
    });
    table.push(iv, size, records).expect("one sample fits");
    Protected {
        bytes,
        sample: table.samples().try_into().expect("one record"),
        subsamples: table.subsamples().to_vec(),
    }
}
