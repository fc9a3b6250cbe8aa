#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::io::Cursor;

use crate::memory::PAGE;
use crate::reader::MediaReader;
use crate::testing::{bx, cenc_file, fragment, senc, simple_fragment, tfhd, trun};
use crate::{
    BatchLimit, ClearWriter, Fragment, KeyId, MediaError, Part, Protection, Subsample,
    TrackFragment,
};

const AV1: &[u8] = include_bytes!("../../../../../tests/samples/cbcs-av1.mp4");
const TWO_TRACKS: &[u8] = include_bytes!("../../../../../tests/samples/cenc-both.mp4");
const ROTATION: &[u8] = include_bytes!("../../../../../tests/samples/cenc-rotation-video.mp4");

/// What is known of a sample, wherever it lies.
type Told = (
    u32,
    u32,
    u32,
    Vec<u8>,
    Vec<Subsample>,
    Option<Protection>,
    Vec<u8>,
);

/// What came of a file.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    output: Vec<u8>,
    samples: Vec<Told>,
    key_ids: Vec<KeyId>,
    pssh: usize,
    sequences: Vec<u32>,
}

fn tell(seen: &mut Seen, fragment: &mut Fragment) {
    let (tracks, media) = fragment.split();
    for track in tracks {
        for batch in track.batches(BatchLimit::UNLIMITED) {
            for sample in batch.samples() {
                let data = &mut media[sample.range()];
                seen.samples.push((
                    track.track_id,
                    sample.size,
                    sample.duration,
                    sample.iv.as_slice().to_vec(),
                    batch.subsamples(sample).to_vec(),
                    batch.protection().copied(),
                    data.to_vec(),
                ));
                // Where it lies must be right as well, which the output shows.
                data.iter_mut().for_each(|byte| *byte ^= 0x5a);
            }
        }
        seen.key_ids.extend(track.key_ids());
    }
    seen.pssh += fragment.pssh().len();
}

/// Walks through a file whose fragments come in pieces if they have more bytes than this. Gives also
/// the number of pieces, and the largest of them.
fn walk(file: &[u8], divide_from: usize) -> Result<(Seen, usize, usize), MediaError> {
    let reader = MediaReader::open_seekable(Cursor::new(file))?;
    let mut reader = MediaReader {
        divide_from,
        ..reader
    };
    let mut seen = Seen::default();
    let (mut pieces, mut largest) = (0, 0);
    let mut writer = ClearWriter::start(Vec::new(), &reader)?;
    loop {
        let needed = reader.needed_memory()?;
        match reader.next_part()? {
            None => break,
            Some(Part::Other(bytes)) => writer.write_other(bytes)?,
            Some(Part::Fragment(fragment)) => {
                assert_eq!(needed, Some(fragment.media().len() + PAGE));
                largest = largest.max(fragment.media().len());
                if !fragment.is_continued() {
                    seen.sequences.push(fragment.sequence_number());
                }
                assert_eq!(Some(&fragment.sequence_number()), seen.sequences.last());
                pieces += 1;
                // Read again over what the caller did to it.
                let before = (fragment.media().to_vec(), table(fragment));
                fragment.split().1.fill(0xdd);
                reader.reread()?;
                let fragment = reader.fragment();
                assert!(before == (fragment.media().to_vec(), table(fragment)));
                tell(&mut seen, fragment);
                writer.write_fragment(fragment)?;
            }
        }
    }
    // One for each track fragment and piece that needs it: what counts is which.
    seen.key_ids.sort_unstable();
    seen.key_ids.dedup();
    // Tracks lie one behind the other in a fragment, and in each piece of it.
    seen.samples.sort_by_key(|told| told.0);
    seen.output = writer.finish()?;
    Ok((seen, pieces, largest))
}

fn table(fragment: &Fragment) -> Vec<Vec<(usize, Option<u64>)>> {
    let places = |track: &TrackFragment| {
        let samples = track.samples().iter();
        samples
            .map(|sample| (sample.range().start, track.decode_time))
            .collect()
    };
    fragment.tracks().iter().map(places).collect()
}

#[test]
fn what_comes_in_pieces_is_what_comes_whole() {
    for file in [AV1, TWO_TRACKS, ROTATION] {
        let (whole, fragments, largest) = walk(file, usize::MAX).unwrap();
        assert_eq!(whole.sequences.len(), fragments);
        for divide_from in [64, 1000, 5000, largest / 2] {
            let (pieces, count, _) = walk(file, divide_from).unwrap();
            assert!(pieces == whole, "in pieces of {divide_from} bytes");
            assert!(count > fragments, "{count} pieces of {divide_from} bytes");
        }
        let (_, count, _) = walk(file, largest).unwrap();
        assert_eq!(count, fragments, "no fragment is larger");
    }
}

#[test]
fn a_piece_is_no_larger_than_it_must_be() {
    let sizes = [700; 40];
    let file = cenc_file(&[&simple_fragment(&sizes, &[&senc(&[], 40)])]);
    // With the header of `mdat` in the first.
    let (_, count, largest) = walk(&file, 1408).unwrap();
    assert_eq!((count, largest), (20, 1408));
    let (_, count, largest) = walk(&file, 1407).unwrap();
    assert_eq!((count, largest), (21, 1400));
    // A sample is never cut.
    let (_, count, largest) = walk(&file, 100).unwrap();
    assert_eq!((count, largest), (40, 708));
}

#[test]
fn pieces_tell_when_their_samples_are_due() {
    let sizes = [100; 6];
    let tfdt = crate::testing::full(b"tfdt", 1, 0, &[&7000_u64.to_be_bytes()]);
    let file = cenc_file(&[&simple_fragment(&sizes, &[&tfdt, &senc(&[], 6)])]);
    let times = |divide_from| {
        let reader = MediaReader::open(file.as_slice()).unwrap();
        let mut reader = MediaReader {
            divide_from,
            ..reader
        };
        let mut times = Vec::new();
        while let Some(part) = reader.next_part().unwrap() {
            let Part::Fragment(fragment) = part else {
                continue;
            };
            for track in fragment.tracks() {
                let mut time = track.decode_time.unwrap();
                for sample in track.samples() {
                    times.push(time);
                    time += u64::from(sample.duration);
                }
            }
        }
        times
    };
    let whole = times(usize::MAX);
    assert_eq!(whole.len(), 6);
    assert!(whole.last() > whole.first());
    assert_eq!(times(150), whole);
}

#[test]
fn samples_that_do_not_lie_in_order_come_whole() {
    let data: Vec<u8> = (0..900_u32).map(|at| (at % 251) as u8).collect();
    let backwards = fragment(
        |offset| {
            let runs = [
                trun(offset + 600, &[150, 150]),
                trun(offset + 300, &[150, 150]),
                trun(offset, &[150, 150]),
            ];
            bx(b"traf", &[&tfhd(), &runs.concat(), &senc(&[], 6)])
        },
        &data,
    );
    let file = cenc_file(&[&backwards]);
    let (whole, ..) = walk(&file, usize::MAX).unwrap();
    let (pieces, count, _) = walk(&file, 100).unwrap();
    assert_eq!(count, 1);
    assert!(pieces == whole);
}

#[test]
fn a_fragment_that_is_cut_off_is_an_error_that_tells_the_size_of_its_box() {
    let sizes = [300; 10];
    let file = cenc_file(&[&simple_fragment(&sizes, &[&senc(&[], 10)])]);
    for cut in 1..3000 {
        let cut = &file[..file.len() - cut];
        let in_pieces = walk(cut, 400).unwrap_err();
        let whole = walk(cut, usize::MAX).unwrap_err();
        assert_eq!(in_pieces.to_string(), whole.to_string());
    }
}

#[test]
fn tables_that_are_wrong_are_refused_as_in_a_whole_fragment() {
    // More samples than `mdat` has bytes for.
    let short = fragment(
        |offset| bx(b"traf", &[&tfhd(), &trun(offset, &[500; 9]), &senc(&[], 9)]),
        &[7; 4000],
    );
    let file = cenc_file(&[&short]);
    let in_pieces = walk(&file, 400).unwrap_err();
    assert_eq!(
        in_pieces.to_string(),
        walk(&file, usize::MAX).unwrap_err().to_string()
    );
}

#[test]
fn samples_without_a_byte_come_as_well() {
    let sizes = [0, 0, 120, 0, 120, 120, 0, 0];
    let file = cenc_file(&[&simple_fragment(&sizes, &[&senc(&[], 8)])]);
    let (whole, ..) = walk(&file, usize::MAX).unwrap();
    for divide_from in [16, 121, 128, 129, 240, 248, 300] {
        let (pieces, ..) = walk(&file, divide_from).unwrap();
        assert!(pieces == whole, "in pieces of {divide_from} bytes");
    }
}
