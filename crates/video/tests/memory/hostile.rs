//! Damaged and hostile streams: no panic, and never more memory than the budget.
//!
//! `VIDEO_ROUNDS` multiplies how many there are: 1 where it is not set, more where there is time.

use keybearer_video::{Budget, Codec, Decoder};

use crate::support::writer::{Sequence, Set, Slice};
use crate::support::{Stream, record, with_lengths};
use crate::{Blind, peak};

/// Enough for every clip below.
const HEAP: usize = 3 << 20;

/// A generator of numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

/// Decodes all of it, whatever becomes of it; how many units were decoded.
fn run(record: &[u8], units: &[Vec<u8>]) -> usize {
    let (most, decoded) = peak(|| {
        let mut decoder = Decoder::new(Budget::of_heap(HEAP));
        if decoder.configure(Codec::H264, record).is_err() {
            return 0;
        }
        let mut decoded = 0;
        for (time, unit) in units.iter().enumerate() {
            let accepted = decoder.decode(unit, time as u64, Some(2_000), &mut Blind);
            decoded += usize::from(accepted.is_ok_and(|accepted| accepted.decoded));
        }
        let _ = decoder.flush(Some(2_000), &mut Blind);
        decoded
    });
    assert!(most <= HEAP, "{most} bytes of {HEAP}");
    decoded
}

/// That many rounds, or a multiple, from other numbers each time.
fn rounds(usual: u64) -> std::ops::Range<u64> {
    let times = std::env::var("VIDEO_ROUNDS").map_or(1, |times| times.parse().unwrap());
    0..usual * times
}

const CLIPS: [&str; 8] = [
    "baseline-64x48",
    "high-16x16",
    "high-70x50",
    "high-cavlc-176x144",
    "high-refs-16-64x64",
    "high-slices-160x128",
    "high-weighted-128x96",
    "main-pyramid-128x96",
];

#[test]
fn damaged_units_neither_panic_nor_take_more_than_the_budget() {
    let mut numbers = Numbers(1);
    let (mut decoded, mut units) = (0, 0);
    for name in CLIPS {
        let clip = Stream::read(name);
        for _ in rounds(40) {
            let mut damaged = clip.units.clone();
            for _ in 0..=numbers.next(4) {
                // The length fields are left alone: a unit that cannot be cut is refused at once.
                let count = damaged.len().min(8);
                let unit = &mut damaged[numbers.next(count)];
                let place = 5 + numbers.next(unit.len() - 5);
                unit[place] ^= 1 << numbers.next(8);
            }
            units += damaged.len();
            decoded += run(&clip.record, &damaged);
        }
    }
    // Some damage is not noticed, some is: neither all nor nothing.
    assert!(
        decoded > units / 10 && decoded < units,
        "{decoded} of {units}"
    );
}

#[test]
fn damaged_records_neither_panic_nor_take_more_than_the_budget() {
    let mut numbers = Numbers(2);
    for name in CLIPS {
        let clip = Stream::read(name);
        for _ in rounds(60) {
            let mut record = clip.record.clone();
            for _ in 0..=numbers.next(3) {
                let place = numbers.next(record.len());
                record[place] = numbers.next(256) as u8;
            }
            run(&record, &clip.units[..3]);
        }
    }
}

#[test]
fn every_truncation_is_refused_or_decoded() {
    let clip = Stream::read("high-16x16");
    for (index, unit) in clip.units.iter().enumerate().take(4) {
        for length in 0..unit.len() {
            let mut units = clip.units[..index].to_vec();
            units.push(unit[..length].to_vec());
            // Cut inside the last NAL unit as well, with a length field that fits.
            run(&clip.record, &units);
            let nal = &unit[4..];
            if length < nal.len() && !nal.is_empty() {
                units.pop();
                units.push(with_lengths(&[&nal[..length]]));
                run(&clip.record, &units);
            }
        }
    }
    for length in 0..clip.record.len() {
        run(&clip.record[..length], &clip.units[..2]);
    }
}

/// Sequences of extremes, in band and in the record, with slices that ask for all they can.
#[test]
fn hostile_sequences_neither_panic_nor_take_more_than_the_budget() {
    let mut numbers = Numbers(3);
    let mut configured = 0;
    for _ in rounds(600) {
        let sides = [1, 2, 3, 7, 11, 22, 40, 120, 500, 1_055, 70_000];
        let sequence = Sequence {
            profile: [66, 77, 100][numbers.next(3)],
            level: [9, 10, 13, 30, 51, 62][numbers.next(6)],
            frame_num_bits: [4, 8, 16][numbers.next(3)],
            order_type: [0, 2][numbers.next(2)],
            references: [0, 1, 4, 16][numbers.next(4)],
            columns: sides[numbers.next(sides.len())],
            rows: sides[numbers.next(sides.len())],
            frames_only: numbers.next(4) > 0,
            crop: (numbers.next(2) == 0).then(|| [0; 4].map(|_| numbers.next(30) as u32)),
            reorder: (numbers.next(2) == 0).then(|| numbers.next(17) as u32),
            ..Sequence::default()
        };
        let set = Set {
            entries: [1 + numbers.next(16) as u32, 1 + numbers.next(16) as u32],
            cabac: numbers.next(2) == 0,
            weighted: numbers.next(4) == 0,
            weighted_bi: 2 * numbers.next(2) as u32,
            ..Set::default()
        };
        let all = sequence.macroblocks().min(2_000);
        let mut units = Vec::new();
        for number in 0..24 {
            let slice = Slice {
                kind: numbers.next(2) as u32,
                frame_num: number % (1 << sequence.frame_num_bits),
                order: numbers.next(4_096) as u32,
                marking: (numbers.next(3) == 0).then(|| vec![vec![1, numbers.next(4) as u32]]),
                entries: (numbers.next(3) == 0).then(|| [1 + numbers.next(33) as u32; 2]),
                ..if number == 0 {
                    Slice::idr()
                } else {
                    Slice::p(number)
                }
            };
            let slice = if number == 0 { Slice::idr() } else { slice };
            let mut nals = vec![sequence.nal(), set.nal()];
            if numbers.next(3) > 0 {
                nals.clear();
            }
            nals.push(slice.nal(&sequence, all));
            units.push(with_lengths(&nals));
        }
        let record = record(&[sequence.nal()], &[set.nal()]);
        configured += usize::from(run(&record, &units) > 0);
    }
    assert!(
        configured > 20,
        "{configured} sequences were decoded at all"
    );
}

/// Random bytes behind honest headers: the decoder's own parsing, as deep as it goes.
#[test]
fn random_slices_neither_panic_nor_take_more_than_the_budget() {
    let mut numbers = Numbers(4);
    for round in rounds(300) {
        let sequence = Sequence {
            profile: 100,
            columns: 6,
            rows: 5,
            references: 3,
            reorder: Some(2),
            ..Sequence::default()
        };
        let set = Set {
            cabac: round % 2 == 0,
            entries: [3, 2],
            weighted_bi: 2,
            ..Set::default()
        };
        let mut units = vec![with_lengths(&[Slice::idr().nal_under_any(
            &sequence,
            &set,
            &mut || numbers.next(256) as u8,
        )])];
        units.insert(0, with_lengths(&[Slice::idr().nal(&sequence, 30)]));
        for number in 1..6 {
            let slice = Slice {
                kind: numbers.next(3) as u32,
                ..Slice::p(number)
            };
            units.push(with_lengths(&[slice.nal_under_any(
                &sequence,
                &set,
                &mut || numbers.next(256) as u8,
            )]));
        }
        run(&record(&[sequence.nal()], &[set.nal()]), &units);
    }
}
