//! The encoding: golden bytes, the way back, and refusals.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use keybearer_cbor::{Error, decode, encode};
use proptest::prelude::*;

use super::policies;
use crate::{
    AnalogVideo, CgmsA, CompressedVideo, DigitalAudio, DigitalVideo, Hdcp, Level, MinSecurity,
    OutputPolicy, Permission, Persistence, PictureLimit, Recording, SecureMediaPath,
    TrustedOutputs, Type1Version, Watermark,
};

const CAP: usize = OutputPolicy::MAX_ENCODED;

/// [`OutputPolicy::UNSPECIFIED`], written down by hand: a map of 23, key and value in turn.
const UNSPECIFIED: &str = "b7\
    0100 0200 0300 04f6 0500 0600 0700 0800 0900 0af4 0bf4 0c00 \
    0d00 0e00 0f00 1000 1100 1200 1300 1400 1500 1600 1701";

/// The policy of [`strict`], written down by hand.
const STRICT: &str = "b7\
    0103 0204 0305 0401 0503 0603 0704 0803 0903 0af5 0bf5 0c1a0007ef40 \
    0df6 0e1affffffff 0f197080 1002 1101 1202 1302 1402 1502 1602 1702";

fn strict() -> OutputPolicy {
    OutputPolicy {
        min_security: MinSecurity::AtLeast(Level::Medium),
        digital_video: DigitalVideo::HdcpRequired(Hdcp::Type1(Type1Version::V2_3)),
        compressed_digital_video: CompressedVideo::Block,
        digital_audio_uncompressed: DigitalAudio::HdcpRequired,
        digital_audio_compressed: DigitalAudio::Block,
        analog_video: AnalogVideo::CgmsRequired(CgmsA::CopyNever),
        agc: true,
        color_stripe: true,
        max_res_analog: pixels(crate::CONSTRAINED_PIXELS),
        max_res_uncompressed_digital: PictureLimit::Unlimited,
        max_res_compressed_digital: pixels(u32::MAX),
        max_res_device: pixels(28_800),
        airplay: Permission::Block,
        av_adapter: Permission::Allow,
        export_dtcp: Permission::Block,
        recording: Recording::Restricted,
        watermark: Watermark::Forbidden,
        persistence: Persistence::Forbidden,
        secure_media_path: SecureMediaPath::Required,
        trusted_outputs: TrustedOutputs::Required,
    }
}

fn pixels(pixels: u32) -> PictureLimit {
    PictureLimit::Pixels(NonZeroU32::new(pixels).expect("not zero"))
}

fn bytes(golden: &str) -> Vec<u8> {
    hex::decode(golden.replace(' ', "")).expect("hexadecimal")
}

fn read(bytes: &[u8]) -> Result<OutputPolicy, Error> {
    decode(bytes, CAP, OutputPolicy::decode)
}

#[test]
fn golden_encodings() {
    for (policy, golden) in [(OutputPolicy::UNSPECIFIED, UNSPECIFIED), (strict(), STRICT)] {
        assert_eq!(encode(CAP, |e| policy.encode(e)), Ok(bytes(golden)));
        assert_eq!(read(&bytes(golden)), Ok(policy));
    }
}

#[test]
fn longest_encoding() {
    let longest = OutputPolicy {
        max_res_analog: pixels(u32::MAX),
        max_res_uncompressed_digital: pixels(u32::MAX),
        max_res_compressed_digital: pixels(u32::MAX),
        max_res_device: pixels(u32::MAX),
        ..strict()
    };
    let bytes = encode(CAP, |e| longest.encode(e)).expect("fits the cap");
    assert_eq!(bytes.len(), OutputPolicy::MAX_ENCODED);
}

/// The map of a golden encoding as key and value bytes.
fn entries(golden: &str) -> Vec<Vec<u8>> {
    golden["b7".len()..]
        .split(' ')
        .filter(|entry| !entry.is_empty())
        .map(|entry| hex::decode(entry).expect("hexadecimal"))
        .collect()
}

fn map(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(entries.len()).expect("few entries");
    let head = if count < 24 {
        [0xa0 | count].to_vec()
    } else {
        [0xb8, count].to_vec()
    };
    [head, entries.concat()].concat()
}

#[test]
fn a_missing_field_is_refused() {
    for missing in 0..23 {
        let mut entries = entries(UNSPECIFIED);
        let key = i64::from(entries.remove(missing)[0]);
        // The next key is met first, except after the last one.
        assert_eq!(read(&map(&entries)), Err(Error::MissingKey(key)));
    }
}

#[test]
fn an_additional_field_is_refused() {
    let mut entries = entries(UNSPECIFIED);
    entries.push([0x18, 24, 0].to_vec());
    assert_eq!(
        decode(&map(&entries), CAP + 4, OutputPolicy::decode),
        Err(Error::UnknownKey(24))
    );
}

/// With the value of `key` replaced, in a policy where it does not clash with another field.
fn with(golden: &str, key: u8, value: &[u8]) -> Vec<u8> {
    let mut entries = entries(golden);
    entries[usize::from(key) - 1] = [&[key], value].concat();
    map(&entries)
}

#[test]
fn unknown_codes_are_refused() {
    for (key, codes) in [
        (1, 6),
        (2, 6),
        (5, 4),
        (6, 5),
        (7, 5),
        (8, 5),
        (16, 3),
        (17, 3),
        (18, 3),
        (19, 3),
        (20, 3),
        (21, 3),
        (22, 3),
        (23, 3),
    ] {
        for code in codes..=23 {
            assert_eq!(
                read(&with(UNSPECIFIED, key, &[code])),
                Err(Error::Value),
                "key {key}"
            );
        }
        assert_eq!(
            read(&with(UNSPECIFIED, key, &[0x19, 1, 0])),
            Err(Error::Range)
        );
    }
    for code in 6..=23 {
        assert_eq!(read(&with(STRICT, 3, &[code])), Err(Error::Value));
    }
    for code in 2..=23 {
        assert_eq!(read(&with(STRICT, 4, &[code])), Err(Error::Value));
    }
    for code in 4..=23 {
        assert_eq!(read(&with(STRICT, 9, &[code])), Err(Error::Value));
    }
}

#[test]
fn trusted_outputs_are_never_unspecified() {
    assert_eq!(read(&with(UNSPECIFIED, 23, &[0])), Err(Error::Value));
}

#[test]
fn hdcp_only_where_it_is_asked_for() {
    // A version or a type beside "unspecified".
    assert_eq!(read(&with(UNSPECIFIED, 3, &[1])), Err(Error::Value));
    assert_eq!(read(&with(UNSPECIFIED, 4, &[0])), Err(Error::Value));
    // "Required", and then no version or no type.
    assert_eq!(read(&with(STRICT, 3, &[0])), Err(Error::Value));
    assert_eq!(read(&with(STRICT, 4, &[0xf6])), Err(Error::Value));
    // HDCP beside "any" and "block".
    assert_eq!(read(&with(STRICT, 2, &[1])), Err(Error::Value));
    assert_eq!(read(&with(STRICT, 2, &[5])), Err(Error::Value));
}

#[test]
fn stream_type_1_needs_version_2_2() {
    for (version, accepted) in [(1, false), (2, false), (3, false), (4, true), (5, true)] {
        assert_eq!(
            read(&with(STRICT, 3, &[version])).is_ok(),
            accepted,
            "{version}"
        );
    }
}

#[test]
fn cgms_a_only_where_it_is_asked_for() {
    assert_eq!(read(&with(UNSPECIFIED, 9, &[1])), Err(Error::Value));
    assert_eq!(read(&with(STRICT, 9, &[0])), Err(Error::Value));
    assert_eq!(read(&with(STRICT, 8, &[4])), Err(Error::Value));
}

#[test]
fn a_limit_beyond_32_bits_is_refused() {
    let beyond = [0x1b, 0, 0, 0, 1, 0, 0, 0, 0];
    assert_eq!(
        decode(
            &with(UNSPECIFIED, 12, &beyond),
            CAP + 8,
            OutputPolicy::decode
        ),
        Err(Error::Range)
    );
}

#[test]
fn booleans_are_booleans() {
    assert_eq!(read(&with(UNSPECIFIED, 10, &[1])), Err(Error::Type));
    assert_eq!(
        read(&with(UNSPECIFIED, 11, &[0xf6])),
        Err(Error::UnexpectedNull)
    );
}

proptest! {
    #[test]
    fn every_policy_comes_back(policy in policies()) {
        let bytes = encode(CAP, |e| policy.encode(e)).expect("fits the cap");
        prop_assert_eq!(read(&bytes), Ok(policy));
    }

    #[test]
    fn what_is_accepted_has_one_encoding(
        policy in policies(),
        place in 0..CAP,
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(CAP, |e| policy.encode(e)).expect("fits the cap");
        let place = place % bytes.len();
        bytes[place] = byte;
        if let Ok(policy) = read(&bytes) {
            prop_assert_eq!(encode(CAP, |e| policy.encode(e)), Ok(bytes));
        }
    }
}
