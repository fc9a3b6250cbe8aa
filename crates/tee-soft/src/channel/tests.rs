#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;

fn from_host() -> Vec<FromHost> {
    vec![
        FromHost::Start {
            state_dir: PathBuf::from("/var/lib/device"),
            internal_panel: true,
        },
        FromHost::Start {
            state_dir: PathBuf::from(OsString::from_vec(vec![b'/', 0xff])),
            internal_panel: false,
        },
        FromHost::Connect,
        FromHost::Share {
            region: 7,
            len: 1 << 20,
        },
        FromHost::Release { region: u64::MAX },
    ]
}

fn from_worker() -> Vec<FromWorker> {
    let mut all = vec![
        FromWorker::Ready {
            locked: Locked::Nothing,
        },
        FromWorker::Ready {
            locked: Locked::HeapAndStack,
        },
        FromWorker::Done,
        FromWorker::Refused,
    ];
    let failures = [
        Failure::InUse,
        Failure::Permissions { mode: 0o755 },
        Failure::Damaged,
        Failure::Io {
            what: "open the vault in".into(),
            number: -1,
        },
        Failure::Core("no random numbers".into()),
        Failure::Sandbox(String::new()),
    ];
    all.extend(failures.map(FromWorker::Failed));
    all
}

const CALL: Call = Call {
    sequence: 3,
    command: 15,
    request: 100,
    media: Some((
        Place {
            region: 1,
            offset: 2,
            len: 3,
        },
        Place {
            region: 4,
            offset: 5,
            len: 6,
        },
    )),
};

const ANSWER: Answer = Answer {
    sequence: 9,
    response: 77,
};

#[test]
fn every_message_comes_back_and_fits_its_room() {
    for message in from_host() {
        let bytes = message.encode();
        assert!(bytes.len() <= MAX_MESSAGE);
        assert_eq!(FromHost::decode(&bytes), Ok(message));
    }
    for message in from_worker() {
        let bytes = message.encode();
        assert!(bytes.len() <= MAX_MESSAGE);
        assert_eq!(FromWorker::decode(&bytes), Ok(message));
    }
    assert_eq!(Call::decode(&CALL.encode()), Ok(CALL));
    let without = Call {
        media: None,
        ..CALL
    };
    assert_eq!(Call::decode(&without.encode()), Ok(without));
    assert_eq!(Answer::decode(&ANSWER.encode()), Ok(ANSWER));
    let hello = Hello { version: 5, abi: 6 };
    assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
}

/// What both sides of every release must agree on, byte for byte.
#[test]
fn the_hello_never_changes() {
    let hello = Hello {
        version: 0x0102_0304,
        abi: 0x0506,
    };
    assert_eq!(hello.encode(), b"KBworker\x04\x03\x02\x01\x06\x05");
}

#[test]
fn what_is_cut_short_or_goes_on_is_malformed() {
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    for bytes in from_host().iter().map(FromHost::encode) {
        // A path may be any bytes, so only what stands before it has a length.
        let fixed = if bytes[0] == 1 { 8 } else { bytes.len() };
        for cut in 0..fixed {
            assert_eq!(FromHost::decode(&bytes[..cut]), Err(Malformed));
        }
        if bytes[0] != 1 {
            assert_eq!(FromHost::decode(&longer(&bytes)), Err(Malformed));
        }
    }
    for bytes in [
        FromWorker::Done.encode(),
        FromWorker::Failed(Failure::InUse).encode(),
        FromWorker::Ready {
            locked: Locked::Nothing,
        }
        .encode(),
    ] {
        for cut in 0..bytes.len() {
            assert_eq!(FromWorker::decode(&bytes[..cut]), Err(Malformed));
        }
        assert_eq!(FromWorker::decode(&longer(&bytes)), Err(Malformed));
    }
    let call = CALL.encode();
    for cut in 0..call.len() {
        assert_eq!(Call::decode(&call[..cut]), Err(Malformed));
    }
    assert_eq!(Call::decode(&longer(&call)), Err(Malformed));
    let answer = ANSWER.encode();
    for cut in 0..answer.len() {
        assert_eq!(Answer::decode(&answer[..cut]), Err(Malformed));
    }
    assert_eq!(Answer::decode(&longer(&answer)), Err(Malformed));
}

#[test]
fn kinds_and_numbers_out_of_range_are_malformed() {
    for kind in [0, 5, 6, 0x0100_0001, u32::MAX] {
        let bytes = kind.to_le_bytes();
        assert_eq!(FromHost::decode(&bytes), Err(Malformed));
        assert_eq!(FromWorker::decode(&bytes), Err(Malformed));
    }
    let mut start = from_host()[0].encode();
    start[4] = 2;
    assert_eq!(FromHost::decode(&start), Err(Malformed));
    let mut call = CALL.encode();
    call[4] = 2;
    assert_eq!(Call::decode(&call), Err(Malformed));
    call[0] = 6;
    assert_eq!(Call::decode(&call), Err(Malformed));
    let mut answer = ANSWER.encode();
    answer[0] = 5;
    assert_eq!(Answer::decode(&answer), Err(Malformed));
    let mut text = FromWorker::Failed(Failure::Core("x".into())).encode();
    *text.last_mut().unwrap() = 0xff;
    assert_eq!(FromWorker::decode(&text), Err(Malformed));
}

#[test]
fn texts_and_paths_have_an_end() {
    let long = "ä".repeat(Failure::MAX_TEXT);
    let bytes = FromWorker::Failed(Failure::Core(long)).encode();
    assert!(bytes.len() < MAX_MESSAGE);
    assert!(FromWorker::decode(&bytes).is_ok(), "cut between characters");

    let mut start = from_host()[0].encode();
    start.resize(8 + MAX_PATH, b'/');
    assert!(FromHost::decode(&start).is_ok());
    start.push(b'/');
    assert_eq!(FromHost::decode(&start), Err(Malformed));
}

/// Found by fuzzing: places that nobody reads were a second form of the same call.
#[test]
fn a_call_without_media_names_no_place() {
    let mut call = Call {
        media: None,
        ..CALL
    }
    .encode();
    assert!(Call::decode(&call).is_ok());
    *call.last_mut().unwrap() = 1;
    assert_eq!(Call::decode(&call), Err(Malformed));
}
