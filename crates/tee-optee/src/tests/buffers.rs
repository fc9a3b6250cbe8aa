//! Protected buffers: the trusted application writes to them, and nothing here sees what.

use super::*;
use std::os::fd::{AsFd, OwnedFd};

fn opened(board: &Board) -> OpteeSession {
    board.script(mirror);
    let _plugged = board.plug();
    OpteeTee.open().unwrap()
}

#[test]
fn clear_media_lands_in_the_buffer_and_nowhere_else() {
    let board = Board::new();
    let mut session = opened(&board);
    let fd: OwnedFd = board.protected_buffer(64);
    let buffer = session.register_buffer(fd.as_fd()).unwrap();
    assert_eq!(buffer.len(), 64);
    assert!(!buffer.is_empty());
    let mut response = vec![9];
    let written = session
        .call_into(3, b"abc", &mut response, &[0x0f; 16], (&buffer, 8, 24))
        .unwrap();
    assert_eq!((written, &*response), (16, &b"cba"[..]));
    let content = board.protected_content(fd.as_fd()).unwrap();
    assert_eq!(content[..8], [0; 8]);
    assert_eq!(content[8..24], [0xf0; 16]);
    assert_eq!(content[24..], [0; 40]);

    // From memory that is shared it goes without a copy, and the descriptor is needed no more.
    let mut shared = session.shared_memory(40).unwrap().unwrap();
    shared.bytes_mut().fill(0x3c);
    session
        .call_into(3, b"", &mut response, shared.bytes(), (&buffer, 24, 40))
        .unwrap();
    assert_eq!(shared.bytes(), [0x3c; 40]);
    let content = board.protected_content(fd.as_fd()).unwrap();
    assert_eq!(content[24..], [0xc3; 40]);
}

#[test]
fn other_files_are_refused() {
    let board = Board::new();
    let mut session = opened(&board);
    let (reader, _) = std::io::pipe().unwrap();
    let foreign = Board::new().protected_buffer(64);
    for fd in [reader.as_fd(), foreign.as_fd()] {
        let error = session.register_buffer(fd).unwrap_err();
        assert!(
            matches!(&error, TeeError::Unavailable(why) if why.contains("0xffff0006")),
            "{error}"
        );
    }
    assert_eq!(board.open(), ["context", "session", "memory"]);
}

#[test]
fn a_range_outside_the_buffer_is_refused_before_the_call() {
    let board = Board::new();
    let mut session = opened(&board);
    let fd = board.protected_buffer(64);
    let buffer = session.register_buffer(fd.as_fd()).unwrap();
    for (offset, len) in [(0, 65), (64, 1), (1, 64), (usize::MAX, 1), (65, 1)] {
        let result = session.call_into(3, b"", &mut Vec::new(), b"", (&buffer, offset, len));
        assert!(
            matches!(
                result,
                Err(TeeError::TooLarge {
                    what: "protected output",
                    ..
                })
            ),
            "{offset} + {len}: {result:?}"
        );
    }
    assert!(board.commands().is_empty());
}

#[test]
fn a_buffer_serves_the_connection_that_registered_it() {
    let board = Board::new();
    let (mut one, mut other) = (opened(&board), opened(&board));
    let fd = board.protected_buffer(64);
    let buffer = one.register_buffer(fd.as_fd()).unwrap();
    let result = other.call_into(3, b"", &mut Vec::new(), b"", (&buffer, 0, 64));
    assert!(
        matches!(result, Err(TeeError::Unavailable(_))),
        "{result:?}"
    );
    assert!(board.commands().is_empty());
}

#[test]
fn a_size_that_lies_is_refused() {
    let board = Board::new();
    let mut session = opened(&board);
    let fd = board.protected_buffer(64);
    let buffer = session.register_buffer(fd.as_fd()).unwrap();
    board.script(|_, _, _| Answer {
        claimed: Some((1, 33)),
        ..answer(vec![0], Vec::new())
    });
    let result = session.call_into(3, b"", &mut Vec::new(), b"", (&buffer, 32, 32));
    assert!(matches!(result, Err(TeeError::BadAnswer(_))), "{result:?}");
}

#[test]
fn a_buffer_outlives_its_connection_and_is_released() {
    let board = Board::new();
    let mut session = opened(&board);
    let fd = board.protected_buffer(64);
    let buffer = session.register_buffer(fd.as_fd()).unwrap();
    drop(session);
    assert_eq!(board.open(), ["context", "memory"]);
    drop(buffer);
    assert!(board.open().is_empty());
}

#[test]
fn a_dead_connection_registers_nothing() {
    let board = Board::new();
    let mut session = opened(&board);
    let fd = board.protected_buffer(64);
    let buffer = session.register_buffer(fd.as_fd()).unwrap();
    board.kill();
    for _ in 0..2 {
        let result = session.call_into(3, b"", &mut Vec::new(), b"", (&buffer, 0, 64));
        assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
    }
    let result = session.register_buffer(fd.as_fd());
    assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
}
