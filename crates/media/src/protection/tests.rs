#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::testing::{
    KID, bx, encv, full, init, refused, refused_field, schm, tenc, tenc_constant, visual,
};
use crate::{FourCc, Iv, IvSource, MediaError, Pattern, Presentation, Protection, Scheme};

fn protection(scheme: &[u8; 4], tenc: &[u8]) -> Protection {
    *Presentation::parse(&init(&encv(scheme, tenc)))
        .unwrap()
        .tracks[0]
        .protection()
        .unwrap()
}

#[test]
fn version_0_has_no_pattern_even_where_version_1_would_read_one() {
    for size in [8, 16] {
        let tenc = full(b"tenc", 0, 0, &[&[0, 0x19, 1, size], &KID]);
        let found = protection(b"cbcs", &tenc);
        assert_eq!(found.iv, IvSource::PerSample { size });
        assert_eq!(found.pattern, Pattern { crypt: 0, skip: 0 });
        assert_eq!((found.kid, found.is_protected), (KID, true));
    }
}

#[test]
fn all_four_schemes_are_told_apart() {
    for (code, scheme) in [
        (b"cenc", Scheme::Cenc),
        (b"cens", Scheme::Cens),
        (b"cbc1", Scheme::Cbc1),
        (b"cbcs", Scheme::Cbcs),
    ] {
        assert_eq!(protection(code, &tenc(16)).scheme, scheme);
    }
}

#[test]
fn constant_ivs_of_8_and_16_bytes_are_read_unpadded() {
    for iv in [&b"constant"[..], b"constantconstant"] {
        let found = protection(b"cbcs", &tenc_constant(iv, 0x19));
        assert_eq!(found.iv, IvSource::Constant(Iv::new(iv).unwrap()));
        assert_eq!(found.pattern, Pattern { crypt: 1, skip: 9 });
    }
    refused_field(
        &init(&encv(b"cbcs", &tenc_constant(b"7 bytes", 0x19))),
        b"tenc",
        "constant_IV",
    );
    refused_field(
        &init(&encv(b"cbcs", &tenc_constant(b"", 0x19))),
        b"tenc",
        "constant_IV",
    );
}

#[test]
fn a_protected_entry_may_say_that_nothing_is_protected() {
    let found = protection(b"cenc", &full(b"tenc", 0, 0, &[&[0, 0, 0, 0], &KID]));
    assert_eq!((found.is_protected, found.iv), (false, IvSource::None));
    let presentation = Presentation::parse(&init(&encv(
        b"cenc",
        &full(b"tenc", 0, 0, &[&[0; 4], &KID]),
    )))
    .unwrap();
    assert!(presentation.key_ids().is_empty());
    assert!(
        presentation.is_protected(),
        "its file still has boxes to be cleared"
    );
}

#[test]
fn what_tenc_cannot_say_is_refused() {
    let wrong = |version, fields: [u8; 4], field| {
        let tenc = full(b"tenc", version, 0, &[&fields, &KID]);
        refused_field(&init(&encv(b"cenc", &tenc)), b"tenc", field);
    };
    wrong(0, [0, 0, 2, 8], "default_isProtected");
    wrong(0, [0, 0, 1, 7], "Per_Sample_IV_Size");
    wrong(0, [0, 0, 1, 255], "Per_Sample_IV_Size");
    wrong(2, [0, 0, 1, 8], "version");
    wrong(1, [0, 0x19, 1, 8], "pattern");
    let trailing = full(b"tenc", 0, 0, &[&[0, 0, 1, 8], &KID, &[0]]);
    refused_field(
        &init(&encv(b"cenc", &trailing)),
        b"tenc",
        "behind the last field",
    );
    let only_skips = full(b"tenc", 1, 0, &[&[0, 0x09, 1, 8], &KID]);
    refused_field(
        &init(&encv(b"cens", &only_skips)),
        b"tenc",
        "crypt_byte_block",
    );
    let cut = full(b"tenc", 0, 0, &[&[0, 0, 1, 8], &KID[..15]]);
    assert!(matches!(
        refused(&init(&encv(b"cenc", &cut))),
        MediaError::Truncated {
            kind: FourCc::TENC,
            needed: 16,
            available: 15,
            ..
        }
    ));
}

#[test]
fn an_unknown_scheme_is_named() {
    for scheme in [b"piff", b"cbcx", b"CENC", b"\0\0\0\0"] {
        let error = refused(&init(&encv(scheme, &tenc(8))));
        assert!(
            matches!(error, MediaError::UnknownScheme { found, .. } if found.0 == *scheme),
            "{error}"
        );
    }
}

#[test]
fn each_missing_box_is_named() {
    let frma = bx(b"frma", &[b"avc1"]);
    let schi = bx(b"schi", &[&tenc(8)]);
    let schm = schm(b"cenc");
    let parts = [
        (FourCc::FRMA, frma),
        (FourCc::SCHM, schm),
        (FourCc::SCHI, schi),
    ];
    for (missing, _) in &parts {
        let rest = parts.iter().filter(|(kind, _)| kind != missing);
        let boxes: Vec<u8> = rest.flat_map(|(_, bytes)| bytes.clone()).collect();
        let file = init(&visual(b"encv", &[&bx(b"sinf", &[&boxes])]));
        let error = refused(&file);
        assert!(
            matches!(error, MediaError::Missing { kind, parent: FourCc::SINF, .. } if kind == *missing),
            "{error}"
        );
    }
}

#[test]
fn an_iv_has_8_or_16_bytes() {
    for size in 0..=17 {
        assert_eq!(Iv::new(&vec![1; size]).is_some(), size == 8 || size == 16);
    }
    assert_eq!(
        format!("{:?}", Iv::new(&[0xab; 8]).unwrap()),
        "Iv(abababababababab)"
    );
}
