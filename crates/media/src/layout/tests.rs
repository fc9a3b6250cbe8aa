#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a panic is a failed test, and test files are small"
)]

use crate::limits::{MAX_PSSH, MAX_RUNS, MAX_SAMPLES, MAX_SUBSAMPLES, MAX_TRACK_FRAGMENTS};
use crate::testing::{
    bx, cenc_file, encv, fragment, full, init, init_of, read, refused, refused_field, senc,
    simple_fragment, table, tenc, tfhd, trak, trex, trun, visual, words,
};
use crate::{FourCc, MediaError};

/// Starts of the samples in the media data; `mdat`'s header is the first 8 bytes of it.
fn starts(file: &[u8]) -> Vec<Vec<usize>> {
    let fragments = read(file).unwrap();
    fragments
        .iter()
        .map(|found| table(found).iter().map(|row| row.0).collect())
        .collect()
}

/// A fragment of one clear-entry-free `traf` with these boxes behind the given `tfhd`.
fn traf(tfhd: &[u8], boxes: impl Fn(u32) -> Vec<u8>, samples: u32) -> Vec<u8> {
    fragment(
        |offset| bx(b"traf", &[tfhd, &boxes(offset), &senc(&[], samples)]),
        &[0; 64],
    )
}

#[test]
fn offsets_count_from_moof_by_default() {
    let sizes = [3, 4];
    // With the flag, and for the first traf without it.
    for flags in [0x2_0000, 0] {
        let tfhd = full(b"tfhd", 0, flags, &[&words(&[1])]);
        let file = cenc_file(&[&traf(&tfhd, |offset| trun(offset + 5, &sizes), 2)]);
        assert_eq!(starts(&file), [[8 + 5, 8 + 8]]);
    }
}

#[test]
fn offsets_count_from_the_base_that_is_given() {
    let init = init(&encv(b"cenc", &tenc(8)));
    let base = init.len() as u32 + 3;
    let tfhd = full(b"tfhd", 0, 1, &[&words(&[1, 0, base])]);
    let file = cenc_file(&[&traf(
        &tfhd,
        |offset| trun(offset.wrapping_sub(3), &[3, 4]),
        2,
    )]);
    assert_eq!(starts(&file), [[8, 8 + 3]]);
    // Behind the data, so that offsets are negative.
    let base = (file.len() - 64) as u32 + 40;
    let tfhd = full(b"tfhd", 0, 1, &[&words(&[1, 0, base])]);
    let negative = 30_u32.wrapping_neg();
    let file = cenc_file(&[&traf(&tfhd, |_| trun(negative, &[3, 4]), 2)]);
    assert_eq!(starts(&file), [[8 + 10, 8 + 13]]);
}

#[test]
fn bases_out_of_reach_are_refused() {
    let bases: [[u32; 2]; 4] = [
        [0, 0],
        [0xffff_ffff; 2],
        [0x7fff_ffff, 0xffff_ffff],
        [0, 100_000],
    ];
    for [high, low] in bases {
        let tfhd = full(b"tfhd", 0, 1, &[&words(&[1, high, low])]);
        let error = refused(&cenc_file(&[&traf(&tfhd, |offset| trun(offset, &[3]), 1)]));
        assert!(matches!(error, MediaError::Invalid { .. }), "{error}");
    }
}

#[test]
fn runs_without_offset_follow_each_other() {
    let bare = |sizes: &[u32]| {
        full(
            b"trun",
            0,
            0x200,
            &[&words(&[sizes.len() as u32]), &words(sizes)],
        )
    };
    let runs = |offset| {
        [
            trun(offset + 2, &[3, 4]),
            bare(&[5]),
            trun(offset + 20, &[6]),
        ]
        .concat()
    };
    let file = cenc_file(&[&traf(&tfhd(), runs, 4)]);
    assert_eq!(starts(&file), [[10, 13, 17, 28]]);
}

#[test]
fn a_second_traf_without_base_starts_where_the_first_ends() {
    let bare_tfhd = |id| full(b"tfhd", 0, 0, &[&words(&[id])]);
    let relative = |offset: u32, sizes: &[u32]| trun(offset, sizes);
    let init = init_of(&[
        &trak(1, b"vide", &[&encv(b"cenc", &tenc(8))], &[]),
        &trak(2, b"vide", &[&encv(b"cenc", &tenc(8))], &[]),
        &bx(b"mvex", &[&trex(1), &trex(2)]),
    ]);
    let fragment = fragment(
        |offset| {
            let first = [bare_tfhd(1), relative(offset, &[3, 4]), senc(&[], 2)].concat();
            let second = [bare_tfhd(2), relative(1, &[5]), senc(&[], 1)].concat();
            [bx(b"traf", &[&first]), bx(b"traf", &[&second])].concat()
        },
        &[0; 20],
    );
    assert_eq!(
        starts(&[init, fragment].concat()),
        [vec![8, 11], vec![8 + 7 + 1]]
    );
}

#[test]
fn every_run_field_is_skipped_or_read() {
    // First-sample flags; duration, size, flags, composition offset of each sample.
    let rows = words(&[30, 3, 0, 9, 31, 4, 0, 9]);
    let run = |offset| full(b"trun", 1, 0xf05, &[&words(&[2, offset, 7]), &rows]);
    let found = read(&cenc_file(&[&traf(&tfhd(), run, 2)]))
        .unwrap()
        .remove(0);
    let samples: Vec<_> = found
        .samples()
        .iter()
        .map(|s| (s.duration, s.size))
        .collect();
    assert_eq!(samples, [(30, 3), (31, 4)]);
}

#[test]
fn defaults_come_from_tfhd_before_trex() {
    let bare = |offset| full(b"trun", 0, 1, &[&words(&[2, offset])]);
    let sizes = |tfhd: &[u8]| {
        let found = read(&cenc_file(&[&traf(tfhd, bare, 2)])).unwrap().remove(0);
        (found.samples()[1].duration, found.samples()[1].size)
    };
    assert_eq!(sizes(&tfhd()), (40, 16));
    // Description index, duration, size, flags.
    let own = full(b"tfhd", 0, 0x2_003a, &[&words(&[1, 1, 50, 7, 0])]);
    assert_eq!(sizes(&own), (50, 7));
}

#[test]
fn without_trex_everything_must_be_in_the_fragment() {
    let init = init_of(&[
        &trak(1, b"vide", &[&encv(b"cenc", &tenc(8))], &[]),
        &bx(b"mvex", &[]),
    ]);
    let bare = |offset| full(b"trun", 0, 1, &[&words(&[2, offset])]);
    let whole = full(b"tfhd", 0, 0x2_001a, &[&words(&[1, 1, 50, 7])]);
    assert!(read(&[&init[..], &traf(&whole, bare, 2)].concat()).is_ok());
    let no_size = full(b"tfhd", 0, 0x2_000a, &[&words(&[1, 1, 50])]);
    for tfhd in [tfhd(), no_size] {
        let error = refused(&[&init[..], &traf(&tfhd, bare, 2)].concat());
        assert!(
            matches!(
                error,
                MediaError::Missing {
                    kind: FourCc::TREX,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn samples_outside_the_media_data_are_refused() {
    for run in [
        (|offset: u32| trun(offset.wrapping_sub(1), &[3])) as fn(u32) -> Vec<u8>,
        |offset| trun(offset, &[65]),
        |offset| trun(offset + 62, &[3]),
        |offset| trun(offset, &[1, u32::MAX]),
        |_| trun(0, &[3]),
        |_| trun(0x8000_0000, &[3]),
        |_| trun(0x7fff_ffff, &[3]),
    ] {
        let sizes = run(0).len() as u32 / 4 - 5;
        let file = cenc_file(&[&traf(&tfhd(), run, sizes)]);
        refused_field(&file, b"trun", "end of a sample");
    }
}

#[test]
fn samples_that_share_bytes_are_refused() {
    let runs = |offset| [trun(offset, &[3, 4]), trun(offset + 6, &[5])].concat();
    refused_field(
        &cenc_file(&[&traf(&tfhd(), runs, 3)]),
        b"trun",
        "start of its data",
    );
    let runs = |offset| [trun(offset + 6, &[5]), trun(offset, &[3, 3])].concat();
    assert_eq!(
        starts(&cenc_file(&[&traf(&tfhd(), runs, 3)])),
        [[14, 8, 11]]
    );
}

#[test]
fn a_count_without_a_table_behind_it_is_refused() {
    for count in [3, 0x10_0000, u32::MAX] {
        let run = move |offset| full(b"trun", 0, 0x201, &[&words(&[count, offset, 1, 1])]);
        let error = refused(&cenc_file(&[&traf(&tfhd(), run, 2)]));
        assert!(
            matches!(
                error,
                MediaError::Truncated { .. } | MediaError::TooLarge { .. }
            ),
            "{error}"
        );
    }
    let run = |offset| full(b"trun", 0, 0x201, &[&words(&[1, offset, 1, 1])]);
    refused_field(&cenc_file(&[&traf(&tfhd(), run, 1)]), b"trun", "last field");
}

#[test]
fn empty_samples_without_number_are_refused() {
    // All fields by default and size zero: no bytes of the file stand against the count.
    let limit = u32::try_from(MAX_SAMPLES).unwrap();
    for (count, fits) in [(limit, true), (limit + 1, false), (u32::MAX, false)] {
        let empty = full(b"tfhd", 0, 0x2_0010, &[&words(&[1, 0])]);
        let run = move |offset| full(b"trun", 0, 1, &[&words(&[count, offset])]);
        let clear = init(&encv(
            b"cbcs",
            &crate::testing::tenc_constant(b"constant", 0),
        ));
        let fragment = fragment(|offset| bx(b"traf", &[&empty, &run(offset)]), &[]);
        let file = [clear, fragment].concat();
        assert_eq!(read(&file).is_ok(), fits);
        if !fits {
            refused_field(&file, b"trun", "number of samples");
        }
    }
}

#[test]
fn sample_entries_are_chosen_by_number() {
    let entries: [&[u8]; 2] = [&encv(b"cenc", &tenc(8)), &visual(b"avc1", &[])];
    let init = init_of(&[&trak(1, b"vide", &entries, &[]), &bx(b"mvex", &[&trex(1)])]);
    let with = |number: u32, boxes: &[u8]| {
        let tfhd = full(b"tfhd", 0, 0x2_0002, &[&words(&[1, number])]);
        let fragment = fragment(
            |offset| bx(b"traf", &[&tfhd, &trun(offset, &[4]), boxes]),
            &[0; 4],
        );
        [&init[..], &fragment].concat()
    };
    let found = read(&with(2, &[])).unwrap().remove(0);
    assert_eq!(found.entry, 1);
    assert!(
        found
            .batches(crate::BatchLimit::default())
            .all(|batch| batch.key_id().is_none())
    );
    assert_eq!(read(&with(1, &senc(&[], 1))).unwrap()[0].entry, 0);
    for number in [0, 3, u32::MAX] {
        refused_field(&with(number, &[]), b"tfhd", "sample_description_index");
    }
}

#[test]
fn a_fragment_of_an_unknown_track_is_refused() {
    let tfhd = full(b"tfhd", 0, 0x2_0000, &[&words(&[9])]);
    refused_field(
        &cenc_file(&[&traf(&tfhd, |at| trun(at, &[4]), 1)]),
        b"tfhd",
        "track_ID",
    );
}

#[test]
fn headers_must_be_there_once_and_whole() {
    let none = fragment(|offset| bx(b"traf", &[&trun(offset, &[4])]), &[0; 4]);
    let error = refused(&cenc_file(&[&none]));
    assert!(
        matches!(
            error,
            MediaError::Missing {
                kind: FourCc::TFHD,
                ..
            }
        ),
        "{error}"
    );
    let twice = fragment(
        |at| bx(b"traf", &[&tfhd(), &tfhd(), &trun(at, &[4])]),
        &[0; 4],
    );
    let error = refused(&cenc_file(&[&twice]));
    assert!(
        matches!(
            error,
            MediaError::Repeated {
                kind: FourCc::TFHD,
                ..
            }
        ),
        "{error}"
    );
    let error = refused(&cenc_file(&[&bx(b"moof", &[]), &bx(b"mdat", &[])]));
    assert!(
        matches!(
            error,
            MediaError::Missing {
                kind: FourCc::MFHD,
                ..
            }
        ),
        "{error}"
    );
    let wide = full(b"tfhd", 0, 0x2_0001, &[&words(&[1, 0])]);
    let error = refused(&cenc_file(&[&traf(&wide, |at| trun(at, &[4]), 1)]));
    assert!(
        matches!(
            error,
            MediaError::Truncated {
                kind: FourCc::TFHD,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn decode_times_of_both_widths_are_read() {
    for (version, time) in [(0, words(&[77])), (1, words(&[1, 77]))] {
        let tfdt = full(b"tfdt", version, 0, &[&time]);
        let file = cenc_file(&[&simple_fragment(&[4], &[&tfdt, &senc(&[], 1)])]);
        let wanted = if version == 0 { 77 } else { (1 << 32) + 77 };
        assert_eq!(read(&file).unwrap()[0].decode_time, Some(wanted));
    }
}

#[test]
fn boxes_without_number_are_refused() {
    let few = fragment(|_| bx(b"traf", &[&tfhd()]).repeat(MAX_TRACK_FRAGMENTS), &[]);
    assert!(read(&cenc_file(&[&few])).is_ok());
    let many = fragment(
        |_| bx(b"traf", &[&tfhd()]).repeat(MAX_TRACK_FRAGMENTS + 1),
        &[],
    );
    refused_field(&cenc_file(&[&many]), b"traf", "number in one box");

    let empty = trun(0, &[]);
    let few = fragment(|_| bx(b"traf", &[&tfhd(), &empty.repeat(MAX_RUNS)]), &[]);
    assert!(read(&cenc_file(&[&few])).is_ok());
    let many = fragment(
        |_| bx(b"traf", &[&tfhd(), &empty.repeat(MAX_RUNS + 1)]),
        &[],
    );
    refused_field(&cenc_file(&[&many]), b"trun", "number in one fragment");

    let pssh = full(b"pssh", 0, 0, &[&[7; 16], &words(&[0])]);
    let many = fragment(|_| pssh.repeat(MAX_PSSH + 1), &[]);
    refused_field(&cenc_file(&[&many]), b"pssh", "number in one box");
}

#[test]
fn subsamples_without_number_are_refused() {
    // Each of three samples has half of what a fragment may have, of one byte each.
    let half = vec![(0, 1); MAX_SUBSAMPLES / 2];
    let size = half.len() as u32;
    for (count, fits) in [(2, true), (3, false)] {
        let tables = vec![&half[..]; count];
        let sizes = vec![size; count];
        let file = cenc_file(&[&simple_fragment(&sizes, &[&senc(&tables, count as u32)])]);
        assert_eq!(read(&file).is_ok(), fits);
        if !fits {
            refused_field(&file, b"senc", "number of subsamples");
        }
    }
}
