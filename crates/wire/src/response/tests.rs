use keybearer_cbor::Error;

use super::*;
use crate::body::{Describe, Empty, SessionOpened};
use crate::field::Body;

#[test]
fn the_fallback_is_the_refusal_it_stands_for() {
    assert_eq!(
        fallback_response(),
        encode_status(Status::OutOfMemory).unwrap()
    );
}

#[test]
fn answers_and_refusals_come_back() {
    let answer = SessionOpened {
        session: 0x0102_0304_0506_0708,
    };
    let bytes = encode_answer(&answer).unwrap();
    // {0: 0, 1: {0: 0x0102030405060708}}, by hand from RFC 8949 section 3.
    assert_eq!(
        bytes,
        b"\xa2\x00\x00\x01\xa1\x00\x1b\x01\x02\x03\x04\x05\x06\x07\x08"
    );
    assert_eq!(decode_response::<SessionOpened>(&bytes), Ok(Ok(answer)));

    for status in Status::ALL.iter().copied().filter(|s| *s != Status::Ok) {
        let bytes = encode_status(status).unwrap();
        assert_eq!(decode_response::<SessionOpened>(&bytes), Ok(Err(status)));
    }
}

/// What a response must not be, each with the error that names it.
#[test]
fn other_frames_are_refused() {
    let cases: &[(&[u8], Error)] = &[
        (b"", Error::Truncated),
        (b"\xa0", Error::MissingKey(0)),
        (b"\xa1\x00\x00", Error::MissingKey(1)), // success without an answer
        (b"\xa1\x01\xa0", Error::MissingKey(0)), // an answer without a status
        (b"\xa2\x00\x01\x01\xa0", Error::UnknownKey(1)), // a refusal with an answer
        (b"\xa1\x00\x18\x1f", Error::Value),     // a status nobody knows
        (b"\xa1\x00\x1a\x00\x01\x00\x00", Error::Range), // a status beyond 16 bits
        (b"\xa1\x00\x18\x07", Error::NonMinimal),
        (b"\xa1\x00\x07\x00", Error::TrailingBytes),
        (b"\xa3\x00\x00\x01\xa0\x02\x00", Error::UnknownKey(2)),
    ];
    for (bytes, error) in cases {
        assert_eq!(decode_response::<Empty>(bytes), Err(*error), "{bytes:02x?}");
    }
}

#[test]
fn an_answer_beyond_the_limit_is_not_encoded() {
    struct Huge;
    impl<'a> crate::field::Field<'a> for Huge {
        fn write(&self, encoder: &mut keybearer_cbor::Encoder) -> Result<(), Error> {
            encoder.bytes(&[0; MAX_RESPONSE])
        }
        fn read(_: &mut keybearer_cbor::Decoder<'a>) -> Result<Self, Error> {
            Ok(Self)
        }
    }
    impl Body<'_> for Huge {}
    assert_eq!(encode_answer(&Huge), Err(Error::SizeCap));
    assert_eq!(Describe {}.encode(0), Err(Error::SizeCap));
}
