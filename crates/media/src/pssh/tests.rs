#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::limits::MAX_PSSH_BYTES;
use crate::testing::{
    KID, bx, cenc_file, encv, fragment, full, init_of, read, refused_field, tenc, trak, trex, words,
};
use crate::{FourCc, MediaError, Pssh};

/// The W3C common system id.
const COMMON: [u8; 16] = [
    0x10, 0x77, 0xef, 0xec, 0xc0, 0xb2, 0x4d, 0x02, 0xac, 0xe3, 0x3c, 0x1e, 0x52, 0xe2, 0xfb, 0x4b,
];

#[test]
fn shaka_packager_boxes_parse_and_serialise_to_the_same_bytes() {
    // Both from a file of Packager 3.8.0: Widevine, version 0; common, version 1.
    let widevine = hex::decode(concat!(
        "0000003870737368",
        "00000000",
        "edef8ba979d64acea3c827dcd51d21ed",
        "00000018",
        "12108caa7e396f418e64ccdd707a12761c0148e3dc959b06"
    ));
    let common = hex::decode(concat!(
        "0000003470737368",
        "01000000",
        "1077efecc0b24d02ace33c1e52e2fb4b",
        "00000001",
        "8caa7e396f418e64ccdd707a12761c01",
        "00000000"
    ));
    let both = [widevine.unwrap(), common.unwrap()].concat();
    let parsed = Pssh::parse_all(&both).unwrap();
    assert_eq!(parsed.len(), 2);
    assert_eq!(parsed[0].key_ids, None);
    assert_eq!(parsed[0].data.len(), 24);
    assert_eq!(parsed[1].system_id, COMMON);
    let ids = parsed[1].key_ids.as_ref().unwrap();
    assert_eq!(
        hex::encode(ids.concat()),
        "8caa7e396f418e64ccdd707a12761c01"
    );
    let again: Vec<u8> = parsed
        .iter()
        .flat_map(|pssh| pssh.to_bytes().unwrap())
        .collect();
    assert_eq!(again, both);
}

#[test]
fn an_empty_list_of_key_ids_is_not_no_list() {
    let pssh = Pssh {
        system_id: COMMON,
        key_ids: Some(Vec::new()),
        data: vec![1, 2],
    };
    let bytes = pssh.to_bytes().unwrap();
    assert_eq!(Pssh::parse_all(&bytes).unwrap(), [pssh]);
    assert!(Pssh::parse_all(&[]).unwrap().is_empty());
}

#[track_caller]
fn refused(bytes: &[u8], wanted: &str) {
    let MediaError::Invalid { field, .. } = Pssh::parse_all(bytes).unwrap_err() else {
        panic!("expected an invalid field")
    };
    assert_eq!(field, wanted);
}

#[test]
fn a_count_of_key_ids_beyond_the_box_is_refused() {
    for count in [2, 0x1000_0000, u32::MAX] {
        let parts: [&[u8]; 4] = [&COMMON, &words(&[count]), &KID, &words(&[0])];
        refused(&full(b"pssh", 1, 0, &parts), "KID_count");
    }
}

#[test]
fn a_data_size_other_than_the_data_is_refused() {
    for size in [1, 3, u32::MAX] {
        refused(
            &full(b"pssh", 0, 0, &[&COMMON, &words(&[size]), &[1, 2]]),
            "DataSize",
        );
    }
}

#[test]
fn an_unknown_version_is_refused() {
    refused(&full(b"pssh", 2, 0, &[&COMMON, &words(&[0])]), "version");
}

#[test]
fn other_boxes_and_cut_ones_are_refused() {
    let other = Pssh::parse_all(&bx(b"free", &[&[0; 24]])).unwrap_err();
    assert!(matches!(other, MediaError::Missing { kind, .. } if kind == FourCc::PSSH));
    let whole = full(
        b"pssh",
        1,
        0,
        &[&COMMON, &words(&[1]), &KID, &words(&[3]), b"abc"],
    );
    assert_eq!(Pssh::parse_all(&whole).unwrap().len(), 1);
    for cut in 1..whole.len() {
        assert!(Pssh::parse_all(&whole[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn all_boxes_of_one_container_together_have_a_limit_in_bytes() {
    let half = |fill: u8| {
        let size = MAX_PSSH_BYTES / 2 - 32;
        let pssh = Pssh {
            system_id: [fill; 16],
            key_ids: None,
            data: vec![fill; size],
        };
        pssh.to_bytes().expect("a small box")
    };
    let (one, two) = (half(1), half(2));
    let inside = [&one[..], &two[..]].concat();
    let outside = [&inside[..], &bx(b"pssh", &[&[0; 24]])].concat();
    let moof = |boxes: &[u8]| {
        let boxes = boxes.to_vec();
        fragment(move |_| boxes.clone(), &[])
    };
    assert!(read(&cenc_file(&[&moof(&inside)])).is_ok());
    refused_field(&cenc_file(&[&moof(&outside)]), b"pssh", "size of all");
    let init = |boxes: &[u8]| {
        let trak = trak(1, b"vide", &[&encv(b"cenc", &tenc(8))], &[]);
        init_of(&[&trak, &bx(b"mvex", &[&trex(1)]), boxes])
    };
    assert!(read(&init(&inside)).is_ok());
    refused_field(&init(&outside), b"pssh", "size of all");
}
