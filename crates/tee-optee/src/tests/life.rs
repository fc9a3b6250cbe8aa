//! Threads, and what follows when the trusted application dies.

use super::*;
use crate::application::{Effect, KEY};
use keybearer_wire::Command;
use std::sync::Mutex;
use std::thread::{self, ThreadId};

const DESCRIBE: u32 = Command::Describe.code();
const OPEN: u32 = Command::OpenSession.code();
const LASTING: u32 = Command::FinishProvisioning.code();

fn call(session: &mut dyn TeeSession, command: u32) -> Result<Vec<u8>, TeeError> {
    let mut response = Vec::new();
    let result = session.call(command, b"abc", &mut response, Media::None);
    result.map(|()| response)
}

#[test]
fn only_what_leaves_nothing_behind_may_be_repeated() {
    for command in Command::ALL {
        let expected = match command {
            Command::Describe | Command::DeviceKey | Command::WipeBuffer => Effect::None,
            Command::OpenSession => Effect::InInstance,
            _ => Effect::Lasting,
        };
        assert_eq!((KEY.effect)(command.code()), expected, "{command:?}");
    }
    assert_eq!((KEY.effect)(0), Effect::Lasting);
    assert_eq!((KEY.effect)(u32::MAX), Effect::Lasting);
}

#[test]
fn a_connection_on_which_nothing_depends_finds_the_next_instance() {
    for command in [DESCRIBE, Command::DeviceKey.code(), OPEN] {
        let (board, mut session) = connected(mirror);
        board.kill();
        assert_eq!(call(&mut *session, command).unwrap(), b"cba");
        assert_eq!(board.commands(), [command, command], "asked again");
        assert_eq!(board.open(), ["context", "session", "memory"]);
        drop(session);
        assert!(board.open().is_empty());
    }
}

#[test]
fn what_may_have_been_done_is_not_repeated() {
    let lasting = Command::ALL
        .iter()
        .map(|command| command.code())
        .filter(|command| (KEY.effect)(*command) == Effect::Lasting);
    for command in lasting.chain([0, 0x7777]) {
        let (board, mut session) = connected(|_, _, _| panic!("the application dies"));
        let result = call(&mut *session, command);
        assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
        assert_eq!(board.commands(), [command]);
        let again = call(&mut *session, DESCRIBE);
        assert!(matches!(again, Err(TeeError::Dead)), "for good: {again:?}");
    }
}

#[test]
fn it_is_asked_again_once() {
    let (board, mut session) = connected(|_, _, _| panic!("the application dies"));
    let result = call(&mut *session, DESCRIBE);
    assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
    assert_eq!(board.commands(), [DESCRIBE; 2]);
    let result = call(&mut *session, DESCRIBE);
    assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
    assert_eq!(board.commands(), [DESCRIBE; 2], "it is known to be dead");
}

#[test]
fn a_connection_that_holds_something_is_not_led_to_another_instance() {
    for holding in [OPEN, LASTING] {
        let (board, mut session) = connected(mirror);
        call(&mut *session, holding).unwrap();
        board.kill();
        let result = call(&mut *session, DESCRIBE);
        assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
        assert_eq!(board.commands(), [holding, DESCRIBE]);
    }
}

#[test]
fn what_asks_only_leaves_the_connection_free() {
    let (board, mut session) = connected(mirror);
    call(&mut *session, DESCRIBE).unwrap();
    board.kill();
    call(&mut *session, OPEN).unwrap();
    board.kill();
    assert!(matches!(call(&mut *session, OPEN), Err(TeeError::Dead)));
}

#[test]
fn a_failure_to_reopen_says_why() {
    let (board, mut session) = connected(mirror);
    board.kill();
    board.refuse(Call::OpenSession, raw::TEEC_ERROR_SECURITY);
    let result = call(&mut *session, DESCRIBE);
    assert!(
        matches!(&result, Err(TeeError::Unavailable(why)) if why.contains("signature")),
        "{result:?}"
    );
    board.refuse(Call::OpenSession, raw::TEEC_SUCCESS);
    call(&mut *session, DESCRIBE).expect("it may be tried again");
}

#[test]
fn one_thread_makes_every_call_whoever_asks() {
    static SEEN: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
    let (_board, mut session) = connected(|command, request, media| {
        SEEN.lock().unwrap().push(thread::current().id());
        mirror(command, request, media)
    });
    for _ in 0..3 {
        session = thread::spawn(move || {
            call(&mut *session, LASTING).unwrap();
            SEEN.lock().unwrap().push(thread::current().id());
            session
        })
        .join()
        .unwrap();
    }
    let seen = SEEN.lock().unwrap();
    assert_eq!(seen.len(), 6);
    let (owner, asked): (Vec<_>, Vec<_>) = seen.chunks(2).map(|pair| (pair[0], pair[1])).unzip();
    assert!(owner.iter().all(|thread| *thread == owner[0]));
    assert!(asked.iter().all(|thread| *thread != owner[0]));
    assert_ne!(owner[0], thread::current().id());
}
