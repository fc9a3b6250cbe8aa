//! Streams that make a decoder hold all that it may.

#![allow(dead_code, reason = "each test binary uses some of it")]

use super::units::{record, with_lengths};
use super::writer::{Sequence, Set, Slice};

/// Units that make a decoder of this sequence hold all that it may: every reference, every picture
/// that may wait, slices as large as they may be, several of them, and B slices.
pub(crate) fn greedy(sequence: &Sequence) -> (Vec<u8>, Vec<Vec<u8>>) {
    let all = sequence.macroblocks();
    let half = all / 2;
    let references = sequence.references;
    let mut units = Vec::new();
    let full = references + sequence.reorder.unwrap_or(0) + 2;
    // Then all of them go at once, as many come again, and pictures that nothing refers to.
    let again = full + references;
    for number in 0..again + 6 {
        let reference = number < again;
        let slice = Slice {
            // Presentation order runs backwards, so that all wait that may.
            order: if number == 0 { 0 } else { 2 * (1_000 - number) },
            idr: number == 0,
            kind: match number {
                0 => 2,
                _ if !reference && number % 2 == 0 => 1,
                _ => 0,
            },
            reference,
            frame_num: number.min(again) & 0xff,
            marking: (number == full).then(|| (0..references).map(|back| vec![1, back]).collect()),
            ..Slice::idr()
        };
        let rest = Slice {
            first: half,
            ..slice.clone()
        };
        units.push(if number % 4 == 1 && half > 0 {
            with_lengths(&[
                slice.nal_of_samples(sequence, half),
                rest.nal_of_samples(sequence, all - half),
            ])
        } else if number % 4 == 2 && half > 0 {
            with_lengths(&[slice.nal(sequence, half), rest.nal(sequence, all - half)])
        } else {
            with_lengths(&[slice.nal_of_samples(sequence, all)])
        });
    }
    (record(&[sequence.nal()], &[Set::default().nal()]), units)
}

/// Sizes, reference counts and reorder depths.
pub(crate) fn grid() -> Vec<Sequence> {
    let mut grid = Vec::new();
    for (columns, rows) in [(1, 1), (4, 3), (11, 9), (22, 18), (60, 2), (2, 60)] {
        for references in [1, 4, 16] {
            for reorder in [0, 2, 16] {
                if columns * rows > 300 && (references > 4 || reorder > 2) {
                    continue;
                }
                grid.push(Sequence {
                    columns,
                    rows,
                    references,
                    reorder: Some(reorder),
                    ..Sequence::default()
                });
            }
        }
    }
    grid
}
