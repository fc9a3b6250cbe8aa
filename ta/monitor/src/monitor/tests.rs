#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

extern crate std;

use super::*;
use keybearer_wire::{decode_response, monitor::Exchange};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    vec,
};

fn ask<'r, R: Exchange<'r>>(
    monitor: &mut Monitor,
    asker: Asker,
    request: &R,
) -> Result<Response, Status> {
    let bytes = request.encode(MAX_REQUEST).unwrap();
    let response = monitor.call(asker, R::COMMAND.code(), &bytes);
    match decode_response::<body::Seen>(&response) {
        Ok(Err(status)) => Err(status),
        _ => Ok(response),
    }
}

fn look(monitor: &mut Monitor, asker: Asker) -> Result<Vec<body::OutputReport>, Status> {
    let response = ask(monitor, asker, &body::Look {})?;
    Ok(decode_response::<body::Seen>(&response)
        .unwrap()
        .unwrap()
        .outputs
        .0)
}

fn show(outputs: Option<Vec<body::OutputReport>>) -> body::Show {
    body::Show {
        outputs: outputs.map(List),
    }
}

fn panel() -> body::OutputReport {
    body::OutputReport {
        kind: 1,
        hdcp_version: 0,
        hdcp_stream_type: 0,
        cgms_a: 0,
        agc: false,
        color_stripe: false,
        scms: false,
        sound: 1,
        picture: None,
    }
}

#[test]
fn the_key_ta_is_told_what_the_test_said() {
    let mut monitor = Monitor::new();
    for outputs in [vec![panel()], vec![], vec![panel(), panel()]] {
        ask(&mut monitor, Asker::Host, &show(Some(outputs.clone()))).unwrap();
        assert_eq!(look(&mut monitor, Asker::KeyTa), Ok(outputs));
    }
}

#[test]
fn at_first_and_when_the_test_wants_it_there_is_no_answer() {
    let mut monitor = Monitor::new();
    assert_eq!(look(&mut monitor, Asker::KeyTa), Err(Status::NotSupported));
    ask(&mut monitor, Asker::Host, &show(Some(vec![]))).unwrap();
    ask(&mut monitor, Asker::Host, &show(None)).unwrap();
    assert_eq!(look(&mut monitor, Asker::KeyTa), Err(Status::NotSupported));
}

#[test]
fn nobody_but_the_key_ta_is_told_and_the_key_ta_says_nothing() {
    let mut monitor = Monitor::new();
    ask(&mut monitor, Asker::Host, &show(Some(vec![panel()]))).unwrap();
    assert_eq!(look(&mut monitor, Asker::Host), Err(Status::NotPermitted));
    let said = ask(&mut monitor, Asker::KeyTa, &show(Some(vec![])));
    assert_eq!(said, Err(Status::NotPermitted));
    let said = ask(&mut monitor, Asker::KeyTa, &body::Die {});
    assert_eq!(said, Err(Status::NotPermitted));
    assert_eq!(look(&mut monitor, Asker::KeyTa), Ok(vec![panel()]));
}

#[test]
fn what_is_malformed_changes_nothing() {
    let mut monitor = Monitor::new();
    ask(&mut monitor, Asker::Host, &show(Some(vec![panel()]))).unwrap();
    for (command, request) in [(0x6e, &b"\xa1"[..]), (0x60, b"\x00"), (0x61, b"\xa0")] {
        for asker in [Asker::Host, Asker::KeyTa] {
            let response = monitor.call(asker, command, request);
            assert!(decode_response::<body::Empty>(&response).unwrap().is_err());
        }
    }
    assert_eq!(look(&mut monitor, Asker::KeyTa), Ok(vec![panel()]));
}

#[test]
fn it_dies_when_a_test_asks_for_it() {
    let mut monitor = Monitor::new();
    let died = catch_unwind(AssertUnwindSafe(|| {
        ask(&mut monitor, Asker::Host, &body::Die {}).map(drop)
    }));
    assert!(died.is_err());
}
