use crate::limits::PIECE_SAMPLES;
use crate::sample::SampleProtections;
use crate::{Iv, Sample, TrackFragment};

use super::Division;

/// A track whose samples are at these places.
fn track(samples: impl Iterator<Item = (u32, u32)>) -> TrackFragment {
    let samples = samples.map(|(start, size)| Sample {
        start,
        size,
        duration: 1,
        iv: Iv::NONE,
        first_subsample: 0,
        subsamples: 0,
    });
    TrackFragment {
        track: 0,
        track_id: 1,
        entry: 0,
        timescale: 1000,
        decode_time: None,
        protections: SampleProtections::default(),
        samples: samples.collect(),
        subsamples: Vec::new(),
    }
}

#[test]
fn many_small_samples_are_divided_by_their_number() {
    let count = 3 * PIECE_SAMPLES + 5;
    let tracks = vec![track((0..).take(count).map(|at| (at, 1)))];
    let mut division = Division::new(tracks, count).expect("they lie in order");
    let mut samples = Vec::new();
    while !division.is_over() {
        let (range, parts) = division.next_piece(usize::MAX);
        assert_eq!(range.len(), parts[0].samples.len());
        samples.push(range.len());
    }
    assert_eq!(samples, [PIECE_SAMPLES, PIECE_SAMPLES, PIECE_SAMPLES, 5]);
}

#[test]
fn samples_without_end_at_one_place_come_together() {
    let count = 2 * PIECE_SAMPLES;
    let mut division = Division::new(vec![track((0..count).map(|_| (10, 0)))], 30)
        .expect("none begins before the one before it ends");
    let mut samples = 0;
    let mut pieces = 0;
    while !division.is_over() {
        let (_, parts) = division.next_piece(10);
        samples += parts.iter().map(|part| part.samples.len()).sum::<usize>();
        pieces += 1;
        assert!(pieces <= 30, "each piece has a byte at least");
    }
    assert_eq!(samples, count);
}

#[test]
fn a_sample_of_another_track_is_not_cut() {
    // Two tracks that take turns, with samples of unlike sizes.
    let one = track([(8, 100), (120, 100), (400, 10)].into_iter());
    let other = track([(108, 12), (220, 180), (410, 90)].into_iter());
    let mut division = Division::new(vec![one, other], 500).expect("they lie in order");
    let mut ends = Vec::new();
    while !division.is_over() {
        let (range, parts) = division.next_piece(110);
        for part in &parts {
            for sample in &part.samples {
                assert!(sample.range().end <= range.len());
            }
        }
        ends.push(range.end);
    }
    assert_eq!(ends, [108, 120, 220, 400, 500]);
}
