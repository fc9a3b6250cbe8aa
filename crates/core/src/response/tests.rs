use keybearer_wire::body::{Description, Empty, Isolation, Message};
use keybearer_wire::field::{Blob, Text};
use keybearer_wire::{decode_response, encode_status};
use proptest::prelude::*;

use super::*;

#[test]
fn every_refusal_is_what_the_codec_writes() {
    for status in Status::ALL {
        assert_eq!(
            *Response::refusal(*status),
            *encode_status(*status).unwrap()
        );
    }
}

proptest! {
    #[test]
    fn the_sample_paths_answer_is_what_the_codec_writes(bytes: u64, sequence: u64) {
        for (bytes, sequence) in [(bytes, sequence), (bytes % 300, sequence % 30), (bytes % (1 << 33), 24)] {
            let answer = Decrypted { bytes, sequence };
            prop_assert_eq!(&*Response::decrypted(&answer), &*encode_answer(&answer).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn a_handles_answer_is_what_the_codec_writes(session: u64) {
        for session in [session, session % 300, u64::MAX] {
            let answer = SessionOpened { session };
            prop_assert_eq!(&*Response::session_opened(&answer), &*encode_answer(&answer).unwrap());
        }
    }
}

#[test]
fn the_empty_answer_is_what_the_codec_writes() {
    assert_eq!(*Response::empty(), *encode_answer(&Empty {}).unwrap());
}

proptest! {
    #[test]
    fn the_answers_of_protected_sessions_are_what_the_codec_writes(
        ticket: [u8; 16], number: u64, track_type: u8, sequence: u64, picture: Option<u32>
    ) {
        let answer = Ticket { ticket };
        prop_assert_eq!(&*Response::ticket(&answer), &*encode_answer(&answer).unwrap());
        for number in [number, number % 300, u64::MAX] {
            let answer = ChannelOpened { channel: number, track_type };
            prop_assert_eq!(&*Response::channel_opened(&answer), &*encode_answer(&answer).unwrap());
            let answer = UnitDecrypted { bytes: number, sequence, largest_picture: picture };
            prop_assert_eq!(&*Response::unit_decrypted(&answer), &*encode_answer(&answer).unwrap());
        }
    }
}

#[test]
fn the_longest_answer_fits() {
    let answer = Decrypted {
        bytes: u64::MAX,
        sequence: u64::MAX,
    };
    let response = Response::decrypted(&answer);
    assert_eq!(*response, *encode_answer(&answer).unwrap());
    assert!(response.len() <= response_limit(Command::Decrypt.code()));
    let answer = UnitDecrypted {
        bytes: u64::MAX,
        sequence: u64::MAX,
        largest_picture: Some(u32::MAX),
    };
    let response = Response::unit_decrypted(&answer);
    assert_eq!(*response, *encode_answer(&answer).unwrap());
    assert!(response.len() <= response_limit(Command::DecryptUnit.code()));
}

/// Pinned: what a host sees when there is no memory to say anything else.
#[test]
fn the_fallback_says_out_of_memory() {
    assert_eq!(*Response(Bytes::Fallback), [0xa1, 0x00, 0x07]);
    let refused = decode_response::<Decrypted>(&Response(Bytes::Fallback)).unwrap();
    assert_eq!(refused, Err(Status::OutOfMemory));
}

#[test]
fn an_answer_that_cannot_be_encoded_falls_back() {
    let long = "x".repeat(100);
    let answer = Description {
        abi: 1,
        version: Text(&long),
        level: 0,
        isolation: Isolation::Tee,
        debug: false,
        counter: None,
        clock: false,
        max_media: 0,
        application_anchors: false,
        protected: true,
    };
    assert_eq!(*Response::answer(&answer), *fallback_response());
    assert_eq!(Response::encoded(&answer).err(), Some(Status::OutOfMemory));
}

/// The largest messages the licence room builds go through.
#[test]
fn a_full_request_fits_a_response() {
    let bytes = alloc::vec![0; keybearer_license::MAX_LICENSE_REQUEST];
    let response = Response::answer(&Message {
        bytes: Blob(&bytes),
    });
    assert!(response.len() > bytes.len());
    assert!(response.len() <= response_limit(Command::BuildRequest.code()));
}
