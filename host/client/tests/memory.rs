//! How much memory a walk over a hostile stream takes. Alone in its process, whose peak is measured.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::convert::Infallible;
use std::io::{self, Read};

use keybearer_client::{KeyId, SampleDecryptor, TrackBatch, decrypt_stream};
use keybearer_media::Pssh;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/samples/cenc-video.mp4"
);
/// What is promised beside the largest fragment.
const PROMISED: u64 = 8_000_000;
/// Together some 25 MB of different `pssh` boxes, where all that is kept of each is a digest.
const FRAGMENTS: usize = 200;
/// As many as a `moof` has room for with 16-byte IVs and one subsample each.
const SAMPLES: u32 = 75_000;
const SAMPLE_BYTES: u32 = 16;

/// Leaves samples as they are.
struct Nothing;

impl SampleDecryptor for Nothing {
    type Error = Infallible;

    fn prepare(&mut self, _: &[KeyId], _: &[Pssh]) -> Result<(), Infallible> {
        Ok(())
    }

    fn decrypt(&mut self, _: &TrackBatch<'_>, _: &mut [u8]) -> Result<(), Infallible> {
        Ok(())
    }
}

fn bx(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let size = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = u32::try_from(size).unwrap().to_be_bytes().to_vec();
    out.extend(kind);
    parts.iter().for_each(|part| out.extend(*part));
    out
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A fragment as large in its tables as one may be, with a `pssh` of its own.
fn fragment(number: u32) -> Vec<u8> {
    let mut entries = Vec::new();
    for sample in 0..SAMPLES {
        entries.extend([0; 12]);
        entries.extend(sample.to_be_bytes());
        entries.extend([0, 1, 0, 8, 0, 0, 0, 8]);
    }
    let moof = |data_offset: u32| {
        let mfhd = bx(b"mfhd", &[&words(&[0, number])]);
        let tfhd = bx(b"tfhd", &[&words(&[0x2_0018, 1, 1, SAMPLE_BYTES])]);
        let trun = bx(b"trun", &[&words(&[1, SAMPLES, data_offset])]);
        let senc = bx(b"senc", &[&words(&[2, SAMPLES]), &entries]);
        let data = vec![number.to_le_bytes()[0]; 125_000];
        let length = u32::try_from(data.len()).unwrap();
        let system = [&[0; 12][..], &number.to_be_bytes()].concat();
        let pssh = bx(b"pssh", &[&words(&[0]), &system, &words(&[length]), &data]);
        bx(
            b"moof",
            &[&mfhd, &bx(b"traf", &[&tfhd, &trun, &senc]), &pssh],
        )
    };
    let size = u32::try_from(moof(0).len()).unwrap();
    let media = vec![7; (SAMPLES * SAMPLE_BYTES).try_into().unwrap()];
    [moof(size + 8), bx(b"mdat", &[&media])].concat()
}

/// One fragment again and again, under new numbers: none but the current one is in memory.
struct Stream {
    current: io::Cursor<Vec<u8>>,
    fragment: Vec<u8>,
    left: usize,
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.current.read(into)?;
        if read > 0 || self.left == 0 {
            return Ok(read);
        }
        self.left -= 1;
        let number = u32::try_from(self.left).unwrap();
        let at = self.fragment.windows(4).position(|w| w == b"pssh").unwrap() + 8;
        self.fragment[at + 12..at + 16].copy_from_slice(&number.to_be_bytes());
        // The same capacity: the stream's own memory does not grow while it is measured.
        self.current.get_mut().clear();
        self.current.get_mut().extend(&self.fragment);
        self.current.set_position(0);
        self.current.read(into)
    }
}

/// Largest resident memory of this process so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() * 1024
}

#[test]
fn the_largest_fragment_and_8_mb_are_all_that_a_hostile_stream_takes() {
    let file = std::fs::read(FILE).unwrap();
    let moof = file.windows(4).position(|word| word == b"moof").unwrap() - 4;
    let fragment = fragment(1);
    let largest = u64::try_from(fragment.len()).unwrap();
    let mut current = Vec::with_capacity(fragment.len());
    // Touched, so that it counts before and not after.
    current.extend(&fragment);
    current.clear();
    current.extend(&file[..moof]);
    let current = io::Cursor::new(current);
    let stream = Stream {
        current,
        fragment,
        left: FRAGMENTS,
    };
    let before = peak();
    let summary = decrypt_stream(stream, io::sink(), &mut Nothing, &mut |_| ()).unwrap();
    let grown = peak() - before;
    assert_eq!(summary.fragments, u64::try_from(FRAGMENTS).unwrap());
    assert_eq!(
        summary.protected_samples,
        summary.fragments * u64::from(SAMPLES)
    );
    assert!(
        grown <= largest + PROMISED,
        "{grown} bytes for a fragment of {largest}"
    );
}
