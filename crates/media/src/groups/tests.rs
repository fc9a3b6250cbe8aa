#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::testing::{
    bx, cenc_file, copy, encv, full, init_of, read, refused, senc, simple_fragment, tenc, trak,
    trex, words,
};
use crate::{MediaError, Unsupported};

fn sgpd(version: u8, kind: &[u8; 4]) -> Vec<u8> {
    full(b"sgpd", version, 0, &[kind, &words(&[20, 1]), &[0; 20]])
}

fn sbgp(kind: &[u8; 4], groups: &[[u32; 2]]) -> Vec<u8> {
    let count = u32::try_from(groups.len()).unwrap();
    full(
        b"sbgp",
        0,
        0,
        &[kind, &words(&[count]), &words(groups.as_flattened())],
    )
}

fn with(boxes: &[&[u8]]) -> Vec<u8> {
    cenc_file(&[&simple_fragment(
        &[10, 12],
        &[&senc(&[], 2), &boxes.concat()],
    )])
}

#[track_caller]
fn rotation(file: &[u8]) {
    let error = refused(file);
    let what = Unsupported::KeyRotation;
    assert!(
        matches!(error, MediaError::Unsupported { what: found, .. } if found == what),
        "{error}"
    );
}

#[test]
fn samples_in_a_key_group_are_refused() {
    rotation(&with(&[
        &sgpd(1, b"seig"),
        &sbgp(b"seig", &[[2, 0x1_0001]]),
    ]));
    rotation(&with(&[&sbgp(b"seig", &[[1, 0], [1, 1]])]));
    // A default group, and the compact form.
    rotation(&with(&[&sgpd(2, b"seig")]));
    rotation(&with(&[&full(b"csgp", 0, 0, &[b"seig", &words(&[0, 0])])]));
    // Said in moov.
    let stbl = [sgpd(1, b"seig"), sbgp(b"seig", &[[5, 1]])].concat();
    let track = trak(1, b"vide", &[&encv(b"cenc", &tenc(8))], &[&stbl]);
    rotation(&init_of(&[&track, &bx(b"mvex", &[&trex(1)])]));
}

#[test]
fn key_groups_without_samples_are_only_cleared_away() {
    let unused = [sgpd(1, b"seig"), sbgp(b"seig", &[[2, 0], [0, 1]])].concat();
    let roll = [sgpd(1, b"roll"), sbgp(b"roll", &[[2, 1]])].concat();
    let file = with(&[&unused, &roll]);
    assert_eq!(read(&file).unwrap().len(), 1);
    let clear = copy(&file, |_| ()).unwrap();
    assert!(!clear.windows(4).any(|bytes| bytes == b"seig"));
    assert!(
        clear.windows(roll.len()).any(|bytes| bytes == roll),
        "other groups stay"
    );
}

#[test]
fn a_cut_group_table_is_refused() {
    let cut = full(b"sbgp", 0, 0, &[b"seig", &words(&[u32::MAX, 1, 0])]);
    assert!(matches!(
        refused(&with(&[&cut])),
        MediaError::Truncated { .. }
    ));
}
