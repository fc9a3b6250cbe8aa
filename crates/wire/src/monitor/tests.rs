use alloc::{format, string::String, vec};

use super::*;
use crate::field::{Body, List};
use crate::limits::MAX_OUTPUTS;

/// Pins every number: key TA and monitor of other builds must agree on them.
#[test]
fn numbers_are_pinned() {
    let mut table = String::new();
    for command in Command::ALL {
        table += &format!("{:#04x} {}\n", command.code(), command.name());
    }
    assert_eq!(table, "0x60 Look\n0x6e Show\n0x6f Die\n");
}

/// A command sent to the wrong trusted application is no command there.
#[test]
fn it_shares_no_number_with_the_other_tables() {
    for command in Command::ALL {
        assert_eq!(Command::from_code(command.code()), Some(*command));
        assert_eq!(crate::Command::from_code(command.code()), None);
        assert_eq!(crate::decoder::Command::from_code(command.code()), None);
    }
}

/// The room that a key TA has for an answer suffices for the longest one.
#[test]
fn the_longest_answer_fits() {
    let output = body::OutputReport {
        kind: u8::MAX,
        hdcp_version: u8::MAX,
        hdcp_stream_type: u8::MAX,
        cgms_a: u8::MAX,
        agc: true,
        color_stripe: true,
        scms: true,
        sound: u8::MAX,
        picture: Some(u32::MAX),
    };
    let longest = body::Seen {
        outputs: List(vec![output; MAX_OUTPUTS]),
    };
    let answer = crate::encode_answer(&longest).unwrap();
    assert!(answer.len() <= MAX_MONITOR_RESPONSE, "{}", answer.len());
    assert!(longest.encode(MAX_MONITOR_RESPONSE).is_ok());
}
