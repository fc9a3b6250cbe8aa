#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a panic is a failed test, and test files are small"
)]

use crate::testing::{
    bx, cenc_file, encv, fragment, full, init, iv8, read, refused, refused_field, senc,
    simple_fragment, table, tenc_constant, tfhd, trun, words,
};
use crate::{FourCc, MediaError, Subsample, TrackFragment};

fn one(file: &[u8]) -> TrackFragment {
    read(file).unwrap().remove(0)
}

fn saiz(default: u8, count: u32, table: &[u8]) -> Vec<u8> {
    full(b"saiz", 0, 0, &[&[default], &words(&[count]), table])
}

fn saio(offsets: &[u32]) -> Vec<u8> {
    full(
        b"saio",
        0,
        0,
        &[&words(&[offsets.len() as u32]), &words(offsets)],
    )
}

/// Puts the place of some bytes of the fragment, from the start of its `moof`, into the first entry of
/// its `saio`.
fn point_saio_at(fragment: &mut [u8], target: usize) {
    let at = fragment
        .windows(4)
        .position(|bytes| bytes == b"saio")
        .unwrap()
        + 12;
    fragment[at..at + 4].copy_from_slice(&words(&[u32::try_from(target).unwrap()]));
}

fn senc_entries(fragment: &[u8]) -> usize {
    fragment
        .windows(4)
        .position(|bytes| bytes == b"senc")
        .unwrap()
        + 12
}

/// A fragment with the auxiliary information in front of the samples in `mdat`, where only `saio`
/// leads.
fn pointed_fragment(sizes: &[u32], saiz: &[u8], information: &[u8]) -> Vec<u8> {
    let total: u32 = sizes.iter().sum();
    let data = [information, &vec![0; total as usize][..]].concat();
    let samples = |offset| offset + information.len() as u32;
    fragment(
        |offset| {
            let boxes = [trun(samples(offset), sizes), saiz.to_vec(), saio(&[offset])].concat();
            bx(b"traf", &[&tfhd(), &boxes])
        },
        &data,
    )
}

const TABLES: [&[(u16, u32)]; 2] = [&[(2, 8)], &[(1, 4), (0, 6), (1, 0)]];

#[test]
fn senc_with_ivs_only() {
    let found = one(&cenc_file(&[&simple_fragment(&[10, 12], &[&senc(&[], 2)])]));
    let rows = table(&found);
    assert_eq!(rows[0].2, iv8(0));
    assert_eq!(rows[1].2, iv8(1));
    assert!(rows.iter().all(|row| row.3.is_empty()));
}

#[test]
fn senc_with_subsamples() {
    let found = one(&cenc_file(&[&simple_fragment(
        &[10, 12],
        &[&senc(&TABLES, 2)],
    )]));
    let rows = table(&found);
    assert_eq!(
        rows[0].3,
        [Subsample {
            clear: 2,
            protected: 8
        }]
    );
    assert_eq!(
        rows[1].3[1],
        Subsample {
            clear: 0,
            protected: 6
        }
    );
    assert_eq!(rows[1].3.len(), 3);
}

#[test]
fn saiz_and_saio_alone_give_the_same_as_senc() {
    let wanted = table(&one(&cenc_file(&[&simple_fragment(
        &[10, 12],
        &[&senc(&TABLES, 2)],
    )])));
    let information = &senc(&TABLES, 2)[16..];
    let fragment = pointed_fragment(&[10, 12], &saiz(0, 2, &[16, 28]), information);
    let shift = information.len();
    let moved =
        |row: (usize, usize, Vec<u8>, Vec<Subsample>)| (row.0 + shift, row.1 + shift, row.2, row.3);
    let found = table(&one(&cenc_file(&[&fragment])));
    assert_eq!(found, wanted.into_iter().map(moved).collect::<Vec<_>>());
    // One size for all.
    let information = &senc(&[], 3)[16..];
    let found = one(&cenc_file(&[&pointed_fragment(
        &[4, 4, 4],
        &saiz(8, 3, &[]),
        information,
    )]));
    assert_eq!(table(&found)[2].2, iv8(2));
}

#[test]
fn saio_may_lead_to_each_run_and_be_wide() {
    let information = senc(&[], 3)[16..].to_vec();
    // Stored in reverse: the second run's first.
    let stored = [&information[16..], &information[..16]].concat();
    let data = [&stored[..], &[0; 12]].concat();
    let wide = |offsets: &[u32]| {
        let offsets: Vec<u32> = offsets.iter().flat_map(|offset| [0, *offset]).collect();
        full(b"saio", 1, 0, &[&words(&[2]), &words(&offsets)])
    };
    let file = cenc_file(&[&fragment(
        |offset| {
            let runs = [trun(offset + 24, &[4, 4]), trun(offset + 32, &[4])].concat();
            let aux = [saiz(8, 3, &[]), wide(&[offset + 8, offset])].concat();
            bx(b"traf", &[&tfhd(), &runs, &aux])
        },
        &data,
    )]);
    let rows = table(&one(&file));
    assert_eq!(
        [&rows[0].2, &rows[1].2, &rows[2].2],
        [&iv8(0)[..], &iv8(1), &iv8(2)]
    );
}

#[test]
fn a_constant_iv_needs_no_table() {
    let init = init(&encv(b"cbcs", &tenc_constant(b"constant", 0)));
    let file = [&init[..], &simple_fragment(&[16, 20], &[])].concat();
    let rows = table(&one(&file));
    assert!(
        rows.iter()
            .all(|row| row.2 == b"constant" && row.3.is_empty())
    );
    // Packager writes an empty senc, others a saiz of zeros.
    for nothing in [full(b"senc", 0, 0, &[&words(&[2])]), saiz(0, 2, &[0, 0])] {
        let file = [&init[..], &simple_fragment(&[16, 20], &[&nothing])].concat();
        assert_eq!(table(&one(&file)), rows);
    }
}

#[test]
fn without_any_ivs_a_protected_fragment_is_refused() {
    let error = refused(&cenc_file(&[&simple_fragment(&[10], &[])]));
    assert!(
        matches!(
            error,
            MediaError::Missing {
                kind: FourCc::SENC,
                parent: FourCc::TRAF,
                ..
            }
        ),
        "{error}"
    );
    for (boxes, kind) in [(saiz(8, 1, &[]), FourCc::SAIO), (saio(&[0]), FourCc::SAIZ)] {
        let error = refused(&cenc_file(&[&simple_fragment(&[10], &[&boxes])]));
        assert!(
            matches!(error, MediaError::Missing { kind: k, .. } if k == kind),
            "{error}"
        );
    }
    assert!(
        read(&cenc_file(&[&simple_fragment(&[], &[])])).is_ok(),
        "no samples, no IVs"
    );
}

/// A sample whose 45 subsamples make 280 bytes of information, which `saiz` cannot hold.
fn large_sample() -> (Vec<(u16, u32)>, u32) {
    (vec![(1, 2); 45], 135)
}

#[test]
fn senc_wins_over_a_size_written_modulo_256() {
    let (subsamples, size) = large_sample();
    let senc = senc(&[&subsamples, &[(0, 10)]], 2);
    let boxes = [senc, saiz(0, 2, &[(280 % 256) as u8, 16]), saio(&[0])];
    let mut fragment = simple_fragment(&[size, 10], &[&boxes.concat()]);
    let target = senc_entries(&fragment);
    point_saio_at(&mut fragment, target);
    let rows = table(&one(&cenc_file(&[&fragment])));
    assert_eq!((rows[0].3.len(), rows[1].3.len()), (45, 1));
}

#[test]
fn without_senc_a_size_written_modulo_256_is_refused() {
    let (subsamples, size) = large_sample();
    let information = &senc(&[&subsamples], 1)[16..];
    let file = cenc_file(&[&pointed_fragment(&[size], &saiz(0, 1, &[24]), information)]);
    assert!(matches!(
        refused(&file),
        MediaError::Truncated {
            kind: FourCc::SAIO,
            ..
        }
    ));
}

#[test]
fn any_other_contradiction_between_senc_and_saiz_is_refused() {
    for sizes in [[16, 27], [17, 28], [0, 28]] {
        let boxes = [senc(&TABLES, 2), saiz(0, 2, &sizes)];
        refused_field(
            &cenc_file(&[&simple_fragment(&[10, 12], &[&boxes.concat()])]),
            b"saiz",
            "sample_info_size",
        );
    }
    // Large, but not what the size is modulo 256.
    let (subsamples, size) = large_sample();
    let boxes = [senc(&[&subsamples], 1), saiz(0, 1, &[25])];
    let file = cenc_file(&[&simple_fragment(&[size], &[&boxes.concat()])]);
    refused_field(&file, b"saiz", "sample_info_size");
    // A table that ends too soon says that the last sample has none.
    let boxes = [senc(&TABLES, 2), saiz(0, 1, &[16])];
    let file = cenc_file(&[&simple_fragment(&[10, 12], &[&boxes.concat()])]);
    refused_field(&file, b"saiz", "sample_info_size");
}

#[test]
fn saio_must_lead_to_what_senc_says() {
    let boxes = [senc(&TABLES, 2), saiz(0, 2, &[16, 28]), saio(&[0])];
    let mut fragment = simple_fragment(&[10, 12], &[&boxes.concat()]);
    let target = senc_entries(&fragment);
    point_saio_at(&mut fragment, target);
    assert!(read(&cenc_file(&[&fragment])).is_ok());
    for wrong in [target - 1, target + 8, 0, fragment.len(), 0x7fff_ffff] {
        point_saio_at(&mut fragment, wrong);
        refused_field(&cenc_file(&[&fragment]), b"saio", "offset");
    }
}

#[test]
fn saio_out_of_the_fragment_is_refused() {
    let information = &senc(&[], 2)[16..];
    let mut fragment = pointed_fragment(&[4, 4], &saiz(8, 2, &[]), information);
    for wrong in [fragment.len() - 15, fragment.len(), 0xffff_ffff] {
        point_saio_at(&mut fragment, wrong);
        refused_field(&cenc_file(&[&fragment]), b"saio", "offset");
    }
}

#[test]
fn tables_of_another_use_are_left_alone() {
    let typed = |kind: &[u8; 4], rest: &[u8]| full(kind, 0, 1, &[b"cust", &words(&[0]), rest]);
    let other = [
        typed(b"saiz", &[1, 0, 0, 0, 9]),
        typed(b"saio", &words(&[0])),
    ]
    .concat();
    let file = cenc_file(&[&simple_fragment(&[10], &[&senc(&[], 1), &other])]);
    assert_eq!(table(&one(&file))[0].2, iv8(0));
    // With the scheme as type they are about protection.
    let typed = full(b"saiz", 0, 1, &[b"cenc", &words(&[0]), &[9], &words(&[1])]);
    let file = cenc_file(&[&simple_fragment(&[10], &[&senc(&[], 1), &typed])]);
    refused_field(&file, b"saiz", "sample_info_size");
}

#[test]
fn counts_must_be_those_of_the_samples() {
    for count in [0, 1, 3] {
        let file = cenc_file(&[&simple_fragment(&[10, 12], &[&senc(&[], count)])]);
        refused_field(&file, b"senc", "sample_count");
    }
    let information = &senc(&[], 2)[16..];
    for count in [3, u32::MAX] {
        let fragment = pointed_fragment(&[4, 4], &saiz(8, count, &[]), information);
        refused_field(&cenc_file(&[&fragment]), b"saiz", "sample_count");
    }
    let boxes = [saiz(8, 2, &[]), saio(&[0, 0, 0])].concat();
    let file = cenc_file(&[&simple_fragment(&[4, 4], &[&boxes])]);
    refused_field(&file, b"saio", "entry_count");
    let huge = full(b"saio", 0, 0, &[&words(&[u32::MAX, 0])]);
    let file = cenc_file(&[&simple_fragment(&[4, 4], &[&saiz(8, 2, &[]), &huge])]);
    refused_field(&file, b"saio", "entry_count");
}

#[test]
fn subsamples_must_add_up_to_their_sample() {
    let wrong: [&[(u16, u32)]; 5] = [
        &[(2, 7)],
        &[(2, 9)],
        &[(0, 0)],
        &[(65535, u32::MAX), (65535, u32::MAX)],
        &[(11, 0)],
    ];
    for subsamples in wrong {
        let file = cenc_file(&[&simple_fragment(&[10], &[&senc(&[subsamples], 1)])]);
        refused_field(&file, b"senc", "subsamples");
    }
    let file = cenc_file(&[&simple_fragment(&[10], &[&senc(&[&[]], 1)])]);
    refused_field(&file, b"senc", "subsample_count");
}

#[test]
fn senc_must_end_with_its_last_entry_and_be_of_a_known_form() {
    let more = full(b"senc", 0, 0, &[&words(&[1]), &iv8(0), &[0]]);
    refused_field(
        &cenc_file(&[&simple_fragment(&[10], &[&more])]),
        b"senc",
        "last field",
    );
    let less = full(b"senc", 0, 0, &[&words(&[1]), &iv8(0)[..7]]);
    let error = refused(&cenc_file(&[&simple_fragment(&[10], &[&less])]));
    assert!(
        matches!(
            error,
            MediaError::Truncated {
                kind: FourCc::SENC,
                ..
            }
        ),
        "{error}"
    );
    let flags = full(b"senc", 0, 1, &[&words(&[1]), &iv8(0)]);
    refused_field(
        &cenc_file(&[&simple_fragment(&[10], &[&flags])]),
        b"senc",
        "flags",
    );
    let version = full(b"senc", 1, 0, &[&words(&[1]), &iv8(0)]);
    refused_field(
        &cenc_file(&[&simple_fragment(&[10], &[&version])]),
        b"senc",
        "version",
    );
    let senc = senc(&[], 1);
    let error = refused(&cenc_file(&[&simple_fragment(&[10], &[&senc, &senc])]));
    assert!(
        matches!(
            error,
            MediaError::Repeated {
                kind: FourCc::SENC,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn ivs_in_a_clear_track_fragment_are_a_contradiction() {
    let clear = full(b"tenc", 0, 0, &[&[0; 20]]);
    let init = init(&encv(b"cenc", &clear));
    let file = [&init[..], &simple_fragment(&[10], &[&senc(&[], 1)])].concat();
    refused_field(&file, b"senc", "clear track fragment");
    let file = [&init[..], &simple_fragment(&[10], &[])].concat();
    let found = one(&file);
    assert!(found.samples()[0].iv.as_slice().is_empty());
    assert!(
        found
            .batches(crate::BatchLimit::default())
            .all(|batch| batch.protection().is_none())
    );
}
