//! Protected buffers on any machine: the genuine backend and the genuine core over a simulated board,
//! whose buffers no client can look into. What runs in OP-TEE is `tests/tests/optee_protected.rs`.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use keybearer_fake_libteec::Board;
use keybearer_rules::Level;
use keybearer_tee::{CallError, TeeError};
use keybearer_tee_optee::OpteeTee;
use keybearer_tests::buffers::{Viewer, decrypt_openly, register};
use keybearer_tests::high::refusal;
use keybearer_tests::high::scenarios::Ground;
use keybearer_tests::service::Service;
use keybearer_wire::Status;

const SIZE: usize = 70_000;

/// Runs a test on a board of its own; gets a viewer, a unit and what that is in clear.
fn on_a_board(test: impl FnOnce(&Board, &Ground, Viewer, &[u8], &[u8])) {
    let board = Board::new();
    let plugged = board.plug();
    let ground = Ground::new(Arc::new(OpteeTee), Service::start(&[]), Level::None);
    register(&ground, Level::None);
    let unit: Vec<u8> = (0..SIZE).map(|at| (at * 7).to_le_bytes()[0]).collect();
    let mut clear = vec![0; SIZE];
    decrypt_openly(&ground, false, &unit, &mut clear).unwrap();
    assert_ne!(clear, unit);
    let viewer = Viewer::new(&ground);
    test(&board, &ground, viewer, &unit, &clear);
    drop(ground);
    drop(plugged);
    assert!(board.open().is_empty(), "{:?}", board.open());
}

/// The buffer's content is zeros.
fn is_wiped(board: &Board, fd: &OwnedFd) -> bool {
    let content = board.protected_content(fd.as_fd()).unwrap();
    content.iter().all(|byte| *byte == 0)
}

#[test]
fn a_unit_lands_in_the_buffer_and_is_wiped_when_it_is_released() {
    on_a_board(|board, _, mut viewer, unit, clear| {
        let fd = board.protected_buffer(SIZE + 200);
        let buffer = viewer.keys.register_buffer(fd.as_fd()).unwrap();
        let done = viewer.deliver(unit, buffer.range(64, SIZE + 100)).unwrap();
        assert_eq!(done.bytes, SIZE as u64);
        let content = board.protected_content(fd.as_fd()).unwrap();
        assert_eq!(content[..64], [0; 64]);
        assert_eq!(content[64..][..SIZE], *clear);
        // A shorter unit leaves nothing of a longer one behind it.
        viewer
            .deliver(&unit[..100], buffer.range(64, SIZE))
            .unwrap();
        let content = board.protected_content(fd.as_fd()).unwrap();
        assert_eq!(content[64..164], clear[..100]);
        assert_eq!(content[164..], [0; SIZE + 36]);
        viewer.keys.release_buffer(buffer).unwrap();
        assert!(is_wiped(board, &fd));
        // Too small for the unit, outside the buffer, of nobody: nothing is written.
        let buffer = viewer.keys.register_buffer(fd.as_fd()).unwrap();
        let small = viewer.deliver(unit, buffer.range(0, SIZE - 1));
        assert_eq!(refusal(small), Status::MediaMismatch);
        let outside = viewer.deliver(unit, buffer.range(201, SIZE));
        assert!(matches!(
            outside,
            Err(CallError::Transport(TeeError::TooLarge { .. }))
        ));
        assert!(is_wiped(board, &fd));
    });
}

#[test]
fn a_protected_session_decrypts_to_no_other_memory() {
    on_a_board(|board, ground, mut viewer, unit, _| {
        let mut output = vec![0x77; SIZE];
        let openly = decrypt_openly(ground, true, unit, &mut output);
        assert_eq!(refusal(openly), Status::UnprotectedOutput);
        assert!(output.iter().all(|byte| *byte == 0x77));
        // A descriptor of something else is none, and nothing takes its place.
        let (reader, _) = std::io::pipe().unwrap();
        let foreign = Board::new().protected_buffer(SIZE);
        for fd in [reader.as_fd(), foreign.as_fd()] {
            let refused = viewer.keys.register_buffer(fd);
            assert!(matches!(refused, Err(TeeError::NoProtectedBuffer(_))));
        }
        // Nor does another session's buffer serve this one.
        let fd = board.protected_buffer(SIZE);
        let mut other = Viewer::new(ground);
        let buffer = other.keys.register_buffer(fd.as_fd()).unwrap();
        let refused = viewer.deliver(unit, buffer.range(0, SIZE));
        assert!(matches!(
            refused,
            Err(CallError::Transport(TeeError::NoProtectedBuffer(_)))
        ));
        assert!(is_wiped(board, &fd));
    });
}

#[test]
fn a_session_that_ends_leaves_nothing_in_its_buffers() {
    on_a_board(|board, _, mut viewer, unit, clear| {
        let fds = [(); 2].map(|()| board.protected_buffer(SIZE));
        for fd in &fds {
            let buffer = viewer.keys.register_buffer(fd.as_fd()).unwrap();
            viewer.deliver(unit, buffer.range(0, SIZE)).unwrap();
            assert_eq!(board.protected_content(fd.as_fd()).unwrap(), clear);
        }
        drop(viewer);
        assert!(fds.iter().all(|fd| is_wiped(board, fd)));
    });
}

#[test]
fn what_an_instance_that_died_left_the_next_one_wipes() {
    on_a_board(|board, _, mut viewer, unit, clear| {
        let fds = [(); 2].map(|()| board.protected_buffer(SIZE));
        let buffers = fds.each_ref().map(|fd| {
            let buffer = viewer.keys.register_buffer(fd.as_fd()).unwrap();
            viewer.deliver(unit, buffer.range(0, SIZE)).unwrap();
            buffer
        });
        board.kill();
        let dead = viewer.deliver(unit, buffers[0].range(0, SIZE));
        assert!(matches!(dead, Err(CallError::Transport(TeeError::Dead))));
        // A buffer survives the instance with what is in it.
        assert_eq!(board.protected_content(fds[0].as_fd()).unwrap(), clear);
        viewer.keys.release_buffer(buffers[0]).unwrap();
        assert!(is_wiped(board, &fds[0]) && !is_wiped(board, &fds[1]));
        drop(viewer);
        assert!(is_wiped(board, &fds[1]));
    });
}
