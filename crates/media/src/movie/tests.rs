#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::io::Cursor;

use crate::testing::{
    KID, bx, cenc_file, encv, full, init, init_of, long, read, refused, refused_field, senc,
    simple_fragment, tenc, trak, trex, visual, words,
};
use crate::{FourCc, MediaError, MediaReader, Presentation, TrackKind, Unsupported};

fn video(id: u32) -> Vec<u8> {
    trak(id, b"vide", &[&encv(b"cenc", &tenc(8))], &[])
}

#[test]
fn tracks_kinds_and_pssh_are_listed() {
    let sound = trak(5, b"soun", &[&bx(b"mp4a", &[&[0; 28]])], &[]);
    let text = trak(6, b"text", &[&bx(b"stpp", &[&[0; 8]])], &[]);
    let pssh = full(b"pssh", 1, 0, &[&[9; 16], &words(&[1]), &KID, &words(&[0])]);
    let mvex = bx(b"mvex", &[&trex(1), &trex(5), &trex(6)]);
    let file = init_of(&[&pssh, &video(1), &sound, &text, &mvex, &pssh]);
    let found = Presentation::parse(&file).unwrap();
    let kinds: Vec<_> = found
        .tracks
        .iter()
        .map(|track| (track.id, track.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            (1, TrackKind::Video),
            (5, TrackKind::Audio),
            (6, TrackKind::Other)
        ]
    );
    assert_eq!(found.key_ids(), [KID]);
    assert_eq!(found.pssh.len(), 2);
    assert!(found.tracks[1].protection().is_none());
}

#[test]
fn wide_boxes_and_wide_times_are_read() {
    // 64-bit sizes of moov and trak, version 1 of tkhd and mdhd.
    let mut trak = video(3);
    let tkhd = full(b"tkhd", 0, 7, &[&words(&[0, 0, 3, 0, 0])]);
    let wide = full(b"tkhd", 1, 7, &[&words(&[0, 0, 0, 0, 3, 0, 0])]);
    trak = [&trak[..8], &wide, &trak[8 + tkhd.len()..]].concat();
    let size = u32::try_from(trak.len()).unwrap();
    trak[..4].copy_from_slice(&size.to_be_bytes());
    let moov = bx(b"moov", &[&long(&trak), &bx(b"mvex", &[&trex(3)])]);
    let found = Presentation::parse(&long(&moov)).unwrap();
    assert_eq!(found.tracks[0].id, 3);
}

#[test]
fn two_tracks_of_one_number_are_refused() {
    let file = init_of(&[&video(1), &video(1), &bx(b"mvex", &[&trex(1)])]);
    refused_field(&file, b"trak", "track_ID");
}

#[test]
fn defaults_belong_to_one_track_each() {
    refused_field(
        &init_of(&[&video(1), &bx(b"mvex", &[&trex(2)])]),
        b"trex",
        "track_ID",
    );
    let error = refused(&init_of(&[&video(1), &bx(b"mvex", &[&trex(1), &trex(1)])]));
    assert!(
        matches!(
            error,
            MediaError::Repeated {
                kind: FourCc::TREX,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn zero_as_timescale_or_track_number_is_refused() {
    for (kind, field) in [(b"mdhd", "timescale"), (b"tkhd", "track_ID")] {
        let mut file = init(&encv(b"cenc", &tenc(8)));
        let at = file.windows(4).position(|bytes| bytes == kind).unwrap() + 4 + 12;
        file[at..at + 4].fill(0);
        refused_field(&file, kind, field);
    }
}

#[test]
fn media_data_before_moov_is_refused_by_name_where_nothing_can_seek() {
    let file = [
        bx(b"ftyp", &[&[0; 8]]),
        bx(b"mdat", &[]),
        init(&encv(b"cenc", &tenc(8))),
    ]
    .concat();
    let what = Unsupported::MovieAtEnd;
    assert!(matches!(
        refused(&file),
        MediaError::Unsupported { what: found, offset: 16 } if found == what
    ));
    assert!(MediaReader::open_seekable(Cursor::new(&file)).is_ok());
}

#[test]
fn a_protected_track_without_samples_and_fragments_is_an_empty_one() {
    assert!(read(&init_of(&[&video(1)])).unwrap().is_empty());
    let clear = init_of(&[&trak(1, b"vide", &[&visual(b"avc1", &[])], &[])]);
    let file = [clear, bx(b"mdat", &[b"data"])].concat();
    assert!(read(&file).unwrap().is_empty());
}

#[test]
fn files_without_moov_or_with_two_are_refused() {
    for file in [
        &[][..],
        &bx(b"ftyp", &[&[0; 8]]),
        &simple_fragment(&[4], &[]),
    ] {
        let error = refused(file);
        assert!(
            matches!(
                error,
                MediaError::Missing {
                    kind: FourCc::MOOV,
                    ..
                }
            ),
            "{error}"
        );
    }
    let moov = init(&encv(b"cenc", &tenc(8)));
    let error = refused(&cenc_file(&[
        &simple_fragment(&[4], &[&senc(&[], 1)]),
        &moov,
    ]));
    let what = Unsupported::SecondMovie;
    assert!(
        matches!(error, MediaError::Unsupported { what: found, .. } if found == what),
        "{error}"
    );
}
