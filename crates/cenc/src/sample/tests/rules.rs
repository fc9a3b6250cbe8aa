//! A test for each rule, with the part of the sample that shows it looked at by name.

use super::*;

const IV8: [u8; 8] = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
const IV16: [u8; 16] = [0xa5; 16];
const SCHEMES: [Scheme; 4] = [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs];

fn pattern(crypt: u8, skip: u8) -> Pattern {
    Pattern { crypt, skip }
}

/// Numbers of the whole blocks that differ between two samples.
fn changed_blocks(a: &[u8], b: &[u8]) -> Vec<usize> {
    let blocks = a.chunks(16).zip(b.chunks(16)).enumerate();
    blocks
        .filter(|(_, (a, b))| a != b)
        .map(|(number, _)| number)
        .collect()
}

fn decrypt(protection: &SampleProtection<'_>, encrypted: &[u8]) -> Vec<u8> {
    let mut data = encrypted.to_vec();
    ContentKey::new(&KEY)
        .decrypt_sample(protection, &mut data)
        .unwrap();
    data
}

#[test]
fn whole_samples_of_every_size_in_every_scheme() {
    for scheme in SCHEMES {
        for len in (0..200).chain([1023, 1024, 1025, 4096, 5000]) {
            round_trip(scheme, NONE, &IV8, None, &clear(len));
            round_trip(scheme, NONE, &IV16, None, &clear(len));
        }
    }
}

#[test]
fn cenc_keystream_goes_on_within_a_block_from_range_to_range() {
    // Two ranges of 5 and 11 bytes share one keystream block.
    let clear = clear(5 + 3 + 11);
    let split = table(&[(0, 5), (3, 11)]);
    let encrypted = round_trip(Scheme::Cenc, NONE, &IV8, Some(&split), &clear);
    let joined: Vec<u8> = [&clear[..5], &clear[8..]].concat();
    let together = round_trip(Scheme::Cenc, NONE, &IV8, None, &joined);
    assert_eq!([&encrypted[..5], &encrypted[8..]].concat(), together);
}

#[test]
fn cens_keystream_goes_on_over_encrypted_blocks_only_and_the_pattern_starts_anew() {
    let clear = clear(16 * 12);
    let split = table(&[(0, 16 * 5), (16, 16 * 6)]);
    let encrypted = round_trip(Scheme::Cens, pattern(2, 2), &IV8, Some(&split), &clear);
    // 2:2 over 5 blocks, one clear block, then 2:2 from its start over 6 blocks.
    let changed = [0, 1, 4, 6, 7, 10, 11];
    assert_eq!(changed_blocks(&clear, &encrypted), changed);
    // These seven blocks, put side by side, are one plain CTR message.
    let gather = |data: &[u8]| -> Vec<u8> {
        changed
            .iter()
            .flat_map(|block| data[16 * block..][..16].to_vec())
            .collect()
    };
    let together = round_trip(Scheme::Cenc, NONE, &IV8, None, &gather(&clear));
    assert_eq!(gather(&encrypted), together);
}

#[test]
fn cbc1_chains_from_subsample_to_subsample() {
    let clear = clear(32 + 7 + 48);
    let split = table(&[(0, 32), (7, 48)]);
    let encrypted = round_trip(Scheme::Cbc1, NONE, &IV16, Some(&split), &clear);
    let joined: Vec<u8> = [&clear[..32], &clear[39..]].concat();
    let together = round_trip(Scheme::Cbc1, NONE, &IV16, None, &joined);
    assert_eq!([&encrypted[..32], &encrypted[39..]].concat(), together);
}

#[test]
fn cbcs_starts_from_the_iv_at_each_subsample_whatever_the_pattern() {
    // Two subsamples with equal content are equal when encrypted: both start from the IV.
    let half = clear(16 * 25 + 3);
    let both: Vec<u8> = [&half[..], &half[..]].concat();
    let split = table(&[(3, 16 * 25), (3, 16 * 25)]);
    for pattern in [
        pattern(1, 9),
        pattern(5, 5),
        pattern(10, 0),
        pattern(1, 0),
        NONE,
    ] {
        let encrypted = round_trip(Scheme::Cbcs, pattern, &IV16, Some(&split), &both);
        assert_ne!(encrypted[..half.len()], half, "{pattern:?}");
        assert_eq!(
            encrypted[..half.len()],
            encrypted[half.len()..],
            "{pattern:?}"
        );
    }
}

#[test]
fn cbcs_chains_over_skipped_blocks_within_a_subsample() {
    let clear = clear(16 * 21);
    let split = table(&[(0, 16 * 21)]);
    let encrypted = round_trip(Scheme::Cbcs, pattern(1, 9), &IV16, Some(&split), &clear);
    assert_eq!(changed_blocks(&clear, &encrypted), [0, 10, 20]);
    let gather = |data: &[u8]| -> Vec<u8> {
        [0, 10, 20]
            .iter()
            .flat_map(|block| data[16 * block..][..16].to_vec())
            .collect()
    };
    let together = round_trip(Scheme::Cbc1, NONE, &IV16, None, &gather(&clear));
    assert_eq!(gather(&encrypted), together);
}

#[test]
fn an_incomplete_crypt_run_is_protected_as_far_as_whole_blocks_reach() {
    // 5:5 over 13 blocks and a part of one: the second run has 3 whole blocks, not 5.
    for scheme in [Scheme::Cens, Scheme::Cbcs] {
        let clear = clear(16 * 13 + 9);
        let split = table(&[(0, 16 * 13 + 9)]);
        let encrypted = round_trip(scheme, pattern(5, 5), &IV16, Some(&split), &clear);
        assert_eq!(
            changed_blocks(&clear, &encrypted),
            [0, 1, 2, 3, 4, 10, 11, 12],
            "{scheme}"
        );
    }
}

#[test]
fn a_10_0_pattern_encrypts_every_whole_block() {
    for scheme in [Scheme::Cens, Scheme::Cbcs] {
        let clear = clear(16 * 23 + 5);
        let split = table(&[(0, 16 * 23 + 5)]);
        let encrypted = round_trip(scheme, pattern(10, 0), &IV16, Some(&split), &clear);
        assert_eq!(
            changed_blocks(&clear, &encrypted),
            (0..23).collect::<Vec<_>>(),
            "{scheme}"
        );
        assert_eq!(
            encrypted,
            round_trip(scheme, NONE, &IV16, Some(&split), &clear),
            "{scheme}"
        );
    }
}

#[test]
fn a_trailing_partial_block_of_a_whole_sample_is_clear_in_all_schemes_but_cenc() {
    for (scheme, tail_is_clear) in [
        (Scheme::Cenc, false),
        (Scheme::Cens, true),
        (Scheme::Cbc1, true),
        (Scheme::Cbcs, true),
    ] {
        let clear = clear(16 * 4 + 15);
        let encrypted = round_trip(scheme, NONE, &IV16, None, &clear);
        assert_eq!(
            changed_blocks(&clear[..64], &encrypted[..64]),
            [0, 1, 2, 3],
            "{scheme}"
        );
        assert_eq!(clear[64..] == encrypted[64..], tail_is_clear, "{scheme}");
    }
}

#[test]
fn a_whole_sample_below_one_block_is_clear_in_all_schemes_but_cenc() {
    for (scheme, is_clear) in [
        (Scheme::Cenc, false),
        (Scheme::Cens, true),
        (Scheme::Cbc1, true),
        (Scheme::Cbcs, true),
    ] {
        let clear = clear(15);
        let encrypted = round_trip(scheme, NONE, &IV16, None, &clear);
        assert_eq!(clear == encrypted, is_clear, "{scheme}");
    }
}

#[test]
fn the_counter_wraps_at_32_bits_into_byte_11() {
    let mut iv = IV16;
    iv[8..].copy_from_slice(&[0, 0, 0, 7, 0xff, 0xff, 0xff, 0xfe]);
    for scheme in [Scheme::Cenc, Scheme::Cens] {
        let encrypted = round_trip(scheme, NONE, &iv, None, &clear(16 * 200));
        // Block 2 is the first of a sample whose IV is the counter after the carry.
        iv[8..].copy_from_slice(&[0, 0, 0, 8, 0, 0, 0, 0]);
        let after = SampleProtection {
            scheme,
            pattern: NONE,
            iv: &iv,
            subsamples: None,
        };
        assert_eq!(
            decrypt(&after, &encrypted[32..]),
            clear(16 * 200)[32..],
            "{scheme}"
        );
        iv[8..].copy_from_slice(&[0, 0, 0, 7, 0xff, 0xff, 0xff, 0xfe]);
    }
}

#[test]
fn the_counter_wraps_at_64_bits_without_touching_the_upper_half() {
    let mut iv = [0xff; 16];
    iv[15] = 0xfe;
    for scheme in [Scheme::Cenc, Scheme::Cens] {
        let encrypted = round_trip(scheme, NONE, &iv, None, &clear(16 * 200));
        // Block 2 has counter zero and the upper half as it was: what the 8-byte IV stands for.
        let after = SampleProtection {
            scheme,
            pattern: NONE,
            iv: &[0xff; 8],
            subsamples: None,
        };
        assert_eq!(
            decrypt(&after, &encrypted[32..]),
            clear(16 * 200)[32..],
            "{scheme}"
        );
    }
}

#[test]
fn an_8_byte_iv_counts_from_zero_past_byte_boundaries() {
    for scheme in [Scheme::Cenc, Scheme::Cens] {
        round_trip(scheme, NONE, &[0xff; 8], None, &clear(16 * 70_000));
    }
}

#[test]
fn a_constant_iv_of_8_bytes_is_zero_padded() {
    let mut padded = [0; 16];
    padded[..8].copy_from_slice(&IV8);
    let clear = clear(16 * 30);
    for scheme in [Scheme::Cbc1, Scheme::Cbcs] {
        let short = round_trip(scheme, NONE, &IV8, None, &clear);
        assert_eq!(
            short,
            round_trip(scheme, NONE, &padded, None, &clear),
            "{scheme}"
        );
    }
}

#[test]
fn more_than_255_subsamples() {
    let entries: Vec<(u32, u32)> = (0..1000).map(|i| (i % 7, 16 * (i % 23))).collect();
    let table = table(&entries);
    let len: u32 = entries
        .iter()
        .map(|(clear, protected)| clear + protected)
        .sum();
    for scheme in SCHEMES {
        round_trip(scheme, NONE, &IV16, Some(&table), &clear(len as usize));
    }
}

#[test]
fn empty_ranges_and_empty_entries_change_nothing() {
    let with = table(&[(0, 0), (5, 0), (3, 32), (0, 0), (0, 48), (9, 0)]);
    let without = table(&[(8, 32), (0, 48), (9, 0)]);
    for scheme in SCHEMES {
        let clear = clear(97);
        let encrypted = round_trip(scheme, NONE, &IV16, Some(&with), &clear);
        let same = round_trip(scheme, NONE, &IV16, Some(&without), &clear);
        assert_eq!(encrypted, same, "{scheme}");
    }
}

#[test]
fn samples_without_bytes() {
    for scheme in SCHEMES {
        round_trip(scheme, NONE, &IV8, None, &[]);
        round_trip(scheme, NONE, &IV8, Some(&[]), &[]);
        round_trip(scheme, NONE, &IV8, Some(&table(&[(0, 0)])), &[]);
    }
}

#[test]
fn a_sample_of_clear_bytes_only_stays_as_it_is() {
    for scheme in SCHEMES {
        let clear = clear(77);
        let encrypted = round_trip(scheme, NONE, &IV8, Some(&table(&[(77, 0)])), &clear);
        assert_eq!(clear, encrypted, "{scheme}");
    }
}

#[test]
fn keys_made_of_nul_bytes_are_keys_like_others() {
    let protection = SampleProtection {
        scheme: Scheme::Cenc,
        pattern: NONE,
        iv: &IV8,
        subsamples: None,
    };
    let mut tail_only = [0; 16];
    tail_only[15] = 1;
    for key in [[0; 16], tail_only] {
        let clear = clear(100);
        let mut data = reference::encrypt(&key, &protection, &clear);
        ContentKey::new(&key)
            .decrypt_sample(&protection, &mut data)
            .unwrap();
        assert_eq!(data, clear);
    }
}
