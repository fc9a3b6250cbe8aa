#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::testing::{
    bx, encv, init, init_of, refused, refused_field, schm, sinf, tenc, trak, trex, visual, words,
};
use crate::{
    FourCc, IvSource, MediaError, PictureSize, Presentation, SampleEntry, Scheme, Unsupported,
    clear_init,
};

fn init_with(handler: &[u8; 4], entry: &[u8]) -> Vec<u8> {
    init_of(&[&trak(1, handler, &[entry], &[]), &bx(b"mvex", &[&trex(1)])])
}

fn entry(handler: &[u8; 4], entry: &[u8]) -> SampleEntry {
    Presentation::parse(&init_with(handler, entry))
        .unwrap()
        .tracks[0]
        .entries[0]
}

/// An audio entry of the given version, with the further fields of QuickTime if any.
fn enca(version: u16, more: usize, boxes: &[u8]) -> Vec<u8> {
    let mut fields = vec![0; 28 + more];
    fields[8..10].copy_from_slice(&version.to_be_bytes());
    bx(b"enca", &[&fields, boxes])
}

#[test]
fn video_has_codec_picture_and_protection() {
    let found = entry(b"vide", &encv(b"cenc", &tenc(8)));
    assert_eq!(found.codec, FourCc(*b"avc1"));
    assert_eq!(
        found.picture,
        Some(PictureSize {
            width: 320,
            height: 180
        })
    );
    assert!(found.protection.is_some());
    // Clear entries in the same words.
    let found = entry(b"vide", &visual(b"hvc1", &[]));
    assert_eq!((found.codec, found.protection), (FourCc(*b"hvc1"), None));
    assert_eq!(
        found.picture,
        Some(PictureSize {
            width: 320,
            height: 180
        })
    );
}

#[test]
fn audio_of_iso_and_of_quicktime_versions_is_found_and_cleared() {
    let sinf = sinf(b"mp4a", b"cbcs", &tenc(16));
    let esds = bx(b"esds", &[b"config"]);
    let boxes = [esds.clone(), sinf].concat();
    for (version, more) in [(0, 0), (1, 0), (1, 16), (2, 36)] {
        let stored = enca(version, more, &boxes);
        let found = entry(b"soun", &stored);
        assert_eq!(
            (found.codec, found.picture),
            (FourCc(*b"mp4a"), None),
            "{version} {more}"
        );
        let cleared = clear_init(&init_with(b"soun", &stored)).unwrap();
        let mut wanted = enca(version, more, &esds);
        wanted[4..8].copy_from_slice(b"mp4a");
        assert!(
            cleared.windows(wanted.len()).any(|bytes| bytes == wanted),
            "{version} {more}"
        );
    }
}

#[test]
fn entries_with_strings_before_their_boxes_are_found_and_cleared() {
    let mut fields = vec![0; 8];
    fields.extend(b"http://www.w3.org/ns/ttml\0\0\0");
    let stored = bx(b"enct", &[&fields, &sinf(b"stpp", b"cenc", &tenc(8))]);
    let found = entry(b"subt", &stored);
    assert_eq!(found.codec, FourCc(*b"stpp"));
    let cleared = clear_init(&init_with(b"subt", &stored)).unwrap();
    let wanted = bx(b"stpp", &[&fields]);
    assert!(cleared.windows(wanted.len()).any(|bytes| bytes == wanted));
}

#[test]
fn padding_behind_the_boxes_is_kept() {
    let stored = visual(b"encv", &[&sinf(b"avc1", b"cenc", &tenc(8)), &[0; 4]]);
    assert_eq!(entry(b"vide", &stored).codec, FourCc(*b"avc1"));
    let cleared = clear_init(&init_with(b"vide", &stored)).unwrap();
    let wanted = visual(b"avc1", &[&[0; 4]]);
    assert!(cleared.windows(wanted.len()).any(|bytes| bytes == wanted));
    // Anything else there is not padding.
    let wrong = visual(b"encv", &[&sinf(b"avc1", b"cenc", &tenc(8)), &[0, 0, 1, 0]]);
    assert!(matches!(
        refused(&init(&wrong)),
        MediaError::Truncated { .. }
    ));
}

#[test]
fn of_several_protections_the_known_one_counts() {
    let known = sinf(b"avc1", b"cbcs", &tenc(8));
    let other = sinf(b"avc1", b"piff", &tenc(16));
    let mute = bx(b"sinf", &[&bx(b"frma", &[b"avc1"]), &schm(b"adkm")]);
    for boxes in [
        [&known, &known],
        [&known, &other],
        [&other, &known],
        [&mute, &known],
    ] {
        let boxes = boxes.map(Vec::as_slice);
        let stored = visual(b"encv", &boxes);
        let protection = entry(b"vide", &stored).protection.unwrap();
        assert_eq!(protection.scheme, Scheme::Cbcs);
        assert_eq!(protection.iv, IvSource::PerSample { size: 8 });
        let cleared = clear_init(&init_with(b"vide", &stored)).unwrap();
        assert!(cleared.windows(4).all(|bytes| bytes != b"sinf"));
    }
    let error = refused(&init(&visual(b"encv", &[&other, &mute])));
    assert!(matches!(error, MediaError::UnknownScheme { .. }), "{error}");
}

#[test]
fn protections_that_contradict_each_other_are_not_chosen_between() {
    let one = sinf(b"avc1", b"cenc", &tenc(8));
    let what = Unsupported::ContradictoryProtections;
    for other in [
        sinf(b"avc1", b"cenc", &tenc(16)),
        sinf(b"avc1", b"cens", &tenc(8)),
        sinf(b"hvc1", b"cenc", &tenc(8)),
    ] {
        let error = refused(&init(&visual(b"encv", &[&one, &other])));
        assert!(
            matches!(error, MediaError::Unsupported { what: w, .. } if w == what),
            "{error}"
        );
    }
}

#[test]
fn a_protected_entry_without_protection_is_refused() {
    let error = refused(&init(&visual(b"encv", &[&bx(b"avcC", &[])])));
    assert!(
        matches!(
            error,
            MediaError::Missing {
                kind: FourCc::SINF,
                parent: FourCc::ENCV,
                ..
            }
        ),
        "{error}"
    );
    let error = refused(&init(&bx(b"encv", &[&[0; 77]])));
    assert!(
        matches!(
            error,
            MediaError::Truncated {
                kind: FourCc::ENCV,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn an_entry_of_another_kind_than_its_track_is_refused() {
    let audio = enca(0, 0, &sinf(b"mp4a", b"cenc", &tenc(8)));
    refused_field(&init_with(b"vide", &audio), b"enca", "sample entry type");
    refused_field(
        &init_with(b"soun", &encv(b"cenc", &tenc(8))),
        b"encv",
        "sample entry type",
    );
}

#[test]
fn the_number_of_entries_must_be_right() {
    for count in [0, 2, 1024] {
        let mut file = init(&encv(b"cenc", &tenc(8)));
        let at = file.windows(4).position(|bytes| bytes == b"stsd").unwrap() + 8;
        file[at..at + 4].copy_from_slice(&words(&[count]));
        refused_field(&file, b"stsd", "entry_count");
    }
    let mut file = init(&encv(b"cenc", &tenc(8)));
    let at = file.windows(4).position(|bytes| bytes == b"stsd").unwrap() + 8;
    file[at..at + 4].copy_from_slice(&words(&[u32::MAX]));
    assert!(matches!(
        refused(&file),
        MediaError::TooLarge {
            kind: FourCc::STSD,
            ..
        }
    ));
}
