//! What decoding really takes stays a tenth below what is reckoned, over a grid of sizes, reference
//! counts and reorder depths, in the worst case that a stream can ask for.

use keybearer_video::{Budget, Codec, Decoder, Refusal};

use crate::support::greedy::{greedy, grid};
use crate::support::writer::{Sequence, Set, Slice};
use crate::support::{record, with_lengths};
use crate::{Blind, peak};

const NO_LIMIT: Budget = Budget::of_heap(usize::MAX);

/// The reckoned and the measured memory of a sequence.
fn measure(sequence: &Sequence) -> (usize, usize) {
    let (record, units) = greedy(sequence);
    let mut reckoned = 0;
    // One sample less than the picture: scaling takes the most.
    let largest = u64::from(sequence.macroblocks()) * 256 - 1;
    let (peak, ()) = peak(|| {
        let mut decoder = Decoder::new(NO_LIMIT);
        let configured = decoder.configure(Codec::H264, &record).unwrap();
        reckoned = configured.format.unwrap().memory;
        for (number, unit) in units.iter().enumerate() {
            let accepted = decoder.decode(unit, number as u64, Some(largest), &mut Blind);
            assert!(
                accepted.is_ok_and(|accepted| accepted.decoded),
                "{sequence:?}, picture {number}"
            );
        }
    });
    (reckoned, peak)
}

#[test]
fn decoding_takes_a_tenth_less_than_is_reckoned() {
    let (mut wrong, mut closest) = (Vec::new(), 0.0);
    for sequence in grid() {
        let (reckoned, measured) = measure(&sequence);
        if measured * 11 > reckoned * 10 {
            wrong.push(format!("{sequence:?}: {measured} of {reckoned}"));
        }
        let part = measured as f64 / reckoned as f64;
        if sequence.macroblocks() >= 99 && part > closest {
            closest = part;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Nor is so much reckoned that the bound means nothing.
    assert!(
        closest > 0.75,
        "at most {closest} of what is reckoned is used"
    );
}

/// As many sets as a stream may have, which the decoder keeps as well.
#[test]
fn parameter_sets_fit_what_is_reckoned_for_them() {
    let sequence = Sequence {
        columns: 1,
        rows: 1,
        ..Sequence::default()
    };
    let sequences: Vec<Vec<u8>> = (0..31)
        .map(|id| {
            Sequence {
                id,
                ..sequence.clone()
            }
            .nal()
        })
        .collect();
    let sets: Vec<Vec<u8>> = (0..255)
        .map(|id| {
            Set {
                id,
                ..Set::default()
            }
            .nal()
        })
        .collect();
    let record = record(&sequences, &sets);
    let unit = with_lengths(&[Slice::idr().nal(&sequence, 1)]);
    let (reckoned, _) = measure(&sequence);
    let (peak, ()) = peak(|| {
        let mut decoder = Decoder::new(Budget::of_heap(reckoned));
        decoder.configure(Codec::H264, &record).unwrap();
        decoder.decode(&unit, 0, None, &mut Blind).unwrap();
    });
    assert!(peak * 11 <= reckoned * 10, "{peak} of {reckoned}");
}

/// A configuration that has one byte less than it needs is refused, and one that has it is not.
#[test]
fn the_budget_is_exact() {
    let sequence = Sequence {
        columns: 11,
        rows: 9,
        references: 4,
        ..Sequence::default()
    };
    let record = record(&[sequence.nal()], &[Set::default().nal()]);
    let (reckoned, _) = measure(&Sequence {
        reorder: None,
        ..sequence.clone()
    });
    let configure = |heap| Decoder::new(Budget::of_heap(heap)).configure(Codec::H264, &record);
    assert_eq!(
        configure(reckoned).unwrap().format.unwrap().memory,
        reckoned
    );
    assert_eq!(
        configure(reckoned - 1).err(),
        Some(Refusal::NoDecoderMemory)
    );
}

/// A thousand pictures take no more than the first few did: nothing is kept that nobody needs.
#[test]
fn memory_does_not_grow_with_time() {
    let sequence = Sequence {
        columns: 4,
        rows: 3,
        references: 2,
        reorder: Some(0),
        ..Sequence::default()
    };
    let record = record(&[sequence.nal()], &[Set::default().nal()]);
    let run = |pictures: u32| {
        let (peak, ()) = peak(|| {
            let mut decoder = Decoder::new(NO_LIMIT);
            decoder.configure(Codec::H264, &record).unwrap();
            for number in 0..pictures {
                let slice = match number % 100 {
                    0 => Slice::idr(),
                    within => Slice::p(within),
                };
                let unit = with_lengths(&[slice.nal(&sequence, 12)]);
                assert!(decoder.decode(&unit, 0, None, &mut Blind).unwrap().decoded);
            }
        });
        peak
    };
    assert!(run(1_000) <= run(210) + 1_024);
}
