//! Calls that are cancelled from another thread.

use super::*;
use crate::application::KEY;
use crate::sys::{Device, Place, Range, Slots, Step, UnderWay};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A connection whose calls wait until they are cancelled, and then end with `code`; what comes out
/// of the channel says that one has begun.
fn waiting(code: u32) -> (Board, Box<dyn TeeSession>, Mutex<mpsc::Receiver<()>>) {
    let board = Board::new();
    let asked = board.cancellations();
    let (begun, begins) = mpsc::channel();
    board.script(move |_, request, media| {
        begun.send(()).unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while asked.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < end, "nobody cancels");
            thread::yield_now();
        }
        asked.store(0, Ordering::SeqCst);
        Answer {
            code,
            ..mirror(0, request, media)
        }
    });
    let session = connect(&board).unwrap();
    (board, session, Mutex::new(begins))
}

/// What comes of a call that is cancelled once it has begun.
fn cancelled(
    session: &mut dyn TeeSession,
    begins: &Mutex<mpsc::Receiver<()>>,
) -> Result<(), TeeError> {
    let canceller = session.canceller().expect("OP-TEE can");
    thread::scope(|scope| {
        scope.spawn(|| {
            begins.lock().unwrap().recv().unwrap();
            canceller.cancel();
        });
        session.call(3, b"abc", &mut Vec::new(), Media::None)
    })
}

#[test]
fn a_call_that_waits_can_be_cancelled_and_the_connection_goes_on() {
    for code in [raw::TEEC_ERROR_CANCEL, raw::TEEC_ERROR_EXTERNAL_CANCEL] {
        let (board, mut session, begins) = waiting(code);
        for _ in 0..3 {
            let result = cancelled(&mut *session, &begins);
            assert!(matches!(result, Err(TeeError::Cancelled)), "{result:?}");
        }
        board.script(mirror);
        session.call(3, b"", &mut Vec::new(), Media::None).unwrap();
    }
}

#[test]
fn what_is_done_all_the_same_is_not_undone() {
    let (_board, mut session, begins) = waiting(raw::TEEC_SUCCESS);
    cancelled(&mut *session, &begins).unwrap();
}

#[test]
fn between_two_calls_nothing_is_cancelled() {
    let (board, mut session) = connected(mirror);
    let canceller = session.canceller().unwrap();
    canceller.cancel();
    session.call(3, b"", &mut Vec::new(), Media::None).unwrap();
    canceller.cancel();
    session.call(3, b"", &mut Vec::new(), Media::None).unwrap();
    drop(session);
    canceller.cancel();
    assert_eq!(board.cancellations().load(Ordering::SeqCst), 0);
}

#[test]
fn a_call_that_is_cancelled_on_its_way_is_not_made() {
    let board = Board::new();
    board.script(mirror);
    let plugged = board.plug();
    let mut device = Device::open(&KEY.uuid().unwrap()).unwrap();
    drop(plugged);
    let memory = device.allocate(4096).unwrap();
    let part = |offset, len| Place {
        memory: Arc::clone(&memory),
        range: Range { offset, len },
    };
    let slots = Slots {
        request: part(0, 3),
        response: part(8, 8),
        media_in: part(16, 0),
        media_out: part(16, 0),
    };
    let under_way = UnderWay::default();
    under_way.begin();
    under_way.cancel();
    let failure = device.invoke(3, &slots, &under_way).unwrap_err();
    assert_eq!(
        (failure.step, failure.code),
        (Step::Command, raw::TEEC_ERROR_CANCEL)
    );
    assert!(board.commands().is_empty());
    under_way.begin();
    device.invoke(3, &slots, &under_way).unwrap();
    assert_eq!(board.commands(), [3], "the next one is");
}

#[test]
fn cancelling_at_any_moment_leaves_nothing_behind() {
    let (board, mut session) = connected(mirror);
    let canceller = session.canceller().unwrap();
    let ended = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                canceller.cancel();
            }
        });
        let mut response = Vec::new();
        for _ in 0..2_000 {
            match session.call(3, b"abc", &mut response, Media::None) {
                Ok(()) => assert_eq!(response, b"cba"),
                Err(TeeError::Cancelled) => assert!(response.is_empty()),
                Err(other) => panic!("{other}"),
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    session.call(3, b"", &mut Vec::new(), Media::None).unwrap();
    drop(session);
    assert!(board.open().is_empty());
}
