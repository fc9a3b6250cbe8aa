use alloc::{format, string::String};

use super::*;
use crate::field::{Body, List};

/// Pins every number: the host and a decoder of another build must agree on them.
#[test]
fn numbers_are_pinned() {
    let mut table = String::new();
    for command in Command::ALL {
        table += &format!("{:#04x} {}\n", command.code(), command.name());
    }
    assert_eq!(
        table,
        "0x40 Attach\n0x41 Configure\n0x42 Decode\n0x43 Flush\n0x44 Skip\n0x4f Die\n"
    );
}

/// A command sent to the wrong trusted application is no command there.
#[test]
fn the_two_tables_share_no_number() {
    for command in Command::ALL {
        assert_eq!(Command::from_code(command.code()), Some(*command));
        assert_eq!(crate::Command::from_code(command.code()), None);
    }
    for command in crate::Command::ALL {
        assert_eq!(Command::from_code(command.code()), None);
    }
}

#[test]
fn requests_carry_their_own_command() {
    assert_eq!(<body::Decode<'_> as Exchange<'_>>::COMMAND, Command::Decode);
    assert_eq!(<body::Attach as Exchange<'_>>::COMMAND, Command::Attach);
}

/// The room that a decoder demands of its caller's response slot suffices for its longest answer.
#[test]
fn the_longest_answer_fits() {
    let longest = body::Presented {
        times: List([u64::MAX; body::MAX_PRESENTED].to_vec()),
        largest: Some(u64::MAX),
        sequence: Some(u64::MAX),
        digests: Some(List([[0xff; 32]; body::MAX_PRESENTED].to_vec())),
    };
    let answer = crate::encode_answer(&longest).unwrap();
    assert!(answer.len() <= MAX_DECODER_RESPONSE, "{}", answer.len());
    assert!(longest.encode(MAX_DECODER_RESPONSE).is_ok());
}
