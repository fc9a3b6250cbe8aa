#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

mod fake;
mod held;
mod host;

use self::fake::{Asked, FLIP, Keys, SEQUENCE};
use self::host::{Host, KEY, Screen, TICKET, TICKET_AGAIN, clip, now, pass, protection};
use super::*;
use keybearer_ta_entry::{
    params::{COMMAND_TYPES, CommandSlots},
    shared_memory::memref,
};
use keybearer_wire::{decode_response, field::Blob};
use optee_utee::FromRawParameters;
use std::{vec, vec::Vec};

#[test]
fn a_clip_is_shown_in_presentation_order_and_told_so() {
    let mut host = Host::ready();
    let mut told = Vec::new();
    for unit in clip().1 {
        let presented = host.decode(unit.time, &unit.bytes).unwrap();
        assert_eq!(
            (presented.largest, presented.sequence),
            (None, Some(SEQUENCE))
        );
        assert_eq!(presented.digests, None, "only test builds give digests");
        told.extend(presented.times.0);
    }
    let flushed = host.flush().unwrap();
    assert_eq!(flushed.sequence, None, "no key was asked");
    told.extend(flushed.times.0);
    assert_eq!(told, (2..12).collect::<Vec<u64>>());
    let shown: Vec<_> = told.iter().map(|time| (*time, 64, 48)).collect();
    assert_eq!(host.shown(), shown);
}

#[test]
fn what_the_key_ta_allows_is_what_is_shown() {
    let mut host = Host::ready();
    host.keys.state().largest = Some(32 * 24);
    for unit in clip().1 {
        let presented = host.decode(unit.time, &unit.bytes).unwrap();
        assert_eq!(presented.largest, Some(32 * 24));
    }
    host.flush().unwrap();
    assert_eq!(host.shown().len(), 10);
    assert!(host.shown().iter().all(|(_, w, h)| (*w, *h) == (32, 24)));
}

#[test]
fn the_key_ta_learns_of_each_unit_with_the_next_call() {
    let units = clip().1;
    let mut host = Host::ready();
    host.decode(2, &units[0].bytes).unwrap();
    assert_eq!(host.decode(3, b"nonsense"), Err(Status::ContentRejected));
    // Passed over: after a rejection decoding waits for an IDR.
    host.decode(4, &units[1].bytes).unwrap();
    // Refused, and the report arrives all the same.
    host.keys.state().refuse = Some(Status::KeyNotUsable);
    assert_eq!(host.decode(5, &units[0].bytes), Err(Status::KeyNotUsable));
    host.decode(6, &units[0].bytes).unwrap();
    host.attach(TICKET_AGAIN).unwrap();
    assert_eq!(
        host.keys.asked(),
        [
            Asked::Unit(1, 0, 0),
            Asked::Unit(1, 0, 1),
            Asked::Unit(1, 1, 0),
            Asked::Unit(1, 0, 0),
            Asked::Unit(1, 0, 0),
            Asked::Close(1, 0, 1),
            Asked::Redeem(TICKET_AGAIN, TEST_OUTPUT || DEBUG),
        ]
    );
    assert_eq!(host.decode(7, b"nonsense"), Err(Status::ContentRejected));
    let keys = host.keys.clone();
    drop(host);
    let last = [
        Asked::Unit(2, 0, 0),
        Asked::Close(2, 1, 0),
        Asked::Disconnect,
    ];
    assert_eq!(keys.asked(), last);
}

/// A call that the key TA refuses before it reads it says nothing: that a unit was rejected is said until
/// it is heard. That one was decoded ends a row of rejections, and is not said of other units.
#[test]
fn a_rejection_is_told_until_it_is_heard() {
    let units = clip().1;
    let mut host = Host::ready();
    assert_eq!(host.decode(2, b"nonsense"), Err(Status::ContentRejected));
    for status in [
        Status::OutOfMemory,
        Status::RequestTooLarge,
        Status::ResponseTooSmall,
    ] {
        host.keys.state().deaf = Some(status);
        assert_eq!(host.decode(3, &units[0].bytes), Err(status));
    }
    host.decode(3, &units[0].bytes).unwrap();
    host.keys.state().refuse = Some(Status::KeyNotUsable);
    assert_eq!(host.decode(4, &units[1].bytes), Err(Status::KeyNotUsable));
    host.decode(4, &units[1].bytes).unwrap();
    let asked = [
        Asked::Unit(1, 0, 0),
        Asked::Unit(1, 1, 0),
        Asked::Unit(1, 0, 1),
        Asked::Unit(1, 0, 0),
    ];
    assert_eq!(host.keys.asked(), asked);
}

#[test]
fn a_refusal_of_the_key_ta_changes_nothing_here() {
    let units = clip().1;
    let mut host = Host::ready();
    for unit in &units[..4] {
        for status in [
            Status::KeyNotUsable,
            Status::UnknownKey,
            Status::DurationTooLong,
        ] {
            host.keys.state().refuse = Some(status);
            assert_eq!(host.decode(unit.time, &unit.bytes), Err(status));
        }
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    host.flush().unwrap();
    assert_eq!(host.shown().len(), 4);
}

#[test]
fn a_channel_that_is_gone_is_given_up() {
    let units = clip().1;
    let mut host = Host::ready();
    host.keys.state().refuse = Some(Status::UnknownChannel);
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::UnknownChannel));
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::NotAttached));
    host.attach(TICKET_AGAIN).unwrap();
    host.decode(2, &units[0].bytes).unwrap();
    assert!(!host.keys.asked().contains(&Asked::Disconnect));
}

#[test]
fn a_channel_that_cannot_be_closed_ends_with_its_session_of_the_key_ta() {
    let mut host = Host::ready();
    host.keys.state().refuse = Some(Status::OutOfMemory);
    host.attach(TICKET_AGAIN).unwrap();
    let asked = [
        Asked::Close(1, 0, 0),
        Asked::Disconnect,
        Asked::Connect,
        Asked::Redeem(TICKET_AGAIN, TEST_OUTPUT || DEBUG),
    ];
    assert_eq!(host.keys.asked(), asked);
    host.decode(2, &clip().1[0].bytes).unwrap();
}

#[test]
fn a_key_ta_that_died_is_asked_anew_at_the_next_ticket() {
    let units = clip().1;
    let mut host = Host::ready();
    host.keys.state().fail = Some(0xffff_3024);
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::Platform));
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::NotAttached));
    assert_eq!(host.attach(TICKET_AGAIN), Err(Status::Platform));
    host.keys.state().fail = None;
    host.keys.asked();
    host.attach(TICKET_AGAIN).unwrap();
    assert_eq!(host.keys.asked()[0], Asked::Connect);
    host.decode(2, &units[0].bytes).unwrap();
}

#[test]
fn a_unit_that_is_not_whole_is_none() {
    let units = clip().1;
    let mut host = Host::ready();
    host.keys.state().short = 1;
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::Platform));
    assert!(host.flush().unwrap().times.0.is_empty());
}

#[test]
fn commands_have_their_order() {
    let (record, units) = clip();
    let mut host = Host::new();
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::NotAttached));
    host.configure(&record).unwrap();
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::NotAttached));
    assert_eq!(host.decode_clear(&units[0]), Err(Status::NotAttached));
    assert_eq!(host.keys.asked(), []);

    let mut other = Session::<_, Screen>::new(Keys::default(), Some(Screen::default()), now);
    core::mem::swap(&mut host.session, &mut other);
    host.attach(TICKET).unwrap();
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::NotConfigured));
    assert_eq!(host.flush().unwrap().times.0, []);
}

#[test]
fn a_refused_ticket_attaches_nothing() {
    let (record, units) = clip();
    let mut host = Host::new();
    host.configure(&record).unwrap();
    host.keys.state().refuse = Some(Status::UnknownTicket);
    assert_eq!(host.attach(TICKET), Err(Status::UnknownTicket));
    assert_eq!(host.decode(2, &units[0].bytes), Err(Status::NotAttached));
}

#[test]
fn without_an_output_nothing_is_done() {
    let keys = Keys::default();
    let mut host = Host::new();
    host.session = Session::new(keys.clone(), None, now);
    assert_eq!(host.attach(TICKET), Err(Status::NotSupported));
    assert_eq!(host.configure(&clip().0), Err(Status::NotSupported));
    assert_eq!(host.decode(2, b"unit"), Err(Status::NotSupported));
    assert_eq!(host.flush(), Err(Status::NotSupported));
    let skipped: Result<body::Empty, _> = host.call(&body::Skip {}, &[]);
    assert_eq!(skipped, Err(Status::NotSupported));
    assert_eq!(keys.asked(), []);
}

#[test]
fn a_unit_beyond_the_limit_is_refused_before_it_is_touched() {
    let mut host = Host::ready();
    let long = vec![0; MAX_UNIT + 1];
    assert_eq!(host.decode(2, &long), Err(Status::MediaTooLarge));
    assert_eq!(host.keys.asked(), []);
    assert_eq!(host.decode(2, &long[1..]), Err(Status::ContentRejected));
}

#[test]
fn what_the_decoder_cannot_do_is_refused_when_it_is_configured() {
    let mut host = Host::ready();
    let record = clip().0;
    let hevc = body::Configure {
        codec: *b"hvc1",
        record: Blob(&record),
    };
    let refused: Result<body::Configured, _> = host.call(&hevc, &[]);
    assert_eq!(refused, Err(Status::UnsupportedCodec));
    assert_eq!(host.configure(b""), Err(Status::ContentRejected));
    // What was there before still holds.
    host.decode(2, &clip().1[0].bytes).unwrap();
}

#[test]
fn an_output_that_fails_is_no_fault_of_the_content() {
    let mut host = Host::ready();
    host.session.output.as_mut().unwrap().broken = true;
    let mut results = Vec::new();
    for unit in clip().1 {
        results.push(host.decode(unit.time, &unit.bytes).map(|_| ()));
    }
    assert!(results.contains(&Err(Status::Platform)));
    let rejected = host
        .keys
        .asked()
        .into_iter()
        .any(|asked| matches!(asked, Asked::Unit(_, 1.., _)));
    assert!(!rejected, "and the key TA does not count it as one");
}

#[test]
fn a_clear_lead_plays_before_what_is_protected() {
    let units = clip().1;
    let mut host = Host::ready();
    for unit in &units[..8] {
        assert_eq!(host.decode_clear(unit).unwrap().sequence, None);
    }
    assert_eq!(host.keys.asked(), [], "no key has anything to do with it");
    for unit in &units[8..] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    host.flush().unwrap();
    assert_eq!(host.shown().len(), 10);
}

/// A clear unit could say "as the picture before": it must not be one that was protected.
#[test]
fn a_clear_unit_shows_nothing_of_what_was_protected() {
    let units = clip().1;
    let mut host = Host::ready();
    for unit in &units[..4] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    let before = host.shown().len();
    for unit in &units[4..8] {
        assert!(host.decode_clear(unit).unwrap().times.0.is_empty());
    }
    assert_eq!(host.shown().len(), before);
    host.decode_clear(&units[8]).unwrap();
    host.flush().unwrap();
    let shown: Vec<u64> = host.shown()[before..].iter().map(|shown| shown.0).collect();
    assert_eq!(shown, [units[8].time], "from the next IDR on");
}

#[test]
fn after_a_jump_decoding_goes_on_at_an_idr() {
    let units = clip().1;
    let mut host = Host::ready();
    for unit in &units[..3] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    let before = host.shown().len();
    let _: body::Empty = host.call(&body::Skip {}, &[]).unwrap();
    for unit in &units[5..] {
        host.decode(unit.time, &unit.bytes).unwrap();
    }
    host.flush().unwrap();
    let shown: Vec<u64> = host.shown()[before..].iter().map(|shown| shown.0).collect();
    assert_eq!(shown, [10, 11]);
}

/// Whoever chooses the ciphertext learns one bit from each answer and no more: a rejection is the same
/// bytes whatever the unit, and an acceptance names no more than the unit's own time.
#[test]
fn answers_to_crafted_units_differ_only_by_accepted_or_rejected() {
    let units = clip().1;
    let mut host = Host::ready();
    let mut rejections = Vec::new();
    let mut accepted = 0;
    let mut state = 1_u64;
    for number in 0..1_000 {
        let mut unit = units[number % units.len()].bytes.clone();
        for _ in 0..1 + number % 3 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = usize::try_from(state >> 33).unwrap() % unit.len();
            unit[at] ^= (state >> 25).to_le_bytes()[0] | 1;
        }
        let protected: Vec<u8> = unit.iter().map(|byte| byte ^ FLIP).collect();
        let request = body::Decode {
            time: 9,
            duration_ms: 0,
            protection: Some(protection(KEY)),
        };
        let request = request.encode(MAX_REQUEST).unwrap();
        let answer = host.send(Command::Decode.code(), &request, &protected);
        match decode_response::<body::Presented>(&answer).unwrap() {
            Ok(presented) => {
                accepted += 1;
                assert!(presented.times.0.iter().all(|time| *time == 9));
                assert_eq!((presented.largest, presented.digests), (None, None));
            }
            Err(status) => {
                assert_eq!(status, Status::ContentRejected);
                rejections.push(answer);
            }
        }
    }
    rejections.dedup();
    assert_eq!(rejections.len(), 1, "every rejection is the same bytes");
    assert!(accepted > 0, "and some of the units were taken");
}

#[test]
fn requests_that_are_none_are_refused() {
    let mut host = Host::ready();
    let refusal = |answer: Vec<u8>| decode_response::<body::Empty>(&answer).unwrap();
    for command in Command::ALL {
        for request in [&b""[..], b"\xa1", b"\xa1\x18\x63\x00", b"\xff", &[0; 64]] {
            let answer = host.send(command.code(), request, b"");
            assert_eq!(refusal(answer), Err(Status::Malformed), "{command:?}");
        }
    }
    for code in (0..0x40).chain([0x45, 0x4e, 0x50, 0xff, u32::MAX]) {
        let answer = host.send(code, b"\xa0", b"");
        assert_eq!(refusal(answer), Err(Status::UnknownCommand), "{code:#x}");
    }
}

#[cfg(not(feature = "test-sink"))]
#[test]
fn no_build_but_a_test_build_dies_when_asked() {
    let mut host = Host::ready();
    let died: Result<body::Empty, _> = host.call(&body::Die {}, &[]);
    assert_eq!(died, Err(Status::NotSupported));
}

/// H1 of the design's list of threats: of all type words one reaches the session, whatever the
/// command.
#[test]
fn of_all_type_words_one_reaches_each_command() {
    let mut host = Host::ready();
    for command in Command::ALL {
        let mut reached = Vec::new();
        for types in 0..=0xffff_u32 {
            let mut params = [(); 4].map(|()| memref(core::ptr::null_mut(), 0));
            // SAFETY: all four unions are memory references, whatever the type word claims.
            if let Ok(slots) = unsafe { CommandSlots::from_raw(types, &mut params) } {
                // Not a request of any command: what is asked for is not done.
                host.session.call(command.code(), b"\xff", &slots.media_in);
                reached.push(types);
            }
        }
        assert_eq!(reached, [COMMAND_TYPES], "{command:?}");
    }
    assert_eq!(host.keys.asked(), []);
}
