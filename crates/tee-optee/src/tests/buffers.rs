//! Protected buffers: the trusted application writes to them, and nothing here sees what.

use super::*;
use crate::{PROTECTED_HEAP, heap, protected_buffer};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

fn opened(board: &Board) -> Box<dyn TeeSession> {
    board.script(mirror);
    connect(board).unwrap()
}

#[test]
fn clear_media_lands_in_the_buffer_and_nowhere_else() {
    let board = Board::new();
    let mut session = opened(&board);
    let fd: OwnedFd = board.protected_buffer(64);
    let buffer = session.register_buffer(fd.as_fd()).unwrap();
    assert_eq!(buffer.size(), 64);
    let mut response = vec![9];
    let range = buffer.range(8, 24);
    session
        .call_into(3, b"abc", &mut response, &[0x0f; 16], range)
        .unwrap();
    assert_eq!(response, b"cba");
    let content = board.protected_content(fd.as_fd()).unwrap();
    assert_eq!(content[..8], [0; 8]);
    assert_eq!(content[8..24], [0xf0; 16]);
    assert_eq!(content[24..], [0; 40]);

    // From memory that is shared it goes without a copy, and the descriptor is needed no more.
    let mut shared = session.shared_memory(40).unwrap().unwrap();
    shared.bytes_mut().fill(0x3c);
    let range = buffer.range(24, 40);
    session
        .call_into(3, b"", &mut response, shared.bytes(), range)
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
            matches!(&error, TeeError::NoProtectedBuffer(why) if why.contains("0xffff0006")),
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
    let outside = [(0, 65), (64, 1), (1, 64), (usize::MAX, 1), (65, 1)];
    for (offset, len) in outside {
        let range = buffer.range(offset, len);
        let result = session.call_into(3, b"", &mut Vec::new(), b"", range);
        let Err(TeeError::TooLarge { what, .. }) = result else {
            panic!("{offset} + {len}: {result:?}");
        };
        assert_eq!(what, "protected output");
    }
    // A whole buffer may be more than one call carries.
    let large = board.protected_buffer(OPTEE_MAX_MEDIA + 1);
    let large = session.register_buffer(large.as_fd()).unwrap();
    let range = large.range(0, large.size());
    let result = session.call_into(3, b"", &mut Vec::new(), b"", range);
    assert!(matches!(result, Err(TeeError::TooLarge { .. })));
    assert!(board.commands().is_empty());
    let range = large.range(1, OPTEE_MAX_MEDIA);
    session
        .call_into(3, b"", &mut Vec::new(), b"", range)
        .unwrap();
}

#[test]
fn a_buffer_serves_the_connection_that_registered_it() {
    let board = Board::new();
    let (mut one, mut other) = (opened(&board), opened(&board));
    let fd = board.protected_buffer(64);
    let buffer = one.register_buffer(fd.as_fd()).unwrap();
    let own = other.register_buffer(fd.as_fd()).unwrap();
    assert_ne!(buffer, own);
    let result = other.call_into(3, b"", &mut Vec::new(), b"", buffer.range(0, 64));
    assert!(
        matches!(result, Err(TeeError::NoProtectedBuffer(_))),
        "{result:?}"
    );
    one.release_buffer(buffer);
    one.release_buffer(buffer);
    let result = one.call_into(3, b"", &mut Vec::new(), b"", buffer.range(0, 64));
    assert!(
        matches!(result, Err(TeeError::NoProtectedBuffer(_))),
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
    let result = session.call_into(3, b"", &mut Vec::new(), b"", buffer.range(32, 32));
    assert!(matches!(result, Err(TeeError::BadAnswer(_))), "{result:?}");
}

#[test]
fn buffers_are_released_one_by_one_and_with_their_connection() {
    let board = Board::new();
    let mut session = opened(&board);
    let fd = board.protected_buffer(64);
    let first = session.register_buffer(fd.as_fd()).unwrap();
    session.register_buffer(fd.as_fd()).unwrap();
    let memories = |board: &Board| {
        board
            .open()
            .iter()
            .filter(|open| **open == "memory")
            .count()
    };
    assert_eq!(memories(&board), 3, "the arena, and each registration");
    session.release_buffer(first);
    assert_eq!(memories(&board), 2);
    drop(session);
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
        let result = session.call_into(3, b"", &mut Vec::new(), b"", buffer.range(0, 64));
        assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
    }
    let result = session.register_buffer(fd.as_fd());
    assert!(matches!(result, Err(TeeError::Dead)), "{result:?}");
}

/// No ordinary memory is given in place of what there is not.
#[test]
fn without_a_heap_there_is_no_buffer() {
    let folder = std::env::temp_dir();
    let absent = heap::of(&folder.join("no-such-heap"), 4096).unwrap_err();
    assert!(
        matches!(&absent, TeeError::NoProtectedBuffer(why) if why.contains("no-such-heap")),
        "{absent}"
    );
    // Something is there, and is no heap.
    let file = folder.join(format!("no-heap-{}", std::process::id()));
    File::create(&file).unwrap();
    let other = heap::of(&file, 4096);
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(other, Err(TeeError::Io { .. })), "{other:?}");
    // As on every machine without such an OP-TEE.
    if !Path::new(PROTECTED_HEAP).exists() {
        let none = protected_buffer(4096).unwrap_err();
        assert!(none.to_string().contains(PROTECTED_HEAP), "{none}");
    }
}
