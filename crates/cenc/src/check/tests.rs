use std::string::ToString;
use std::vec;

use super::*;

const NONE: Pattern = Pattern { crypt: 0, skip: 0 };
const ONE_NINE: Pattern = Pattern { crypt: 1, skip: 9 };
const SCHEMES: [Scheme; 4] = [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs];

fn whole(scheme: Scheme, pattern: Pattern, iv_size: usize) -> Result<(), CencError> {
    check(scheme, pattern, iv_size, 100, None::<[Subsample; 0]>)
}

fn table(scheme: Scheme, sample_size: u64, entries: &[(u32, u32)]) -> Result<(), CencError> {
    let entries = entries
        .iter()
        .map(|&(clear, protected)| Subsample { clear, protected });
    check(scheme, NONE, 16, sample_size, Some(entries))
}

#[test]
fn iv_sizes_other_than_8_and_16_are_refused() {
    for scheme in SCHEMES {
        for size in [0, 1, 7, 9, 12, 15, 17, 32, usize::MAX] {
            assert_eq!(
                whole(scheme, NONE, size),
                Err(CencError::IvSize { found: size })
            );
        }
        assert_eq!(whole(scheme, NONE, 8), Ok(()));
        assert_eq!(whole(scheme, NONE, 16), Ok(()));
    }
}

#[test]
fn pattern_counts_above_15_are_refused() {
    for scheme in SCHEMES {
        for (crypt, skip) in [(16, 0), (0, 16), (1, 255), (255, 1)] {
            let refused = Err(CencError::PatternRange { crypt, skip });
            assert_eq!(whole(scheme, Pattern { crypt, skip }, 8), refused);
        }
    }
    assert_eq!(
        whole(
            Scheme::Cbcs,
            Pattern {
                crypt: 15,
                skip: 15
            },
            8
        ),
        Ok(())
    );
}

#[test]
fn a_pattern_in_cenc_or_cbc1_is_refused() {
    for scheme in [Scheme::Cenc, Scheme::Cbc1] {
        for (crypt, skip) in [(1, 9), (10, 0), (0, 1)] {
            let refused = Err(CencError::PatternNotAllowed {
                scheme,
                crypt,
                skip,
            });
            assert_eq!(whole(scheme, Pattern { crypt, skip }, 16), refused);
        }
    }
    for scheme in [Scheme::Cens, Scheme::Cbcs] {
        assert_eq!(whole(scheme, ONE_NINE, 16), Ok(()));
    }
}

#[test]
fn a_pattern_that_encrypts_nothing_is_refused() {
    for scheme in [Scheme::Cens, Scheme::Cbcs] {
        let refused = Err(CencError::PatternEncryptsNothing { skip: 9 });
        assert_eq!(whole(scheme, Pattern { crypt: 0, skip: 9 }, 8), refused);
    }
}

#[test]
fn a_table_must_cover_the_sample_exactly() {
    for scheme in SCHEMES {
        assert_eq!(table(scheme, 57, &[(9, 32), (0, 16)]), Ok(()));
        for sample in [0, 56, 58] {
            let refused = Err(CencError::SubsampleTotal {
                covered: 57,
                sample,
            });
            assert_eq!(table(scheme, sample, &[(9, 32), (0, 16)]), refused);
        }
    }
}

#[test]
fn an_empty_table_fits_only_an_empty_sample() {
    for scheme in SCHEMES {
        assert_eq!(table(scheme, 0, &[]), Ok(()));
        let refused = Err(CencError::SubsampleTotal {
            covered: 0,
            sample: 1,
        });
        assert_eq!(table(scheme, 1, &[]), refused);
    }
}

#[test]
fn sums_above_32_bits_are_not_cut_short() {
    // Three entries whose sizes, cut to 32 bits, would add up to 13.
    let entries = [(u32::MAX, u32::MAX), (u32::MAX, u32::MAX), (u32::MAX, 16)];
    let covered = 5 * u64::from(u32::MAX) + 16;
    assert_eq!(table(Scheme::Cenc, covered, &entries), Ok(()));
    let refused = Err(CencError::SubsampleTotal {
        covered,
        sample: covered & 0xffff_ffff,
    });
    assert_eq!(
        table(Scheme::Cenc, covered & 0xffff_ffff, &entries),
        refused
    );
}

#[test]
fn sums_above_64_bits_are_refused() {
    // A table of 2^31 entries takes a while, so the sum is shown to be checked by its parts.
    let overflow = Err(CencError::SubsampleOverflow { sample: 7 });
    assert_eq!(add(u64::MAX, 1, 0, 7), overflow);
    assert_eq!(add(u64::MAX - 1, 1, 1, 7), overflow);
    assert_eq!(add(u64::MAX - 2, 1, 1, 7), Ok(u64::MAX));
}

#[test]
fn a_partial_block_in_a_cbc1_range_is_refused() {
    for odd in [1, 15, 17, 20, 4_294_967_295] {
        let refused = Err(CencError::PartialBlock {
            protected: odd.into(),
        });
        assert_eq!(
            table(Scheme::Cbc1, u64::from(odd) + 21, &[(5, 16), (0, odd)]),
            refused
        );
    }
}

#[test]
fn a_partial_block_in_a_range_of_another_scheme_is_allowed() {
    for scheme in [Scheme::Cenc, Scheme::Cens, Scheme::Cbcs] {
        assert_eq!(table(scheme, 36, &[(0, 17), (0, 19)]), Ok(()));
    }
}

#[test]
fn a_whole_sample_of_any_size_is_allowed() {
    for scheme in SCHEMES {
        for size in [0, 1, 15, 16, 17, u64::MAX] {
            assert_eq!(
                check(scheme, NONE, 16, size, None::<[Subsample; 0]>),
                Ok(())
            );
        }
    }
}

#[test]
fn an_8_byte_iv_is_the_upper_half() {
    let expected = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(expand_iv(&[1, 2, 3, 4, 5, 6, 7, 8]), Ok(expected.into()));
    assert_eq!(expand_iv(&[9; 16]), Ok([9; 16].into()));
    assert_eq!(expand_iv(&[9; 12]), Err(CencError::IvSize { found: 12 }));
}

#[test]
fn messages_say_what_was_found_and_what_was_expected() {
    let scheme = Scheme::Cbc1;
    let messages = vec![
        (
            CencError::IvSize { found: 12 },
            "the initialization vector has 12 bytes, expected 8 or 16",
        ),
        (
            CencError::PatternNotAllowed {
                scheme,
                crypt: 1,
                skip: 9,
            },
            "scheme cbc1 came with pattern 1:9, expected none (0:0)",
        ),
        (
            CencError::SubsampleTotal {
                covered: 57,
                sample: 56,
            },
            "the subsample table covers 57 bytes, expected the sample's 56",
        ),
        (
            CencError::PartialBlock { protected: 20 },
            "a cbc1 protected range has 20 bytes, expected a multiple of 16",
        ),
    ];
    for (error, message) in messages {
        assert_eq!(error.to_string(), message);
    }
}
