//! One test for each way in which bytes can be wrong.

use alloc::vec;
use alloc::vec::Vec;

use crate::{Decoder, Error, MAX_DEPTH, decode};

/// What a reader without a schema says to `bytes`.
fn refusal(bytes: &[u8]) -> Option<Error> {
    decode(bytes, 4096, Decoder::raw).err()
}

#[test]
fn integer_one_byte_too_wide() {
    assert_eq!(refusal(&[0x18, 23]), Some(Error::NonMinimal));
    assert_eq!(refusal(&[0x38, 23]), Some(Error::NonMinimal));
}

#[test]
fn integer_two_bytes_for_one() {
    assert_eq!(refusal(&[0x19, 0, 255]), Some(Error::NonMinimal));
}

#[test]
fn integer_four_bytes_for_two() {
    assert_eq!(refusal(&[0x1a, 0, 0, 255, 255]), Some(Error::NonMinimal));
}

#[test]
fn integer_eight_bytes_for_four() {
    let wide = [0x1b, 0, 0, 0, 0, 255, 255, 255, 255];
    assert_eq!(refusal(&wide), Some(Error::NonMinimal));
}

#[test]
fn length_of_a_string_too_wide() {
    assert_eq!(refusal(&[0x58, 1, 0]), Some(Error::NonMinimal));
    assert_eq!(refusal(&[0x78, 1, b'a']), Some(Error::NonMinimal));
}

#[test]
fn count_of_a_container_too_wide() {
    assert_eq!(refusal(&[0x98, 1, 0]), Some(Error::NonMinimal));
    assert_eq!(refusal(&[0xb8, 1, 0, 0]), Some(Error::NonMinimal));
}

#[test]
fn map_key_too_wide() {
    assert_eq!(refusal(&[0xa1, 0x18, 1, 0]), Some(Error::NonMinimal));
}

#[test]
fn two_byte_false() {
    assert_eq!(refusal(&[0xf8, 20]), Some(Error::NonMinimal));
}

#[test]
fn indefinite_strings_and_containers() {
    for first in [0x5f, 0x7f, 0x9f, 0xbf] {
        assert_eq!(refusal(&[first, 0xff]), Some(Error::Indefinite));
    }
}

#[test]
fn break_without_beginning() {
    assert_eq!(refusal(&[0xff]), Some(Error::Indefinite));
}

#[test]
fn indefinite_integer() {
    assert_eq!(refusal(&[0x1f]), Some(Error::Indefinite));
    assert_eq!(refusal(&[0x3f]), Some(Error::Indefinite));
}

#[test]
fn reserved_information() {
    for major in [0, 1, 2, 3, 4, 5, 7] {
        for info in 28..=30 {
            assert_eq!(refusal(&[major << 5 | info]), Some(Error::ReservedInfo));
        }
    }
}

#[test]
fn duplicate_key() {
    assert_eq!(refusal(&[0xa2, 5, 0, 5, 1]), Some(Error::DuplicateKey(5)));
    assert_eq!(
        refusal(&[0xa2, 0x20, 0, 0x20, 1]),
        Some(Error::DuplicateKey(-1))
    );
}

#[test]
fn unordered_key() {
    assert_eq!(refusal(&[0xa2, 2, 0, 1, 0]), Some(Error::UnorderedKey(1)));
}

#[test]
fn negative_key_before_positive() {
    assert_eq!(
        refusal(&[0xa2, 0x20, 0, 1, 0]),
        Some(Error::UnorderedKey(1))
    );
}

#[test]
fn negative_keys_ascending() {
    // -2 before -1 is the numeric order, and not that of the encoded bytes.
    assert_eq!(
        refusal(&[0xa2, 0x21, 0, 0x20, 0]),
        Some(Error::UnorderedKey(-1))
    );
}

#[test]
fn unknown_key() {
    let closed = |bytes: &[u8]| decode(bytes, 64, |d| d.map(|m| m.optional(2, Decoder::uint)));
    assert_eq!(closed(&[0xa1, 1, 0]), Err(Error::UnknownKey(1)));
    assert_eq!(closed(&[0xa1, 3, 0]), Err(Error::UnknownKey(3)));
    assert_eq!(closed(&[0xa2, 2, 0, 3, 0]), Err(Error::UnknownKey(3)));
    assert_eq!(closed(&[0xa1, 0x20, 0]), Err(Error::UnknownKey(-1)));
}

#[test]
fn key_outside_the_extension_range() {
    let open = |bytes: &[u8]| {
        decode(bytes, 64, |d| {
            d.map_extensible(100..=199, |m| m.optional(2, Decoder::uint))
        })
    };
    assert_eq!(open(&[0xa2, 2, 7, 0x18, 100, 0]), Ok(Some(7)));
    assert_eq!(open(&[0xa1, 0x18, 199, 0]), Ok(None));
    assert_eq!(open(&[0xa1, 0x18, 99, 0]), Err(Error::UnknownKey(99)));
    assert_eq!(open(&[0xa1, 0x18, 200, 0]), Err(Error::UnknownKey(200)));
}

#[test]
fn malformed_extension() {
    let read = |value: &[u8]| {
        let bytes = [&[0xa1, 0x18, 100], value].concat();
        decode(&bytes, 64, |d| d.map_extensible(100..=199, |_| Ok(())))
    };
    assert_eq!(read(&[0xc0, 0]), Err(Error::Tag));
    assert_eq!(read(&[0x18, 1]), Err(Error::NonMinimal));
    assert_eq!(read(&[0xa2, 1, 0, 1, 0]), Err(Error::DuplicateKey(1)));
}

#[test]
fn missing_key() {
    let read = |bytes: &[u8]| decode(bytes, 64, |d| d.map(|m| m.required(2, Decoder::uint)));
    assert_eq!(read(&[0xa0]), Err(Error::MissingKey(2)));
    assert_eq!(read(&[0xa1, 3, 0]), Err(Error::MissingKey(2)));
}

#[test]
fn key_of_another_type() {
    for key in [&[0x60][..], &[0x40], &[0xf5], &[0xf6], &[0x80], &[0xa0]] {
        let bytes = [&[0xa1], key, &[0]].concat();
        assert_eq!(refusal(&bytes), Some(Error::KeyType), "{key:02x?}");
    }
}

#[test]
fn key_beyond_64_bits() {
    for first in [0x1b, 0x3b] {
        let bytes = [0xa1, first, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(refusal(&bytes), Some(Error::KeyType));
    }
}

#[test]
fn trailing_bytes() {
    assert_eq!(refusal(&[0, 0]), Some(Error::TrailingBytes));
    assert_eq!(refusal(&[0x80, 0xff]), Some(Error::TrailingBytes));
}

#[test]
fn tag() {
    assert_eq!(refusal(&[0xc0, 0x60]), Some(Error::Tag));
    assert_eq!(refusal(&[0xd2, 0x80]), Some(Error::Tag));
    // Self-described CBOR (RFC 8949 section 3.4.6).
    assert_eq!(refusal(&[0xd9, 0xd9, 0xf7, 0]), Some(Error::Tag));
}

#[test]
fn float() {
    assert_eq!(refusal(&[0xf9, 0, 0]), Some(Error::Float));
    assert_eq!(refusal(&[0xfa, 0, 0, 0, 0]), Some(Error::Float));
    assert_eq!(refusal(&[0xfb, 0, 0, 0, 0, 0, 0, 0, 0]), Some(Error::Float));
}

#[test]
fn undefined() {
    assert_eq!(refusal(&[0xf7]), Some(Error::Simple));
}

#[test]
fn simple_values() {
    for value in 0..20 {
        assert_eq!(refusal(&[0xe0 | value]), Some(Error::Simple));
    }
    for value in 24..=255 {
        assert_eq!(refusal(&[0xf8, value]), Some(Error::Simple));
    }
}

#[test]
fn null_unasked() {
    let null = &[0xf6];
    assert_eq!(decode(null, 1, Decoder::uint), Err(Error::UnexpectedNull));
    assert_eq!(decode(null, 1, Decoder::int), Err(Error::UnexpectedNull));
    assert_eq!(decode(null, 1, Decoder::bool), Err(Error::UnexpectedNull));
    assert_eq!(decode(null, 1, |d| d.bytes(1)), Err(Error::UnexpectedNull));
    assert_eq!(
        decode(null, 1, |d| d.map(|_| Ok(()))),
        Err(Error::UnexpectedNull)
    );
}

#[test]
fn text_not_utf8() {
    assert_eq!(refusal(&[0x61, 0xff]), Some(Error::Utf8));
    // A surrogate, an overlong form, and a character cut in the middle.
    assert_eq!(refusal(&[0x63, 0xed, 0xa0, 0x80]), Some(Error::Utf8));
    assert_eq!(refusal(&[0x62, 0xc0, 0x80]), Some(Error::Utf8));
    assert_eq!(refusal(&[0x61, 0xc3]), Some(Error::Utf8));
}

#[test]
fn empty_input() {
    assert_eq!(refusal(&[]), Some(Error::Truncated));
}

#[test]
fn cut_at_every_byte() {
    // Map, array, both strings and every width of integer; no prefix of it is an item.
    let whole = hex::decode("a4011864021903e8031a000f424004831b000000e8d4a5100043010203636b6579")
        .expect("hexadecimal");
    assert_eq!(refusal(&whole), None);
    for end in 0..whole.len() {
        let error = refusal(&whole[..end]);
        assert!(
            matches!(error, Some(Error::Truncated | Error::LengthBeyondInput)),
            "{end}: {error:?}"
        );
    }
}

#[test]
fn length_beyond_input() {
    assert_eq!(refusal(&[0x42, 0]), Some(Error::LengthBeyondInput));
    assert_eq!(refusal(&[0x62, b'a']), Some(Error::LengthBeyondInput));
    assert_eq!(refusal(&[0x82, 0]), Some(Error::LengthBeyondInput));
    assert_eq!(refusal(&[0xa1, 0]), Some(Error::LengthBeyondInput));
}

#[test]
fn length_beyond_any_memory() {
    for first in [0x5b, 0x7b, 0x9b, 0xbb] {
        let bytes = [first, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(refusal(&bytes), Some(Error::LengthBeyondInput));
    }
    // The count alone must not make `list` reserve memory.
    let bytes = [0x9b, 255, 255, 255, 255, 255, 255, 255, 255];
    assert_eq!(
        decode(&bytes, 64, |d| d.list(usize::MAX, Decoder::uint)),
        Err(Error::LengthBeyondInput)
    );
}

/// `levels` arrays, or maps with key 0, inside one another around an empty array.
fn nested(levels: usize, maps: bool) -> Vec<u8> {
    let mut bytes = vec![];
    for _ in 1..levels {
        bytes.extend_from_slice(if maps { &[0xa1, 0] } else { &[0x81] });
    }
    bytes.push(0x80);
    bytes
}

#[test]
fn too_deep() {
    for maps in [false, true] {
        assert_eq!(refusal(&nested(MAX_DEPTH, maps)), None);
        assert_eq!(refusal(&nested(MAX_DEPTH + 1, maps)), Some(Error::Depth));
        // Far deeper than the stack would bear.
        assert_eq!(
            decode(&nested(1_000_000, maps), 4_000_000, Decoder::raw),
            Err(Error::Depth)
        );
    }
}

/// What stands beside a container is no deeper for it, however many there are.
#[test]
fn too_deep_counts_what_is_around_and_not_what_is_beside() {
    for empty in [0x80, 0xa0] {
        let beside = |last: &[u8]| {
            let mut bytes = vec![0x94];
            bytes.extend([empty; 19]);
            bytes.extend(last);
            refusal(&bytes)
        };
        assert_eq!(beside(&nested(MAX_DEPTH - 1, false)), None);
        assert_eq!(beside(&nested(MAX_DEPTH, false)), Some(Error::Depth));
    }
}

#[test]
fn larger_than_the_message_cap() {
    assert_eq!(
        decode(&[0x42, 0, 0], 2, |d| d.bytes(2)),
        Err(Error::SizeCap)
    );
    assert_eq!(decode(&[0x42, 0, 0], 3, |d| d.bytes(2)), Ok(&[0, 0][..]));
}

#[test]
fn larger_than_the_string_cap() {
    assert_eq!(
        decode(&[0x42, 0, 0], 3, |d| d.bytes(1)),
        Err(Error::SizeCap)
    );
    assert_eq!(
        decode(&[0x62, b'a', b'b'], 3, |d| d.text(1)),
        Err(Error::SizeCap)
    );
}

#[test]
fn another_type() {
    assert_eq!(decode(&[0x20], 1, Decoder::uint), Err(Error::Type));
    assert_eq!(decode(&[0x40], 1, Decoder::uint), Err(Error::Type));
    assert_eq!(decode(&[0x40], 1, Decoder::int), Err(Error::Type));
    assert_eq!(decode(&[0x00], 1, Decoder::bool), Err(Error::Type));
    assert_eq!(decode(&[0xf5], 1, Decoder::null), Err(Error::Type));
    assert_eq!(decode(&[0x60], 1, |d| d.bytes(1)), Err(Error::Type));
    assert_eq!(decode(&[0x40], 1, |d| d.text(1)), Err(Error::Type));
    assert_eq!(
        decode(&[0xa0], 1, |d| d.list(1, Decoder::uint)),
        Err(Error::Type)
    );
    assert_eq!(decode(&[0x80], 1, |d| d.map(|_| Ok(()))), Err(Error::Type));
}

#[test]
fn integer_out_of_range() {
    assert_eq!(decode(&[0x19, 1, 0], 3, Decoder::u8), Err(Error::Range));
    assert_eq!(
        decode(&[0x1a, 0, 1, 0, 0], 5, Decoder::u16),
        Err(Error::Range)
    );
    let beyond_32 = [0x1b, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(decode(&beyond_32, 9, Decoder::u32), Err(Error::Range));
    for first in [0x1b, 0x3b] {
        let beyond_63 = [first, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode(&beyond_63, 9, Decoder::int), Err(Error::Range));
    }
}

#[test]
fn fixed_string_of_another_length() {
    assert_eq!(
        decode(&[0x41, 0], 2, Decoder::bytes_fixed::<2>),
        Err(Error::Range)
    );
    assert_eq!(
        decode(&[0x43, 0, 0, 0], 4, Decoder::bytes_fixed::<2>),
        Err(Error::Range)
    );
}

#[test]
fn array_of_another_length() {
    let pair = |d: &mut Decoder<'_>| {
        d.array(2..=2, |a| {
            Ok((a.item(Decoder::uint)?, a.item(Decoder::uint)?))
        })
    };
    assert_eq!(decode(&[0x82, 1, 2], 3, pair), Ok((1, 2)));
    assert_eq!(decode(&[0x81, 1], 2, pair), Err(Error::Count));
    assert_eq!(decode(&[0x83, 1, 2, 3], 4, pair), Err(Error::Count));
}

#[test]
fn list_over_its_cap() {
    assert_eq!(
        decode(&[0x82, 1, 2], 3, |d| d.list(1, Decoder::uint)),
        Err(Error::Count)
    );
}
