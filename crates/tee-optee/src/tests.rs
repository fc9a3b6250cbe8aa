#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

use super::*;
use crate::sys::fake::{Answer, Invoke, script};
use keybearer_tee::TeeError;
use optee_teec::raw;

/// A trusted application that answers with the request reversed and the media inverted.
const MIRROR: Invoke = |request, media| Answer {
    code: raw::TEEC_SUCCESS,
    response: request.iter().rev().copied().collect(),
    media: media.iter().map(|byte| !byte).collect(),
    claimed: None,
};

fn connected(invoke: Invoke) -> Box<dyn TeeSession> {
    script(|s| s.invoke = Some(invoke));
    OpteeTee.connect().unwrap()
}

fn refusal(initialize: u32, open: u32, allocate: u32) -> TeeError {
    script(|s| (s.initialize, s.open, s.allocate) = (initialize, open, allocate));
    let error = OpteeTee.connect().err().expect("must be refused");
    script(|s| assert!(s.alive.is_empty(), "left open: {:?}", s.alive));
    error
}

#[test]
fn bytes_go_in_and_come_out() {
    let mut session = connected(MIRROR);
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
    script(|s| assert_eq!(s.commands, [7, 8, 9]));
}

#[test]
fn everything_is_closed_in_order() {
    let session = connected(MIRROR);
    script(|s| assert_eq!(s.alive, ["context", "session", "memory"]));
    drop(session);
    script(|s| assert!(s.alive.is_empty()));
}

#[test]
fn the_arena_grows_only_when_it_must() {
    let mut session = connected(MIRROR);
    let mut response = Vec::new();
    for len in [1, 5_000, 4_097, 8_192, 8_193, OPTEE_MAX_MEDIA] {
        let mut data = vec![0xa5; len];
        session
            .call(0, b"", &mut response, Media::InPlace(&mut data))
            .unwrap();
        assert!(data.iter().all(|byte| *byte == 0x5a), "{len} bytes");
    }
    let media: Vec<_> = script(|s| s.arenas.iter().map(|size| size - MEDIA_AT).collect());
    assert_eq!(media, [0, 1, 8_192, 16_384, OPTEE_MAX_MEDIA]);
    script(|s| assert_eq!(s.alive.len(), 3, "only the newest arena lives"));
}

#[test]
fn a_refused_command_leaves_the_media_as_it_was() {
    let mut session = connected(|_, media| Answer {
        code: raw::TEEC_SUCCESS,
        response: vec![0],
        media: vec![0xee; media.len()],
        claimed: Some((1, 0)),
    });
    let mut data = [7; 64];
    session
        .call(1, b"", &mut Vec::new(), Media::InPlace(&mut data))
        .unwrap();
    assert_eq!(data, [7; 64]);
}

#[test]
fn what_does_not_fit_is_refused_before_the_call() {
    let mut session = connected(MIRROR);
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
    script(|s| assert!(s.commands.is_empty()));
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
        // A function pointer cannot capture, so the lie travels in the request.
        let mut session = connected(|request, _| Answer {
            code: raw::TEEC_SUCCESS,
            response: Vec::new(),
            media: Vec::new(),
            claimed: Some((
                usize::from_le_bytes(request[..8].try_into().unwrap()),
                usize::from_le_bytes(request[8..].try_into().unwrap()),
            )),
        });
        let request = [claimed.0.to_le_bytes(), claimed.1.to_le_bytes()].concat();
        let result = session.call(
            0,
            &request,
            &mut Vec::new(),
            Media::InPlace(&mut [1, 2, 3, 4]),
        );
        assert!(
            matches!(result, Err(TeeError::BadAnswer(_))),
            "{claimed:?}: {result:?}"
        );
    }
}

#[test]
fn a_missing_tee_or_application_says_which() {
    const ITEM_NOT_FOUND: u32 = raw::TEEC_ERROR_ITEM_NOT_FOUND;
    for (initialize, open, word) in [
        (ITEM_NOT_FOUND, 0, "/dev/tee0"),
        (0, ITEM_NOT_FOUND, "does not find"),
        (0, raw::TEEC_ERROR_SECURITY, "signature"),
        (0, raw::TEEC_ERROR_ACCESS_CONFLICT, "newer version"),
        (0, 0xf010_0001, "rolled back"),
    ] {
        match refusal(initialize, open, 0) {
            TeeError::Unavailable(why) => assert!(why.contains(word), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn other_failures_keep_their_code() {
    let code_of = |error| match error {
        TeeError::Io { what, code } => (what, code),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        code_of(refusal(0xffff_0001, 0, 0)),
        ("opening the TEE device", 0xffff_0001)
    );
    let open = code_of(refusal(0, 0xffff_000c, 0));
    assert_eq!(open, ("opening a session of the key TA", 0xffff_000c));
    let memory = code_of(refusal(0, 0, 0xffff_000c));
    assert_eq!(memory, ("registering shared memory", 0xffff_000c));
    assert!(matches!(refusal(0, 0xffff_3024, 0), TeeError::Dead));
}

#[test]
fn a_communication_error_is_not_death() {
    let mut session = connected(|_, _| Answer {
        code: raw::TEEC_ERROR_COMMUNICATION,
        response: Vec::new(),
        media: Vec::new(),
        claimed: None,
    });
    let result = session.call(3, b"", &mut Vec::new(), Media::None);
    assert!(
        matches!(
            result,
            Err(TeeError::Io {
                code: 0xffff_000e,
                ..
            })
        ),
        "{result:?}"
    );
    script(|s| s.invoke = Some(MIRROR));
    session.call(3, b"", &mut Vec::new(), Media::None).unwrap();
}

#[test]
fn a_dead_application_is_not_called_again() {
    let mut session = connected(|_, _| Answer {
        code: raw::TEEC_ERROR_TARGET_DEAD,
        response: Vec::new(),
        media: Vec::new(),
        claimed: None,
    });
    for _ in 0..2 {
        let mut response = vec![1];
        let result = session.call(3, b"", &mut response, Media::None);
        assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
        assert!(response.is_empty());
    }
    script(|s| assert_eq!(s.commands, [3]));
}
