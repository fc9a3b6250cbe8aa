#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

mod buffers;
mod cancellation;
mod life;

use super::*;
use crate::session::MEDIA_AT;
use keybearer_fake_libteec::{Answer, Board, Call};
use keybearer_tee::{ClearSession, Media};
use keybearer_wire::body::Describe;
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE, OPTEE_MAX_MEDIA};
use optee_teec::raw;

/// Answers in the trusted application's place.
fn answer(response: Vec<u8>, media: Vec<u8>) -> Answer {
    Answer {
        code: raw::TEEC_SUCCESS,
        response,
        media,
        claimed: None,
    }
}

/// A trusted application that answers with the request reversed and the media inverted.
fn mirror(_: u32, request: &[u8], media: &[u8]) -> Answer {
    answer(
        request.iter().rev().copied().collect(),
        media.iter().map(|byte| !byte).collect(),
    )
}

/// A connection to a board on which `script` answers.
fn connected(
    script: impl FnMut(u32, &[u8], &[u8]) -> Answer + Send + 'static,
) -> (Board, Box<dyn TeeSession>) {
    let board = Board::new();
    board.script(script);
    let session = connect(&board).unwrap();
    (board, session)
}

fn connect(board: &Board) -> Result<Box<dyn TeeSession>, TeeError> {
    let _plugged = board.plug();
    OpteeTee.connect()
}

/// What comes of a connection when some call fails so.
fn refusal(call: Call, code: u32) -> TeeError {
    let board = Board::new();
    board.refuse(call, code);
    let error = connect(&board).err().expect("must be refused");
    assert!(board.open().is_empty(), "left open: {:?}", board.open());
    error
}

#[test]
fn the_core_answers_through_the_genuine_interface() {
    let board = Board::new();
    let mut session = ClearSession::new(connect(&board).unwrap());
    let said = session.exchange(&Describe {}).unwrap();
    assert!(said.debug, "a simulated TEE says that it is one");
    assert_eq!(said.max_media as usize, OPTEE_MAX_MEDIA);
}

#[test]
fn bytes_go_in_and_come_out() {
    let (board, mut session) = connected(mirror);
    let mut response = vec![9; 100];
    session.call(7, b"abc", &mut response, Media::None).unwrap();
    assert_eq!(response, b"cba");

    let mut data = [0x0f; 1000];
    session
        .call(8, b"", &mut response, Media::InPlace(&mut data))
        .unwrap();
    assert!(response.is_empty());
    assert_eq!(data, [0xf0; 1000]);

    let mut output = [0x55; 6];
    session
        .call(
            9,
            b"x",
            &mut response,
            Media::Into {
                input: &[1, 2, 3],
                output: &mut output,
            },
        )
        .unwrap();
    assert_eq!(output, [0xfe, 0xfd, 0xfc, 0x55, 0x55, 0x55]);
    assert_eq!(board.commands(), [7, 8, 9]);
}

#[test]
fn everything_is_closed_in_order() {
    let (board, session) = connected(mirror);
    assert_eq!(board.open(), ["context", "session", "memory"]);
    drop(session);
    assert!(board.open().is_empty());
}

#[test]
fn the_arena_grows_only_when_it_must() {
    let (board, mut session) = connected(mirror);
    let mut response = Vec::new();
    for len in [1, 5_000, 4_097, 8_192, 8_193, OPTEE_MAX_MEDIA] {
        let mut data = vec![0xa5; len];
        session
            .call(0, b"", &mut response, Media::InPlace(&mut data))
            .unwrap();
        assert!(data.iter().all(|byte| *byte == 0x5a), "{len} bytes");
    }
    let media: Vec<_> = board
        .memories()
        .iter()
        .map(|size| size - MEDIA_AT)
        .collect();
    assert_eq!(media, [0, 1, 8_192, 16_384, OPTEE_MAX_MEDIA]);
    assert_eq!(board.open().len(), 3, "only the newest arena lives");
}

#[test]
fn a_refused_command_leaves_the_media_as_it_was() {
    let (_board, mut session) = connected(|_, _, media| Answer {
        claimed: Some((1, 0)),
        ..answer(vec![0], vec![0xee; media.len()])
    });
    let mut data = [7; 64];
    session
        .call(1, b"", &mut Vec::new(), Media::InPlace(&mut data))
        .unwrap();
    assert_eq!(data, [7; 64]);
}

#[test]
fn what_does_not_fit_is_refused_before_the_call() {
    let (board, mut session) = connected(mirror);
    let mut response = Vec::new();
    let mut big = vec![0; OPTEE_MAX_MEDIA + 1];
    let cases = [
        session.call(0, &vec![0; MAX_REQUEST + 1], &mut response, Media::None),
        session.call(0, b"", &mut response, Media::InPlace(&mut big)),
        session.call(
            0,
            b"",
            &mut response,
            Media::Into {
                input: &[0; 2],
                output: &mut [0],
            },
        ),
    ];
    let found = cases.map(|result| match result {
        Err(TeeError::TooLarge { what, found, limit }) => (what, found, limit),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        found,
        [
            ("request", MAX_REQUEST + 1, MAX_REQUEST),
            ("media", OPTEE_MAX_MEDIA + 1, OPTEE_MAX_MEDIA),
            ("media", 2, 1)
        ]
    );
    assert!(board.commands().is_empty());
    session
        .call(0, &vec![1; MAX_REQUEST / 2], &mut response, Media::None)
        .unwrap();
    assert_eq!(response.len(), MAX_REQUEST / 2, "the largest response fits");
}

#[test]
fn sizes_that_lie_are_refused() {
    for claimed in [
        (MAX_RESPONSE + 1, 0),
        (usize::MAX, 0),
        (0, 5),
        (0, usize::MAX),
    ] {
        let (_board, mut session) = connected(move |_, _, _| Answer {
            claimed: Some(claimed),
            ..answer(Vec::new(), Vec::new())
        });
        let result = session.call(0, b"", &mut Vec::new(), Media::InPlace(&mut [1, 2, 3, 4]));
        assert!(
            matches!(result, Err(TeeError::BadAnswer(_))),
            "{claimed:?}: {result:?}"
        );
    }
}

#[test]
fn a_missing_tee_or_application_says_which() {
    const ITEM_NOT_FOUND: u32 = raw::TEEC_ERROR_ITEM_NOT_FOUND;
    for (call, code, word) in [
        (Call::InitializeContext, ITEM_NOT_FOUND, "/dev/tee0"),
        (Call::OpenSession, ITEM_NOT_FOUND, "does not find"),
        (Call::OpenSession, raw::TEEC_ERROR_SECURITY, "signature"),
        (
            Call::OpenSession,
            raw::TEEC_ERROR_ACCESS_CONFLICT,
            "newer version",
        ),
        (Call::OpenSession, 0xf010_0001, "rolled back"),
    ] {
        match refusal(call, code) {
            TeeError::Unavailable(why) => assert!(why.contains(word), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Of what stands in a decoder's way only its absence says that there is none.
#[test]
fn a_missing_decoder_is_told_from_one_that_does_not_open() {
    let refused = |call, code| {
        let board = Board::new();
        board.refuse(call, code);
        let _plugged = board.plug();
        OpteeTee.connect_decoder().err().expect("must be refused")
    };
    let absent = refused(Call::OpenSession, raw::TEEC_ERROR_ITEM_NOT_FOUND);
    assert!(
        matches!(&absent, TeeError::NoDecoder(why) if why.contains(DECODER_TA)),
        "{absent}"
    );
    for (call, code) in [
        (Call::InitializeContext, raw::TEEC_ERROR_ITEM_NOT_FOUND),
        (Call::OpenSession, raw::TEEC_ERROR_SECURITY),
        (Call::OpenSession, raw::TEEC_ERROR_ACCESS_CONFLICT),
    ] {
        let closed = refused(call, code);
        assert!(matches!(closed, TeeError::Unavailable(_)), "{closed}");
    }
    let full = refused(Call::OpenSession, raw::TEEC_ERROR_OUT_OF_MEMORY);
    assert!(matches!(full, TeeError::NoDecoderMemory), "{full}");
}

#[test]
fn other_failures_keep_their_code() {
    let code_of = |error| match error {
        TeeError::Io { what, code } => (what, code),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        code_of(refusal(Call::InitializeContext, 0xffff_0001)),
        ("opening the TEE device", 0xffff_0001)
    );
    let open = code_of(refusal(Call::OpenSession, 0xffff_000c));
    assert_eq!(
        open,
        ("opening a session of the trusted application", 0xffff_000c)
    );
    let memory = code_of(refusal(Call::SharedMemory, 0xffff_000c));
    assert_eq!(memory, ("registering shared memory", 0xffff_000c));
    assert!(matches!(
        refusal(Call::OpenSession, raw::TEEC_ERROR_TARGET_DEAD),
        TeeError::Dead
    ));
}

#[test]
fn a_machine_without_a_tee_has_none() {
    let error = OpteeTee.connect().err().expect("no board is plugged in");
    assert!(
        matches!(&error, TeeError::Unavailable(why) if why.contains("/dev/tee0")),
        "{error}"
    );
}

#[test]
fn a_communication_error_is_not_death() {
    let (board, mut session) = connected(mirror);
    board.refuse(Call::InvokeCommand, raw::TEEC_ERROR_COMMUNICATION);
    let result = session.call(3, b"", &mut Vec::new(), Media::None);
    let code = match result {
        Err(TeeError::Io { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code, raw::TEEC_ERROR_COMMUNICATION);
    board.refuse(Call::InvokeCommand, raw::TEEC_SUCCESS);
    session.call(3, b"", &mut Vec::new(), Media::None).unwrap();
}

#[test]
fn a_failed_call_gives_neither_response_nor_media() {
    for code in [raw::TEEC_ERROR_SHORT_BUFFER, raw::TEEC_ERROR_BAD_PARAMETERS] {
        let (_board, mut session) = connected(move |_, _, media| Answer {
            code,
            ..answer(vec![1; 8], vec![0xee; media.len()])
        });
        let (mut response, mut data) = (vec![9], [7; 64]);
        let result = session.call(1, b"", &mut response, Media::InPlace(&mut data));
        assert!(
            matches!(result, Err(TeeError::Io { code: c, .. }) if c == code),
            "{result:?}"
        );
        assert!(response.is_empty());
        assert_eq!(data, [7; 64]);
    }
}

#[test]
fn a_dead_application_is_not_called_again_and_a_new_connection_finds_another() {
    let board = Board::new();
    let mut session = connect(&board).unwrap();
    board.kill();
    for _ in 0..2 {
        let mut response = vec![1];
        let result = session.call(3, &[0xa0], &mut response, Media::None);
        assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
        assert!(response.is_empty());
    }
    assert_eq!(board.commands(), [3], "the second call does not leave");
    let mut session = ClearSession::new(connect(&board).unwrap());
    session.exchange(&Describe {}).unwrap();
}

#[test]
fn media_in_shared_memory_travels_without_a_copy() {
    let (board, mut session) = connected(mirror);
    let mut shared = session.shared_memory(10_000).unwrap().unwrap();
    assert_eq!(shared.bytes(), [0; 10_000]);
    let memories = board.memories();
    let mut response = Vec::new();
    for (begin, end) in [(0, 10_000), (1, 9_999), (9_999, 10_000), (5, 5)] {
        shared.bytes_mut().fill(0x0f);
        let slice = &mut shared.bytes_mut()[begin..end];
        session
            .call(1, b"", &mut response, Media::InPlace(slice))
            .unwrap();
        for (at, byte) in shared.bytes().iter().enumerate() {
            let expected = if (begin..end).contains(&at) {
                0xf0
            } else {
                0x0f
            };
            assert_eq!(*byte, expected, "{at} of {begin}..{end}");
        }
    }
    assert_eq!(board.memories(), memories, "no arena was made for it");
}

#[test]
fn one_side_of_the_media_may_be_shared_and_the_other_not() {
    let (_board, mut session) = connected(mirror);
    let mut shared = session.shared_memory(64).unwrap().unwrap();
    let mut response = Vec::new();
    let into = Media::Into {
        input: &[0x0f; 32],
        output: &mut shared.bytes_mut()[16..64],
    };
    session.call(1, b"", &mut response, into).unwrap();
    assert_eq!(shared.bytes()[..16], [0; 16]);
    assert_eq!(shared.bytes()[16..48], [0xf0; 32]);
    assert_eq!(shared.bytes()[48..], [0; 16]);
    let mut output = [0x55; 40];
    let from = Media::Into {
        input: &shared.bytes()[16..48],
        output: &mut output,
    };
    session.call(1, b"", &mut response, from).unwrap();
    assert_eq!(output[..32], [0x0f; 32]);
    assert_eq!(output[32..], [0x55; 8]);
}

#[test]
fn memory_of_another_connection_is_copied_like_any_other() {
    let (board, mut session) = connected(mirror);
    let mut other = connect(&board).unwrap();
    let mut foreign = other.shared_memory(100).unwrap().unwrap();
    let media = Media::InPlace(foreign.bytes_mut());
    session.call(1, b"", &mut Vec::new(), media).unwrap();
    assert_eq!(foreign.bytes(), [0xff; 100]);
    let arenas = board.memories();
    assert_eq!(
        arenas.last(),
        Some(&(MEDIA_AT + 128)),
        "through an arena: {arenas:?}"
    );
}

#[test]
fn shared_memory_outlives_its_connection_and_is_released() {
    let (board, mut session) = connected(mirror);
    let mut shared = session.shared_memory(100).unwrap().unwrap();
    let second = session.shared_memory(0).unwrap().unwrap();
    assert!(second.bytes().is_empty());
    drop(session);
    assert_eq!(board.open(), ["context", "memory", "memory"]);
    shared.bytes_mut().fill(7);
    assert_eq!(shared.bytes(), [7; 100]);
    drop(shared);
    drop(second);
    assert!(board.open().is_empty(), "{:?}", board.open());
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let (board, mut session) = connected(mirror);
    let big = session.shared_memory(OPTEE_MAX_MEDIA + 1);
    assert!(matches!(
        big,
        Err(TeeError::TooLarge {
            what: "shared memory",
            ..
        })
    ));
    board.refuse(Call::SharedMemory, raw::TEEC_ERROR_OUT_OF_MEMORY);
    assert!(matches!(session.shared_memory(1), Err(TeeError::Io { .. })));
    board.refuse(Call::SharedMemory, raw::TEEC_SUCCESS);
    board.kill();
    session
        .call(3, b"", &mut Vec::new(), Media::None)
        .unwrap_err();
    assert!(matches!(session.shared_memory(1), Err(TeeError::Dead)));
}
