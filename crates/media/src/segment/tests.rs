#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use proptest::prelude::*;

use crate::{
    BatchLimit, FourCc, MediaError, MediaReader, Part, Presentation, Segment, Unsupported,
};

const SAMPLES: [&[u8]; 4] = [
    include_bytes!("../../../../tests/samples/cbcs-av1.mp4"),
    include_bytes!("../../../../tests/samples/cenc-both.mp4"),
    include_bytes!("../../../../tests/samples/cenc-rotation-video.mp4"),
    include_bytes!("../../../../tests/samples/cbcs-periods-video.mp4"),
];

/// A sample's IV, subsamples and bytes.
type Shown = (Vec<u8>, Vec<(u32, u32)>, Vec<u8>);

fn shown(tracks: &[crate::TrackFragment], media: &[u8], out: &mut Vec<Shown>) {
    for track in tracks {
        for batch in track.batches(BatchLimit::UNLIMITED) {
            for sample in batch.samples() {
                let subsamples = batch.subsamples(sample).iter();
                out.push((
                    sample.iv.as_slice().to_vec(),
                    subsamples
                        .map(|part| (part.clear, part.protected))
                        .collect(),
                    media[sample.range()].to_vec(),
                ));
            }
        }
    }
}

fn by_reader(file: &[u8]) -> (Presentation, usize, Vec<Shown>) {
    let mut reader = MediaReader::open(file).unwrap();
    let init = reader.init().len();
    let mut out = Vec::new();
    while let Some(part) = reader.next_part().unwrap() {
        if let Part::Fragment(fragment) = part {
            shown(fragment.tracks(), fragment.media(), &mut out);
        }
    }
    (reader.presentation().clone(), init, out)
}

#[test]
fn a_segment_in_memory_says_what_a_reader_of_streams_finds() {
    for file in SAMPLES {
        let (presentation, init, expected) = by_reader(file);
        let mut segment = file[init..].to_vec();
        let mut found = Vec::new();
        for fragment in Segment::new(&presentation, &mut segment) {
            let mut fragment = fragment.unwrap();
            let (tracks, media) = fragment.split();
            shown(tracks, media, &mut found);
        }
        assert!(!found.is_empty());
        assert!(found == expected);
        assert!(segment == file[init..], "reading changes nothing");
    }
}

#[test]
fn samples_are_reached_where_they_lie() {
    let (presentation, init, expected) = by_reader(SAMPLES[0]);
    let mut segment = SAMPLES[0][init..].to_vec();
    for fragment in Segment::new(&presentation, &mut segment) {
        let mut fragment = fragment.unwrap();
        let (tracks, media) = fragment.split();
        for sample in tracks.iter().flat_map(crate::TrackFragment::samples) {
            media[sample.range()].fill(0xa5);
        }
    }
    let written = segment
        .iter()
        .zip(&SAMPLES[0][init..])
        .filter(|(a, b)| a != b);
    let sizes: usize = expected.iter().map(|(_, _, data)| data.len()).sum();
    let unchanged = sizes / 100;
    assert!((sizes - unchanged..=sizes).contains(&written.count()));
}

#[test]
fn a_segment_cut_anywhere_is_refused_except_between_boxes() {
    let (presentation, init, expected) = by_reader(SAMPLES[0]);
    let segment = &SAMPLES[0][init..];
    for length in 0..segment.len() {
        let mut cut = segment[..length].to_vec();
        let fragments: Result<Vec<_>, _> = Segment::new(&presentation, &mut cut).collect();
        if let Ok(fragments) = fragments {
            let samples = fragments.iter().flat_map(|fragment| fragment.tracks());
            let samples: usize = samples.map(|track| track.samples().len()).sum();
            assert!(samples < expected.len(), "{length}");
        }
    }
}

#[test]
fn a_second_movie_is_refused_and_nothing_follows_an_error() {
    let (presentation, ..) = by_reader(SAMPLES[0]);
    let mut segment = SAMPLES[0].to_vec();
    let mut fragments = Segment::new(&presentation, &mut segment);
    assert!(matches!(
        fragments.next(),
        Some(Err(MediaError::Unsupported {
            what: Unsupported::SecondMovie,
            ..
        }))
    ));
    assert!(fragments.next().is_none());
}

#[test]
fn the_error_about_a_box_beyond_the_end_names_it() {
    let (presentation, ..) = by_reader(SAMPLES[0]);
    let mut segment = *b"\0\0\0\x10free1234";
    let error = Segment::new(&presentation, &mut segment).next().unwrap();
    let Err(MediaError::Truncated {
        kind,
        offset,
        needed,
        available,
    }) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(kind, FourCc(*b"free"));
    assert_eq!((offset, needed, available), (0, 16, 12));
}

proptest! {
    #[test]
    fn segments_with_any_byte_wrong_do_no_harm(
        at in any::<prop::sample::Index>(),
        value in any::<u8>(),
        which in 0..SAMPLES.len(),
    ) {
        let (presentation, init, _) = by_reader(SAMPLES[which]);
        let mut segment = SAMPLES[which][init..].to_vec();
        // Among the tables of the first fragment.
        let at = at.index(segment.len().min(2_000));
        segment[at] = value;
        for fragment in Segment::new(&presentation, &mut segment) {
            let Ok(mut fragment) = fragment else { break };
            let (tracks, media) = fragment.split();
            // In bounds by contract.
            shown(tracks, media, &mut Vec::new());
        }
    }
}
