#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

use crate::testing::{
    KID, bx, cenc_file, copy, encv, full, init_of, iv8, read, refused, refused_field, senc,
    simple_fragment, tenc, tenc_constant, trak, trex, visual, words,
};
use crate::{BatchLimit, IvSource, KeyId, MediaError, Pattern, Presentation, Scheme, Unsupported};

/// A key id for each group of a test.
fn kid(number: u8) -> KeyId {
    [number; 16]
}

/// A `seig` description: pattern byte, protection, IV size, key, and the constant IV if the size is 0.
fn seig(pattern: u8, is_protected: u8, iv_size: u8, kid: KeyId, constant: &[u8]) -> Vec<u8> {
    let mut entry = vec![0, pattern, is_protected, iv_size];
    entry.extend(kid);
    if is_protected == 1 && iv_size == 0 {
        entry.push(u8::try_from(constant.len()).unwrap());
        entry.extend(constant);
    }
    entry
}

fn with_iv8(number: u8) -> Vec<u8> {
    seig(0, 1, 8, kid(number), &[])
}

const CLEAR: [u8; 20] = [0; 20];

/// `sgpd` version 1; lengths beside the descriptions where they differ.
fn sgpd(kind: &[u8; 4], groups: &[&[u8]]) -> Vec<u8> {
    let lengths: Vec<u32> = groups
        .iter()
        .map(|group| u32::try_from(group.len()).unwrap())
        .collect();
    let count = u32::try_from(groups.len()).unwrap();
    let one = lengths.first().copied().unwrap_or(20);
    if lengths.iter().all(|length| *length == one) {
        return full(
            b"sgpd",
            1,
            0,
            &[kind, &words(&[one, count]), &groups.concat()],
        );
    }
    let entries: Vec<u8> = lengths
        .iter()
        .zip(groups)
        .flat_map(|(length, group)| [&length.to_be_bytes()[..], group].concat())
        .collect();
    full(b"sgpd", 1, 0, &[kind, &words(&[0, count]), &entries])
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

/// Four samples, with boxes in their `traf`.
fn four(boxes: &[&[u8]]) -> Vec<u8> {
    simple_fragment(&[10, 11, 12, 13], &[&boxes.concat()])
}

/// A `cenc` file of four samples with 8-byte IVs.
fn with(boxes: &[&[u8]]) -> Vec<u8> {
    cenc_file(&[&four(&[&senc(&[], 4), &boxes.concat()])])
}

/// A file whose `stbl` has these boxes, and with four samples like those of [`with`].
fn in_track(stbl: &[&[u8]], boxes: &[&[u8]]) -> Vec<u8> {
    let track = trak(1, b"vide", &[&encv(b"cenc", &tenc(8))], stbl);
    let init = init_of(&[&track, &bx(b"mvex", &[&trex(1)])]);
    [init, four(&[&senc(&[], 4), &boxes.concat()])].concat()
}

/// Key and number of samples of each batch.
#[track_caller]
fn batches(file: &[u8]) -> Vec<(Option<KeyId>, usize)> {
    let fragments = read(file).unwrap();
    let batches = fragments
        .iter()
        .flat_map(|fragment| fragment.batches(BatchLimit::UNLIMITED));
    batches
        .map(|batch| (batch.key_id(), batch.samples().len()))
        .collect()
}

const LOCAL: u32 = 0x1_0000;

#[test]
fn each_sample_has_the_key_of_its_group() {
    let groups = sgpd(b"seig", &[&with_iv8(1), &with_iv8(2)]);
    let map = sbgp(b"seig", &[[1, LOCAL + 2], [2, LOCAL + 1], [1, 0]]);
    let file = with(&[&groups, &map]);
    // Number 0 is no group: the key of `tenc`.
    let wanted = [(Some(kid(2)), 1), (Some(kid(1)), 2), (Some(KID), 1)];
    assert_eq!(batches(&file), wanted);
    let fragment = read(&file).unwrap().remove(0);
    assert_eq!(
        fragment.key_ids().collect::<Vec<_>>(),
        [kid(2), kid(1), KID]
    );
    let ivs: Vec<_> = fragment
        .samples()
        .iter()
        .map(|sample| sample.iv.as_slice().to_vec())
        .collect();
    assert_eq!(ivs, [iv8(0), iv8(1), iv8(2), iv8(3)]);
}

#[test]
fn groups_without_samples_change_nothing() {
    let unused = [sgpd(b"seig", &[&with_iv8(1)]), sbgp(b"seig", &[[0, 77]])].concat();
    assert_eq!(batches(&with(&[&unused])), [(Some(KID), 4)]);
    let roll = [sgpd(b"roll", &[&[0; 2]]), sbgp(b"roll", &[[4, 1]])].concat();
    let file = with(&[&unused, &roll]);
    assert_eq!(batches(&file), [(Some(KID), 4)]);
    let clear = copy(&file, |_| ()).unwrap();
    assert!(!clear.windows(4).any(|bytes| bytes == b"seig"));
    assert!(
        clear.windows(roll.len()).any(|bytes| bytes == roll),
        "other groups stay"
    );
}

#[test]
fn numbers_up_to_65536_lead_to_the_track_and_those_above_to_the_fragment() {
    let track = sgpd(b"seig", &[&with_iv8(1), &with_iv8(2)]);
    let local = sgpd(b"seig", &[&with_iv8(3)]);
    let map = sbgp(b"seig", &[[1, 2], [1, LOCAL + 1], [1, 1], [1, 2]]);
    let file = in_track(&[&track], &[&local, &map]);
    let wanted = [2, 3, 1, 2].map(|number| (Some(kid(number)), 1));
    assert_eq!(batches(&file), wanted);
    let presentation = Presentation::parse(&file).unwrap();
    assert_eq!(presentation.key_ids(), [KID, kid(1), kid(2)]);
    let clear = copy(&file, |_| ()).unwrap();
    assert!(!clear.windows(4).any(|bytes| bytes == b"seig"));
    assert!(
        !clear.windows(16).any(|bytes| bytes == kid(1)),
        "a key id is left"
    );
}

#[test]
fn numbers_that_lead_nowhere_are_refused() {
    let one = sgpd(b"seig", &[&with_iv8(1)]);
    for number in [1, LOCAL, LOCAL + 2, u32::MAX] {
        let map = sbgp(b"seig", &[[4, number]]);
        refused_field(&with(&[&one, &map]), b"sbgp", "group_description_index");
    }
    // Of the track there is one.
    let map = sbgp(b"seig", &[[4, 2]]);
    refused_field(
        &in_track(&[&one], &[&map]),
        b"sbgp",
        "group_description_index",
    );
}

#[test]
fn samples_of_a_clear_group_are_left_alone() {
    let groups = sgpd(b"seig", &[&CLEAR]);
    let map = sbgp(b"seig", &[[1, LOCAL + 1], [2, 0], [1, LOCAL + 1]]);
    let ivs = [iv8(7), iv8(8)].concat();
    // Only protected samples have IVs.
    let senc = full(b"senc", 0, 0, &[&words(&[4]), &ivs]);
    let file = cenc_file(&[&four(&[&senc, &groups, &map])]);
    assert_eq!(batches(&file), [(None, 1), (Some(KID), 2), (None, 1)]);
    let fragment = read(&file).unwrap().remove(0);
    assert!(fragment.samples()[0].iv.as_slice().is_empty());
    assert_eq!(fragment.samples()[1].iv.as_slice(), iv8(7));
    // More IVs than protected samples: one of the two tables is wrong.
    let too_many = full(b"senc", 0, 0, &[&words(&[4]), &ivs, &iv8(9)]);
    let file = cenc_file(&[&four(&[&too_many, &groups, &map])]);
    refused_field(&file, b"senc", "behind the last field");
    // Nothing protected at all, with and without a word of it.
    let map = sbgp(b"seig", &[[4, LOCAL + 1]]);
    assert_eq!(batches(&cenc_file(&[&four(&[&groups, &map])])), [(None, 4)]);
    let empty = full(b"senc", 0, 0, &[&words(&[0])]);
    let file = cenc_file(&[&four(&[&empty, &groups, &map])]);
    assert_eq!(batches(&file), [(None, 4)]);
}

#[test]
fn clear_samples_may_have_tables_that_protect_nothing() {
    let groups = sgpd(b"seig", &[&CLEAR]);
    let map = sbgp(b"seig", &[[1, LOCAL + 1], [1, 0], [2, LOCAL + 1]]);
    let table = |parts: &[(u16, u32)]| {
        let mut out = u16::try_from(parts.len()).unwrap().to_be_bytes().to_vec();
        for (clear, protected) in parts {
            out.extend(clear.to_be_bytes());
            out.extend(protected.to_be_bytes());
        }
        out
    };
    let middle = [&iv8(5)[..], &table(&[(3, 8)])].concat();
    let file = |first: &[u8], last: &[u8], more: &[u8]| {
        let entries = [first, &middle, last, last].concat();
        let senc = full(b"senc", 0, 2, &[&words(&[4]), &entries]);
        cenc_file(&[&four(&[&senc, &groups, &map, more])])
    };
    // Empty tables, and one that names the clear bytes.
    let found = batches(&file(&table(&[(10, 0)]), &table(&[]), &[]));
    assert_eq!(found, [(None, 1), (Some(KID), 1), (None, 2)]);
    // No tables at all, as `saiz` says.
    let saiz = full(b"saiz", 0, 0, &[&[0], &words(&[4]), &[0, 16, 0, 0]]);
    assert_eq!(batches(&file(&[], &[], &saiz)).len(), 3);
    refused_field(
        &file(&table(&[(2, 8)]), &table(&[]), &[]),
        b"senc",
        "protected bytes of a sample that is not",
    );
    refused(&file(&[], &[], &[]));
}

#[test]
fn groups_may_have_other_iv_sizes_and_patterns_than_the_track() {
    let constant = *b"constantIVconsta";
    let groups = [
        seig(0x19, 1, 0, kid(1), &constant),
        seig(0x55, 1, 0, kid(2), &constant[..8]),
        seig(0, 1, 16, kid(3), &[]),
        CLEAR.to_vec(),
    ];
    let groups = sgpd(b"seig", &groups.each_ref().map(Vec::as_slice));
    let map = sbgp(
        b"seig",
        &[[1, LOCAL + 1], [1, LOCAL + 2], [1, LOCAL + 3], [1, 0]],
    );
    // 0, 0, 16 and 8 bytes of IV.
    let ivs = [&[6; 16][..], &iv8(3)].concat();
    let senc = full(b"senc", 0, 0, &[&words(&[4]), &ivs]);
    let init = crate::testing::init(&encv(b"cbcs", &tenc(8)));
    let file = [&init, &four(&[&senc, &groups, &map])[..]].concat();
    let fragment = read(&file).unwrap().remove(0);
    let found: Vec<_> = fragment
        .batches(BatchLimit::UNLIMITED)
        .map(|batch| {
            let protection = batch.protection().unwrap();
            let pattern = protection.pattern;
            assert_eq!(protection.scheme, Scheme::Cbcs);
            let iv = batch.samples()[0].iv.as_slice().to_vec();
            assert_eq!(batch.samples().len(), 1);
            (protection.kid, (pattern.crypt, pattern.skip), iv)
        })
        .collect();
    let wanted = [
        (kid(1), (1, 9), constant.to_vec()),
        (kid(2), (5, 5), constant[..8].to_vec()),
        (kid(3), (0, 0), vec![6; 16]),
        (KID, (0, 0), iv8(3).to_vec()),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_pattern_that_the_scheme_has_not_is_refused_where_it_is_used() {
    let groups = sgpd(b"seig", &[&seig(0x19, 1, 8, kid(1), &[])]);
    let map = sbgp(b"seig", &[[4, LOCAL + 1]]);
    refused_field(&with(&[&groups, &map]), b"sgpd", "pattern");
    let only_skips = sgpd(b"seig", &[&seig(0x09, 1, 8, kid(1), &[])]);
    let init = crate::testing::init(&encv(b"cens", &tenc(8)));
    let file = [&init, &four(&[&senc(&[], 4), &only_skips, &map])[..]].concat();
    refused_field(&file, b"sgpd", "crypt_byte_block");
}

#[test]
fn groups_of_a_clear_sample_entry_cannot_protect() {
    let file = |group: &[u8]| {
        let entries: [&[u8]; 2] = [&visual(b"avc1", &[]), &encv(b"cenc", &tenc(8))];
        let init = init_of(&[&trak(1, b"vide", &entries, &[]), &bx(b"mvex", &[&trex(1)])]);
        let boxes = [sgpd(b"seig", &[group]), sbgp(b"seig", &[[4, LOCAL + 1]])].concat();
        [init, four(&[&boxes])].concat()
    };
    assert_eq!(batches(&file(&CLEAR)), [(None, 4)]);
    refused_field(&file(&with_iv8(1)), b"sbgp", "no 'sinf'");
}

#[test]
fn a_default_group_is_for_samples_of_which_nothing_is_said() {
    let list = with_iv8(1);
    // Version 2 with lengths, as the newer editions have it, and without, as the older ones.
    let with_length = |default| full(b"sgpd", 2, 0, &[b"seig", &words(&[20, default, 1]), &list]);
    let without = |default| full(b"sgpd", 2, 0, &[b"seig", &words(&[default, 1]), &list]);
    for sgpd in [with_length(1), without(1)] {
        assert_eq!(batches(&with(&[&sgpd])), [(Some(kid(1)), 4)]);
        // Behind the end of the map, but not where the map says 0.
        let map = sbgp(b"seig", &[[3, 0]]);
        let wanted = [(Some(KID), 3), (Some(kid(1)), 1)];
        assert_eq!(batches(&with(&[&sgpd, &map])), wanted);
        assert_eq!(batches(&in_track(&[&sgpd], &[])), [(Some(kid(1)), 4)]);
    }
    for sgpd in [with_length(0), without(0)] {
        assert_eq!(batches(&with(&[&sgpd])), [(Some(KID), 4)]);
    }
    refused_field(&with(&[&with_length(2)]), b"sgpd", "default_group");
    // The fragment's own comes before the track's.
    let other = full(b"sgpd", 2, 0, &[b"seig", &words(&[20, 1, 1]), &with_iv8(9)]);
    let file = in_track(&[&other], &[&with_length(1)]);
    assert_eq!(batches(&file), [(Some(kid(1)), 4)]);
}

#[test]
fn old_and_wide_forms_of_the_boxes_are_read() {
    let constant = seig(0, 1, 0, kid(2), b"constant");
    // Version 0 has no lengths: descriptions tell their own.
    let old = full(
        b"sgpd",
        0,
        0,
        &[b"seig", &words(&[2]), &constant, &with_iv8(1)],
    );
    // Version 1 of `sbgp` has a parameter.
    let map = full(
        b"sbgp",
        1,
        0,
        &[b"seig", &words(&[5, 2, 2, LOCAL + 1, 2, LOCAL + 2])],
    );
    let init = crate::testing::init(&encv(b"cbcs", &tenc_constant(&[3; 16], 0)));
    let senc = full(b"senc", 0, 0, &[&words(&[4]), &iv8(0), &iv8(1)]);
    let file = [&init, &four(&[&senc, &old, &map])[..]].concat();
    assert_eq!(batches(&file), [(Some(kid(2)), 2), (Some(kid(1)), 2)]);
    // Differing lengths in version 1.
    let mixed = sgpd(b"seig", &[&constant, &with_iv8(1)]);
    let file = [&init, &four(&[&senc, &mixed, &map])[..]].concat();
    assert_eq!(batches(&file), [(Some(kid(2)), 2), (Some(kid(1)), 2)]);
    let fragment = read(&file).unwrap().remove(0);
    let protection = *fragment
        .batches(BatchLimit::UNLIMITED)
        .next()
        .unwrap()
        .protection()
        .unwrap();
    assert!(matches!(protection.iv, IvSource::Constant(iv) if iv.as_slice() == b"constant"));
    assert_eq!(protection.pattern, Pattern::default());
}

/// `csgp` with widths of pattern, count and number by their codes, and the table as it is.
fn csgp(flags: u32, count: u32, table: &[u8]) -> Vec<u8> {
    let parameter: &[u8] = if flags & 0x40 == 0 {
        &[]
    } else {
        &[0, 0, 0, 9]
    };
    full(
        b"csgp",
        0,
        flags,
        &[b"seig", parameter, &words(&[count]), table],
    )
}

#[test]
fn the_compact_form_says_the_same() {
    let local = sgpd(b"seig", &[&with_iv8(1), &with_iv8(2)]);
    let track = sgpd(b"seig", &[&with_iv8(3)]);
    // One pattern of two numbers over four samples: local 1, local 2, local 1, local 2.
    let alternating = [1, 2, 1, 2].map(|number| (Some(kid(number)), 1)).to_vec();
    let all = |table: &[u8], flags, count| {
        batches(&in_track(&[&track], &[&local, &csgp(flags, count, table)]))
    };
    // 8 bits each, the highest of a number marking the fragment's own.
    assert_eq!(all(&[2, 4, 0x81, 0x82], 0x80 | 0b01_01_01, 1), alternating);
    // 4 bits each.
    assert_eq!(all(&[0x24, 0x9a], 0x80, 1), alternating);
    // 16 and 32 bits, with a parameter.
    let wide = [&[0, 2, 0, 4][..], &words(&[0x8000_0001, 0x8000_0002])].concat();
    assert_eq!(all(&wide, 0xc0 | 0b10_10_11, 1), alternating);
    // Without the mark numbers are as in `sbgp`.
    let plain = [&[2, 4][..], &words(&[LOCAL + 1, LOCAL + 2])].concat();
    assert_eq!(all(&plain, 0b01_01_11, 1), alternating);
    // Two patterns: one sample of the track's group, then two of the fragment's; the rest has none.
    let two = all(&[0x11, 0x12, 0x1a], 0x80, 2);
    assert_eq!(two, [(Some(kid(3)), 1), (Some(kid(2)), 2), (Some(KID), 1)]);
}

#[test]
fn a_wrong_compact_form_is_refused() {
    let local = sgpd(b"seig", &[&with_iv8(1)]);
    let file = |flags, count, table: &[u8]| with(&[&local, &csgp(flags, count, table)]);
    refused_field(&file(0x80, 1, &[0x01, 0x90]), b"csgp", "pattern_length");
    refused_field(
        &file(0x80, 1, &[0x15, 0x90]),
        b"csgp",
        "sum of sample_count",
    );
    refused_field(&file(0x80, 1, &[0x14, 0x90, 0]), b"csgp", "behind the last");
    refused_field(&file(0b01_00_01, 1, &[1, 4, 1]), b"csgp", "flags");
    refused_field(&file(0x80, 1, &[0x14, 0xa0]), b"csgp", "group_description");
    for (count, table) in [(u32::MAX, &[0x14, 0x90][..]), (1, &[0x24]), (1, &[])] {
        let error = refused(&file(0x80, count, table));
        assert!(matches!(error, MediaError::Truncated { .. }), "{error}");
    }
    refused_field(
        &with(&[&local, &full(b"csgp", 1, 0, &[b"seig", &words(&[0])])]),
        b"csgp",
        "version",
    );
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let map = sbgp(b"seig", &[[4, LOCAL + 1]]);
    let of = |sgpd: Vec<u8>| with(&[&sgpd, &map]);
    let several = [&[0x80][..], &with_iv8(1)[1..]].concat();
    let what = Unsupported::SeveralKeysInSample;
    assert!(matches!(
        refused(&of(sgpd(b"seig", &[&several]))),
        MediaError::Unsupported { what: found, .. } if found == what
    ));
    refused_field(
        &of(sgpd(b"seig", &[&seig(0, 2, 8, KID, &[])])),
        b"sgpd",
        "isProtected",
    );
    refused_field(
        &of(sgpd(b"seig", &[&seig(0, 1, 7, KID, &[])])),
        b"sgpd",
        "Per_Sample_IV_Size",
    );
    refused_field(
        &of(sgpd(b"seig", &[&seig(0, 1, 0, KID, &[1; 7])])),
        b"sgpd",
        "constant_IV_size",
    );
    refused_field(
        &of(sgpd(b"seig", &[&[&with_iv8(1)[..], &[0]].concat()])),
        b"sgpd",
        "behind the last field",
    );
    let version_3 = full(b"sgpd", 3, 0, &[b"seig", &words(&[20, 0, 1]), &with_iv8(1)]);
    refused_field(&of(version_3), b"sgpd", "version");
    let many = full(b"sgpd", 1, 0, &[b"seig", &words(&[20, u32::MAX])]);
    refused_field(&of(many), b"sgpd", "entry_count");
    let version_2 = full(b"sbgp", 2, 0, &[b"seig", &words(&[0, 0])]);
    refused_field(&with(&[&version_2]), b"sbgp", "version");
}

#[test]
fn tables_that_contradict_are_refused() {
    let groups = sgpd(b"seig", &[&with_iv8(1)]);
    let five = sbgp(b"seig", &[[4, LOCAL + 1], [1, 0]]);
    refused_field(&with(&[&groups, &five]), b"sbgp", "sum of sample_count");
    let wrapping = sbgp(b"seig", &[[u32::MAX, 0], [5, 0]]);
    refused_field(&with(&[&wrapping]), b"sbgp", "sum of sample_count");
    let map = sbgp(b"seig", &[[4, LOCAL + 1]]);
    for boxes in [
        [&groups, &groups, &map],
        [&groups, &map, &map],
        [&groups, &map, &csgp(0, 0, &[])],
    ] {
        let error = refused(&with(&boxes.map(Vec::as_slice)));
        assert!(matches!(error, MediaError::Repeated { .. }), "{error}");
    }
    let cut = full(b"sbgp", 0, 0, &[b"seig", &words(&[u32::MAX, 1, 0])]);
    assert!(matches!(
        refused(&with(&[&cut])),
        MediaError::Truncated { .. }
    ));
    let behind = full(b"sbgp", 0, 0, &[b"seig", &words(&[0, 1])]);
    refused_field(&with(&[&behind]), b"sbgp", "behind the last field");
}
