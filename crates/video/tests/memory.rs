//! The memory budget: what decoding really takes stays a tenth below what is reckoned, over a grid of
//! sizes, reference counts and reorder depths, in the worst case that a stream can ask for.
//!
//! Counted on the machine that runs the test, whose words are as wide as the trusted application's.
//! Each block is charged what an allocator with boundary tags takes at most: its size rounded up to
//! 16 bytes and 32 bytes of headers.

#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one counts and passes on"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use keybearer_video::{Budget, Codec, Decoder, Picture, Sink, SinkFailed};
use support::writer::{Sequence, Set, Slice};
use support::{record, with_lengths};

struct Counting;

std::thread_local! {
    /// Bytes in use by this thread, and the most there were: the tests run side by side.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// What a block takes.
fn charge(size: usize) -> isize {
    isize::try_from(size.next_multiple_of(16) + 32).expect("no block is that large")
}

fn count(change: isize) {
    // While a thread ends its counters may be gone; nothing is measured then.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every request is the system allocator's, with its own layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(charge(layout.size()));
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-charge(layout.size()));
        // SAFETY: it came from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `run` has at once on top of what there was.
fn peak<R>(run: impl FnOnce() -> R) -> (usize, R) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = run();
    (usize::try_from(PEAK.get() - before).unwrap(), result)
}

/// Looks at nothing.
struct Blind;

impl Sink for Blind {
    fn present(&mut self, _: &Picture<'_>) -> Result<(), SinkFailed> {
        Ok(())
    }
}

const NO_LIMIT: Budget = Budget::of_heap(usize::MAX);

/// Units that make a decoder of this sequence hold all that it may: every reference, every picture
/// that may wait, slices as large as they may be, and a second slice, for which it copies its state.
fn greedy(sequence: &Sequence) -> (Vec<u8>, Vec<Vec<u8>>) {
    let set = Set::default();
    let all = sequence.macroblocks();
    let unit = if sequence.adaptive { 2 } else { 1 };
    let half = all / unit / 2;
    let filler = 400 * all as usize / 2;
    let mut units = Vec::new();
    for number in 0..sequence.references + sequence.reorder.unwrap_or(0) + 4 {
        // Presentation order runs backwards, so that all wait that may.
        let order = 2 * (1_000 - number);
        let mut first = if number == 0 {
            Slice::idr()
        } else {
            Slice::p(number)
        };
        if number > 0 {
            first.order = order;
        }
        let second = Slice {
            first: half,
            ..first.clone()
        };
        units.push(with_lengths(&[
            first.nal_with(sequence, half * unit, filler),
            second.nal_with(sequence, all - half * unit, filler - 64),
        ]));
    }
    (record(&[sequence.nal()], &[set.nal()]), units)
}

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
            assert!(accepted.unwrap().decoded, "{sequence:?}, picture {number}");
        }
    });
    (reckoned, peak)
}

fn grid() -> Vec<Sequence> {
    let mut grid = Vec::new();
    for (columns, rows) in [
        (2, 2),
        (4, 3),
        (11, 9),
        (20, 12),
        (22, 18),
        (40, 23),
        (60, 2),
        (2, 60),
    ] {
        for references in [1, 2, 4, 8, 16] {
            for reorder in [0, 1, 2, 4, 16] {
                for adaptive in [false, true] {
                    if columns * rows > 300 && (references > 4 || reorder > 4)
                        || adaptive && rows % 2 == 1
                    {
                        continue;
                    }
                    grid.push(Sequence {
                        columns,
                        rows,
                        references,
                        reorder: Some(reorder),
                        frames_only: !adaptive,
                        adaptive,
                        ..Sequence::default()
                    });
                }
            }
        }
    }
    grid
}

#[test]
fn decoding_takes_a_tenth_less_than_is_reckoned() {
    let mut wrong = Vec::new();
    for sequence in grid() {
        let (reckoned, measured) = measure(&sequence);
        if measured * 11 > reckoned * 10 {
            wrong.push(format!("{sequence:?}: {measured} of {reckoned}"));
        }
        if std::env::var_os("SHOW").is_some() {
            let m = sequence.macroblocks() as usize;
            eprintln!(
                "{m:5} mbs refs {:2} reorder {:2} mbaff {:5}: {measured:9} of {reckoned:9} {:.2}; per mb {}",
                sequence.references,
                sequence.reorder.unwrap(),
                sequence.adaptive,
                measured as f64 / reckoned as f64,
                measured / m
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn probe() {
    for extra in [0, 8, 16] {
        for reorder in [0, 4] {
            let sequence = Sequence {
                columns: 11,
                rows: 9,
                references: 1,
                reorder: Some(reorder),
                ..Sequence::default()
            };
            let (record, mut units) = greedy(&Sequence {
                references: 1 + extra,
                ..sequence.clone()
            });
            let _ = record;
            let record = support::record(&[sequence.nal()], &[Set::default().nal()]);
            units.truncate(5 + reorder as usize + extra as usize);
            let (p, n) = peak(|| {
                let mut decoder = Decoder::new(NO_LIMIT);
                decoder.configure(Codec::H264, &record).unwrap();
                let mut n = 0;
                for unit in &units {
                    n += decoder
                        .decode(unit, 0, None, &mut Blind)
                        .unwrap()
                        .presented
                        .len();
                }
                n
            });
            eprintln!(
                "{extra} reorder {reorder}: {} units, {n} presented, {p}",
                units.len()
            );
        }
    }
}
