//! Decoding in the heap of a trusted application: either it is refused, or every allocation succeeds.

use keybearer_video::{Budget, Codec, DecodeError, Decoder, Refusal};

use crate::Blind;
use crate::support::greedy::{greedy, grid};
use crate::support::heap::failures;
use crate::support::writer::{Sequence, Set, Slice};
use crate::support::{Stream, clips, record, with_lengths};

/// The pictures' part of the decoder TA's heap of 9 MiB, a little less than it is.
const PICTURES: usize = 8 << 20;

/// Bytes that parameter sets take before any is measured against the budget.
const SETS: usize = 16 << 10;

fn small() -> impl Iterator<Item = Sequence> {
    grid().into_iter().filter(|it| it.macroblocks() <= 100)
}

/// Nothing is decoded in less memory than it takes: for each of many sizes of a heap, smaller than
/// what is reckoned, the refusal comes first; with what is reckoned everything is decoded.
#[test]
fn either_the_refusal_comes_first_or_every_allocation_succeeds() {
    let (mut refused, mut decoded) = (0, 0);
    for sequence in small() {
        let (record, units) = greedy(&sequence);
        let largest = u64::from(sequence.macroblocks()) * 256 - 1;
        let configured = Decoder::new(NO_LIMIT).configure(Codec::H264, &record);
        let reckoned = configured.unwrap().format.unwrap().memory;
        for part in 1..=32 {
            // From what the sets alone may take, to all of it.
            let size = SETS + (reckoned - SETS) * part / 32;
            let (failures, result) = failures(size, || {
                let mut decoder = Decoder::new(Budget::of_heap(size));
                decoder.configure(Codec::H264, &record)?;
                for round in 0..2 {
                    for (number, unit) in units.iter().enumerate() {
                        let accepted =
                            decoder.decode(unit, number as u64, Some(largest), &mut Blind);
                        assert!(accepted.is_ok(), "{sequence:?}: {round}, {number}");
                    }
                }
                Ok(())
            });
            assert_eq!(failures, 0, "{sequence:?}: {size} of {reckoned}");
            match result {
                Ok(()) => decoded += 1,
                Err(Refusal::NoDecoderMemory) => refused += 1,
                Err(other) => panic!("{sequence:?}: {other:?}"),
            }
            assert_eq!(result.is_ok(), size >= reckoned, "{sequence:?}: {size}");
        }
    }
    assert!(refused > 500 && decoded > 20, "{refused}, {decoded}");
}

/// What finds no memory is noticed: the same streams in half of what they take, with nothing refused.
#[test]
fn a_heap_that_is_too_small_is_noticed() {
    for sequence in small() {
        let (record, units) = greedy(&sequence);
        let configured = Decoder::new(NO_LIMIT).configure(Codec::H264, &record);
        // What does not depend on the picture is reckoned for more sets than these streams have.
        let size = (configured.unwrap().format.unwrap().memory - FIXED) / 2;
        let (failures, ()) = failures(size, || {
            let mut decoder = Decoder::new(NO_LIMIT);
            decoder.configure(Codec::H264, &record).unwrap();
            for unit in &units {
                decoder.decode(unit, 0, None, &mut Blind).unwrap();
            }
        });
        assert!(failures > 0, "{sequence:?} in {size}");
    }
}

const NO_LIMIT: Budget = Budget::of_heap(usize::MAX);
/// More than is reckoned for what does not depend on the picture.
const FIXED: usize = 180 << 10;

/// The same for sets that come with the pictures.
#[test]
fn what_a_unit_asks_for_in_band_is_refused_before_it_is_had() {
    let first = Sequence {
        columns: 4,
        rows: 3,
        references: 1,
        ..Sequence::default()
    };
    let sets = record(&[first.nal()], &[Set::default().nal()]);
    let begin = with_lengths(&[Slice::idr().nal(&first, 12)]);
    let (mut rejected, mut decoded) = (0, 0);
    for columns in [1, 8, 22, 40, 60, 80, 120] {
        for rows in [1, 8, 18, 30, 45, 68] {
            for references in [1, 2, 4, 8, 16] {
                let sequence = Sequence {
                    columns,
                    rows,
                    references,
                    ..Sequence::default()
                };
                let slice = Slice::idr().nal(&sequence, sequence.macroblocks());
                let sets_and_slice = [sequence.nal(), Set::default().nal(), slice];
                let unit = with_lengths(&sets_and_slice);
                let (failures, result) = failures(PICTURES, || {
                    let mut decoder = Decoder::new(Budget::of_heap(PICTURES));
                    decoder.configure(Codec::H264, &sets).unwrap();
                    decoder.decode(&begin, 0, None, &mut Blind).unwrap();
                    decoder.decode(&unit, 1, None, &mut Blind)
                });
                assert_eq!(failures, 0, "{sequence:?}: {result:?}");
                match result {
                    Ok(accepted) => decoded += usize::from(accepted.decoded),
                    Err(DecodeError::Rejected(_)) => rejected += 1,
                    Err(other) => panic!("{sequence:?}: {other:?}"),
                }
            }
        }
    }
    assert!(rejected > 50 && decoded > 50, "{rejected}, {decoded}");
}

/// One decoder through every clip and sequence that fits, one configuration after another: memory
/// that was free at the beginning does not end up in pieces too small.
#[test]
fn a_long_life_leaves_the_heap_whole() {
    let mut streams: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    let mut names: Vec<String> = std::fs::read_dir(clips())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".h264").map(str::to_owned))
        .collect();
    names.sort();
    for name in names {
        let clip = Stream::read(&name);
        streams.push((clip.record, clip.units));
    }
    streams.extend(grid().iter().map(greedy));
    // Large and small ones take turns.
    let half = streams.len() / 2;
    let order = (0..streams.len()).map(|at| (at / 2 + at % 2 * half).min(streams.len() - 1));
    let order: Vec<usize> = order.collect();
    let (failures, (fitted, decoded)) = failures(PICTURES, || {
        let mut decoder = Decoder::new(Budget::of_heap(PICTURES));
        let (mut fitted, mut decoded) = (0, 0);
        for at in order {
            let (record, units) = &streams[at];
            if decoder.configure(Codec::H264, record).is_err() {
                continue;
            }
            fitted += 1;
            for (time, unit) in units.iter().enumerate() {
                let largest = (time % 3 > 0).then_some(64 * 48);
                let accepted = decoder.decode(unit, time as u64, largest, &mut Blind);
                decoded += usize::from(accepted.is_ok_and(|accepted| accepted.decoded));
            }
            // Half of them end, the others are left off.
            if at % 2 == 0 {
                let _ = decoder.flush(None, &mut Blind);
            }
        }
        (fitted, decoded)
    });
    assert_eq!(failures, 0, "in {fitted} streams with {decoded} pictures");
    assert!(fitted > 60 && decoded > 1_000, "{fitted}, {decoded}");
}
