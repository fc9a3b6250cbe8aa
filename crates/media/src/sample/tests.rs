#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::testing::{KID, cenc_file, read, senc, simple_fragment};
use crate::{BatchLimit, TrackFragment};

const UNLIMITED: BatchLimit = BatchLimit::UNLIMITED;

/// Ten samples of 10 to 19 bytes and 40 ms, each of two subsamples.
fn ten() -> TrackFragment {
    let sizes: Vec<u32> = (10..20).collect();
    let tables: Vec<[(u16, u32); 2]> = sizes.iter().map(|size| [(2, 3), (1, size - 6)]).collect();
    let tables: Vec<&[(u16, u32)]> = tables.iter().map(|table| &table[..]).collect();
    let fragment = simple_fragment(&sizes, &[&senc(&tables, 10)]);
    read(&cenc_file(&[&fragment])).unwrap().remove(0)
}

fn counts(limit: BatchLimit) -> Vec<usize> {
    let fragment = ten();
    let batches: Vec<_> = fragment.batches(limit).collect();
    let joined: Vec<_> = batches
        .iter()
        .flat_map(|batch| batch.samples())
        .copied()
        .collect();
    assert_eq!(joined, fragment.samples(), "every sample once and in order");
    batches.iter().map(|batch| batch.samples().len()).collect()
}

#[test]
fn batches_keep_within_each_limit() {
    assert_eq!(counts(UNLIMITED), [10]);
    assert_eq!(counts(BatchLimit::default()), [10]);
    assert_eq!(
        counts(BatchLimit {
            duration_ms: 120,
            ..UNLIMITED
        }),
        [3, 3, 3, 1]
    );
    assert_eq!(
        counts(BatchLimit {
            duration_ms: 119,
            ..UNLIMITED
        }),
        [2; 5]
    );
    assert_eq!(
        counts(BatchLimit {
            samples: 4,
            ..UNLIMITED
        }),
        [4, 4, 2]
    );
    assert_eq!(
        counts(BatchLimit {
            subsamples: 7,
            ..UNLIMITED
        }),
        [3, 3, 3, 1]
    );
    // 10+11+12, 13+14, 15+16, 17+18, 19.
    assert_eq!(
        counts(BatchLimit {
            bytes: 35,
            ..UNLIMITED
        }),
        [3, 2, 2, 2, 1]
    );
}

#[test]
fn one_sample_is_always_taken() {
    let none = BatchLimit {
        duration_ms: 0,
        bytes: 0,
        samples: 0,
        subsamples: 0,
    };
    assert_eq!(counts(none), [1; 10]);
}

#[test]
fn a_batch_says_what_it_holds() {
    let fragment = ten();
    let batch = fragment
        .batches(BatchLimit {
            samples: 4,
            ..UNLIMITED
        })
        .nth(1)
        .unwrap();
    assert_eq!(batch.key_id(), Some(KID));
    assert_eq!(batch.size(), 14 + 15 + 16 + 17);
    assert_eq!(batch.duration_ms(), 160);
    let range = batch.samples()[0].range().start..batch.samples()[3].range().end;
    assert_eq!(batch.range(), range);
    assert_eq!(batch.subsamples(&batch.samples()[1])[1].protected, 15 - 6);
    assert_eq!(batch.fragment().track_id, 1);
}

#[test]
fn durations_round_up() {
    assert_eq!(super::milliseconds(1, 90_000), 1);
    assert_eq!(super::milliseconds(180_000, 90_000), 2000);
    assert_eq!(super::milliseconds(u64::MAX, 1), u64::MAX);
}

#[test]
fn a_sample_takes_the_36_bytes_that_the_memory_bound_counts() {
    assert_eq!(size_of::<crate::Sample>(), 36);
}
