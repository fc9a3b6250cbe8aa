#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::testing::{
    KID, bx, cenc_file, copy, encv, fragment, full, init, init_of, long, senc, simple_fragment,
    tenc, tfhd, trak, trex, trun, visual, words,
};
use crate::{Presentation, clear_init};

fn pssh() -> Vec<u8> {
    full(b"pssh", 1, 0, &[&[9; 16], &words(&[1]), &KID, &words(&[0])])
}

fn contains(file: &[u8], part: &[u8]) -> bool {
    file.windows(part.len()).any(|bytes| bytes == part)
}

#[test]
fn a_cleared_fragment_is_known_byte_by_byte() {
    let sizes = [10, 12];
    let boxes = [senc(&[], 2), full(b"saiz", 0, 0, &[&[8], &words(&[2])])].concat();
    let protected = simple_fragment(&sizes, &[&boxes]);
    let clear = copy(&cenc_file(&[&protected]), |_| ()).unwrap();
    // The same moof without the two boxes and with a free box of their size; offsets as they were.
    let free = bx(b"free", &[&vec![0; boxes.len() - 8]]);
    let data = &protected[protected.len() - 22..];
    let wanted = fragment(
        |offset| [bx(b"traf", &[&tfhd(), &trun(offset, &sizes)]), free.clone()].concat(),
        data,
    );
    assert_eq!(clear[clear.len() - wanted.len()..], wanted);
}

#[test]
fn a_cleared_init_is_known_byte_by_byte() {
    let before = init_of(&[
        &pssh(),
        &trak(1, b"vide", &[&encv(b"cenc", &tenc(8))], &[]),
        &bx(b"mvex", &[&trex(1)]),
    ]);
    let entry = visual(b"avc1", &[&bx(b"avcC", &[b"config"])]);
    let without = init_of(&[&trak(1, b"vide", &[&entry], &[]), &bx(b"mvex", &[&trex(1)])]);
    let free = bx(b"free", &[&vec![0; before.len() - without.len() - 8]]);
    let wanted = init_of(&[
        &trak(1, b"vide", &[&entry], &[]),
        &bx(b"mvex", &[&trex(1)]),
        &free,
    ]);
    assert_eq!(clear_init(&before).unwrap(), wanted);
    assert!(!Presentation::parse(&wanted).unwrap().is_protected());
}

#[test]
fn pssh_goes_from_moof_and_unknown_boxes_stay() {
    let own = bx(b"uuid", &[b"of another house"]);
    let fragment = fragment(
        |offset| {
            let traf = bx(
                b"traf",
                &[&tfhd(), &own, &trun(offset, &[4]), &senc(&[], 1)],
            );
            [pssh(), own.clone(), traf, pssh()].concat()
        },
        &[1, 2, 3, 4],
    );
    let file = [cenc_file(&[&own, &fragment, &own]), bx(b"mfra", &[&[7; 9]])].concat();
    let mut seen = 0;
    let clear = copy(&file, |fragment| seen += fragment.pssh().len()).unwrap();
    assert_eq!(seen, 2);
    assert_eq!(clear.len(), file.len());
    assert!(!contains(&clear, b"pssh") && !contains(&clear, b"senc") && !contains(&clear, &KID));
    assert_eq!(
        clear
            .windows(own.len())
            .filter(|bytes| *bytes == own)
            .count(),
        4
    );
    assert!(clear.ends_with(&bx(b"mfra", &[&[7; 9]])));
}

#[test]
fn tracks_without_protection_keep_every_byte() {
    let text = trak(2, b"text", &[&bx(b"stpp", &[&[0; 8]])], &[&senc(&[], 0)]);
    let init = init_of(&[
        &trak(1, b"vide", &[&encv(b"cenc", &tenc(8))], &[]),
        &text,
        &bx(b"mvex", &[&trex(1), &trex(2)]),
    ]);
    let aux = full(b"saiz", 0, 0, &[&[1], &words(&[1])]);
    let other = |offset| {
        let tfhd = full(b"tfhd", 0, 0x2_0000, &[&words(&[2])]);
        bx(b"traf", &[&tfhd, &trun(offset, &[4]), &aux])
    };
    let fragment = fragment(
        |offset| {
            [
                bx(b"traf", &[&tfhd(), &trun(offset + 4, &[4]), &senc(&[], 1)]),
                other(offset),
            ]
            .concat()
        },
        &[0; 8],
    );
    let clear = copy(&[init, fragment].concat(), |_| ()).unwrap();
    assert!(contains(&clear, &text));
    assert!(contains(&clear, &aux));
    assert_eq!(
        clear.windows(4).filter(|bytes| *bytes == b"senc").count(),
        1,
        "in the text track"
    );
}

#[test]
fn wide_headers_stay_wide() {
    let init = init(&encv(b"cenc", &tenc(8)));
    let ftyp = 16;
    let wide = [&init[..ftyp], &long(&init[ftyp..])].concat();
    let fragment = fragment(
        |offset| {
            // moof and traf grow by 8 bytes each.
            bx(b"traf", &[&tfhd(), &trun(offset + 16, &[4]), &senc(&[], 1)])
        },
        &[1, 2, 3, 4],
    );
    let moof = fragment.len() - 12;
    let traf = 8 + 16;
    let wide_traf = [&fragment[8..traf], &long(&fragment[traf..moof])].concat();
    let wide_moof = long(&bx(b"moof", &[&wide_traf]));
    let file = [&wide[..], &wide_moof, &fragment[moof..]].concat();
    let mut media = Vec::new();
    let clear = copy(&file, |fragment| {
        let range = fragment.tracks()[0].samples()[0].range();
        media.extend_from_slice(&fragment.media()[range]);
    })
    .unwrap();
    assert_eq!(media, [1, 2, 3, 4]);
    assert_eq!(clear.len(), file.len());
    assert!(!contains(&clear, b"senc") && !contains(&clear, b"sinf"));
    let size = u64::from_be_bytes(clear[wide.len() + 8..wide.len() + 16].try_into().unwrap());
    assert_eq!(size, wide_moof.len() as u64);
    let tail = &clear[wide.len()..];
    assert!(contains(tail, b"\0\0\0\x01traf"));
}

#[test]
fn every_track_and_entry_is_cleared() {
    let entries: [&[u8]; 2] = [&encv(b"cenc", &tenc(8)), &visual(b"avc1", &[])];
    let file = init_of(&[
        &trak(1, b"vide", &entries, &[]),
        &trak(2, b"vide", &entries, &[]),
        &bx(b"mvex", &[&trex(1), &trex(2)]),
    ]);
    let clear = clear_init(&file).unwrap();
    assert!(!contains(&clear, b"encv") && !contains(&clear, &KID));
    let presentation = Presentation::parse(&clear).unwrap();
    assert!(
        presentation
            .tracks
            .iter()
            .all(|track| track.entries.len() == 2)
    );
}

#[test]
fn a_clear_init_is_left_alone() {
    let clear = init(&visual(b"avc1", &[]));
    assert_eq!(clear_init(&clear).unwrap(), clear);
    assert!(clear_init(&clear[..20]).is_err());
}
