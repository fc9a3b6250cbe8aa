#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::io::{self, Read};

use proptest::prelude::*;

use crate::limits::{MAX_FRAGMENT_BYTES, MAX_INIT_BYTES, MAX_MOOF_BYTES, MAX_MOOV_BYTES};
use crate::testing::{
    bx, cenc_file, copy, encv, fragment, init, long, read, refused, senc, simple_fragment, table,
    tenc, tfhd, trun,
};
use crate::{BoxTree, FourCc, MediaError, MediaReader, Part, clear_init};

const ONE: &[u8] = include_bytes!("../../../../tests/samples/cbcs-av1.mp4");
const TWO: &[u8] = include_bytes!("../../../../tests/samples/cenc-both.mp4");
const ROTATION: &[u8] = include_bytes!("../../../../tests/samples/cenc-rotation-video.mp4");

/// A file with two fragments and boxes of all sorts around them.
fn file() -> Vec<u8> {
    let first = simple_fragment(&[10, 12], &[&senc(&[&[(2, 8)], &[(4, 8)]], 2)]);
    let second = simple_fragment(&[9], &[&senc(&[], 1)]);
    let sidx = bx(b"sidx", &[&[1; 24]]);
    let tail = bx(b"mfra", &[&bx(b"mfro", &[&[0; 8]])]);
    cenc_file(&[&sidx, &first, &bx(b"emsg", &[b"event"]), &second, &tail])
}

/// Ends of the top-level boxes.
fn box_ends(file: &[u8]) -> Vec<usize> {
    let nodes = BoxTree::new(file).map(Result::unwrap);
    nodes
        .map(|node| usize::try_from(node.offset + node.size).unwrap())
        .collect()
}

/// Everything that touches a file, on bytes that may be anything: it must end, and without panic.
fn exercise(file: &[u8]) -> Option<Vec<u8>> {
    let mut samples = 0;
    let clear = copy(file, |fragment| {
        let (tracks, media) = fragment.split();
        for track in tracks {
            for batch in track.batches(crate::BatchLimit::default()) {
                for sample in batch.samples() {
                    // In bounds by contract, and the table covers the sample.
                    assert_eq!(media[sample.range()].len(), sample.size as usize);
                    let covered = batch.subsamples(sample).iter();
                    let covered = covered
                        .map(|s| u64::from(s.clear) + u64::from(s.protected))
                        .sum();
                    assert!([0, u64::from(sample.size)].contains(&covered));
                    samples += 1;
                }
            }
        }
    });
    for node in BoxTree::new(file) {
        let _ = node.map(|node| format!("{node:?}"));
    }
    let _ = clear_init(file);
    let clear = clear.ok()?;
    assert_eq!(clear.len(), file.len(), "everything keeps its place");
    Some(clear)
}

#[test]
fn a_file_cut_anywhere_is_refused_except_between_boxes() {
    for whole in [file(), ONE.to_vec()] {
        let ends = box_ends(&whole);
        let init = MediaReader::open(whole.as_slice()).unwrap().init().len();
        for cut in 0..whole.len() {
            let taken = exercise(&whole[..cut]).is_some();
            let moofs = whole[..cut]
                .windows(4)
                .filter(|bytes| bytes == b"moof")
                .count();
            let mdats = whole[..cut]
                .windows(4)
                .filter(|bytes| bytes == b"mdat")
                .count();
            // Between moof and mdat the samples are missing.
            assert_eq!(
                taken,
                ends.contains(&cut) && cut >= init && moofs == mdats,
                "cut at {cut}"
            );
        }
        assert!(exercise(&whole).is_some());
    }
}

#[test]
fn the_error_about_a_cut_box_names_it() {
    let file = file();
    let at = file.windows(4).position(|bytes| bytes == b"mdat").unwrap() as u64 - 4;
    let error = refused(&file[..usize::try_from(at).unwrap() + 20]);
    assert!(
        matches!(
            error,
            MediaError::Truncated { kind: FourCc::MDAT, offset, needed: 30, available: 20 } if offset == at
        ),
        "{error}"
    );
}

#[test]
fn every_byte_of_the_headers_may_be_anything() {
    let whole = file();
    for at in 0..whole.len() {
        for value in [
            0,
            1,
            2,
            8,
            0x7f,
            0x80,
            0xff,
            whole[at] ^ 1,
            whole[at] ^ 0x20,
        ] {
            let mut changed = whole.clone();
            changed[at] = value;
            exercise(&changed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn flipped_samples_do_no_harm(
        which in 0..3_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..6),
        headers_only in any::<bool>(),
    ) {
        let mut changed = [ONE, TWO, ROTATION][which].to_vec();
        // Half of the cases hit moov and the first moof, where most can go wrong.
        let reach = if headers_only { 2600 } else { changed.len() };
        for (at, flip) in flips {
            changed[at.index(reach)] ^= flip;
        }
        exercise(&changed);
    }

    #[test]
    fn words_of_any_value_do_no_harm(at in any::<prop::sample::Index>(), value in any::<u32>()) {
        let mut changed = file();
        let at = at.index(changed.len() - 4);
        changed[at..at + 4].copy_from_slice(&value.to_be_bytes());
        exercise(&changed);
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
        exercise(&[&init(&encv(b"cenc", &tenc(8))), &bytes[..]].concat());
        let length = u32::try_from(bytes.len()).unwrap() + 8;
        exercise(&cenc_file(&[&length.to_be_bytes(), b"moof", &bytes, &bx(b"mdat", &[&[0; 8]])]));
    }
}

/// Gives its bytes a few at a time, as sockets do.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let some = buffer.len().min(3);
        self.0.read(&mut buffer[..some])
    }
}

#[test]
fn short_reads_make_no_difference() {
    let whole = file();
    let mut reader = MediaReader::open(Trickle(&whole)).unwrap();
    let mut fragments = Vec::new();
    while let Some(part) = reader.next_part().unwrap() {
        if let Part::Fragment(fragment) = part {
            fragments.extend(fragment.tracks().iter().map(table));
        }
    }
    let wanted: Vec<_> = read(&whole).unwrap().iter().map(table).collect();
    assert_eq!(fragments, wanted);
    assert_eq!(reader.position(), whole.len() as u64);
}

#[test]
fn a_failing_input_is_an_error_and_not_an_end() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let whole = file();
    for cut in [0, 4, 100, whole.len()] {
        let input = whole[..cut].chain(Failing);
        let outcome = MediaReader::open(input).and_then(|mut reader| {
            while reader.next_part()?.is_some() {}
            Ok(())
        });
        assert!(matches!(outcome, Err(MediaError::Io(_))));
    }
}

#[test]
fn media_data_of_wide_size_and_without_end_is_read() {
    let usual = simple_fragment(&[10, 12], &[&senc(&[], 2)]);
    let wanted = table(&read(&cenc_file(&[&usual])).unwrap()[0]);
    let moof = usual.len() - 22 - 8;
    // To the end of the file.
    let mut open = usual.clone();
    open[moof..moof + 4].fill(0);
    assert_eq!(table(&read(&cenc_file(&[&open])).unwrap()[0]), wanted);
    // 64-bit size: the data starts 8 bytes later.
    let data = usual[moof + 8..].to_vec();
    let wide = fragment(
        |offset| {
            bx(
                b"traf",
                &[&tfhd(), &trun(offset + 8, &[10, 12]), &senc(&[], 2)],
            )
        },
        &data,
    );
    let wide = [&wide[..moof], &long(&wide[moof..])].concat();
    let found = table(&read(&cenc_file(&[&wide])).unwrap()[0]);
    let starts = |rows: &[(usize, usize, Vec<u8>, Vec<crate::Subsample>)]| {
        rows.iter().map(|row| row.0).collect::<Vec<_>>()
    };
    assert_eq!(
        starts(&found),
        starts(&wanted).iter().map(|at| at + 8).collect::<Vec<_>>()
    );
    // A last box without end that is only passed on.
    let tail = cenc_file(&[&usual, b"\0\0\0\0free", &[5; 200_000]]);
    assert_eq!(
        copy(&tail, |_| ()).unwrap()[tail.len() - 200_000..],
        [5; 200_000]
    );
}

#[test]
fn boxes_between_moof_and_mdat_belong_to_the_fragment() {
    let between = bx(b"free", &[&[3; 5]]);
    let usual = fragment(
        |offset| bx(b"traf", &[&tfhd(), &trun(offset + 13, &[4]), &senc(&[], 1)]),
        &[1, 2, 3, 4],
    );
    let moof = usual.len() - 12;
    let file = cenc_file(&[&usual[..moof], &between, &usual[moof..]]);
    let mut media = Vec::new();
    copy(&file, |fragment| {
        let range = fragment.tracks()[0].samples()[0].range();
        media.extend_from_slice(&fragment.media()[range]);
    })
    .unwrap();
    assert_eq!(media, [1, 2, 3, 4]);
}

#[test]
fn a_claimed_size_allocates_nothing() {
    for claim in [MAX_FRAGMENT_BYTES - 1000, u64::from(u32::MAX), u64::MAX] {
        let moof = simple_fragment(&[], &[]);
        let head = [&1_u32.to_be_bytes()[..], b"mdat", &claim.to_be_bytes()].concat();
        let file = cenc_file(&[&moof[..moof.len() - 8], &head, &[0; 100]]);
        let mut reader = MediaReader::open(file.as_slice()).unwrap();
        let error = reader.next_part().map(drop).unwrap_err();
        let wanted = if claim < MAX_FRAGMENT_BYTES {
            "cut short"
        } else {
            "at most"
        };
        assert!(error.to_string().contains(wanted), "{error}");
        assert!(reader.fragment.media.capacity() < 2 << 20);
    }
    let file = [&0x0fff_ffff_u32.to_be_bytes()[..], b"moov", &[0; 100]].concat();
    assert!(matches!(
        refused(&file),
        MediaError::TooLarge {
            kind: FourCc::MOOV,
            limit: MAX_MOOV_BYTES,
            ..
        }
    ));
    let file = [&[0; 4][..], b"free", &vec![0; 5 << 20]].concat();
    assert!(matches!(
        refused(&file),
        MediaError::TooLarge {
            limit: MAX_INIT_BYTES,
            ..
        }
    ));
}

#[test]
fn the_buffer_is_as_large_as_the_largest_fragment_and_reused() {
    let large = simple_fragment(&[3 << 20], &[&senc(&[], 1)]);
    let small = simple_fragment(&[9], &[&senc(&[], 1)]);
    let file = cenc_file(&[&small, &large, &small, &large]);
    let mut reader = MediaReader::open(file.as_slice()).unwrap();
    while reader.next_part().unwrap().is_some() {}
    let capacity = reader.fragment.media.capacity();
    assert!(
        capacity < large.len() + (1 << 20),
        "{capacity} for {}",
        large.len()
    );
}

#[test]
fn a_movie_fragment_box_has_a_limit_of_its_own() {
    let mut file = cenc_file(&[]);
    let size = u32::try_from(MAX_MOOF_BYTES + 1).expect("32 bits");
    file.extend(size.to_be_bytes());
    file.extend(b"moof");
    // Refused by what its header says, before the rest is waited for.
    match refused(&file) {
        MediaError::TooLarge {
            kind: FourCc::MOOF,
            limit: MAX_MOOF_BYTES,
            ..
        } => {}
        other => panic!("{other}"),
    }
}
