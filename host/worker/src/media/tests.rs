#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::os::fd::AsFd;

use rustix::fs::MemfdFlags;

use super::*;

fn memory(len: usize) -> Mapping {
    let file = rustix::fs::memfd_create("media", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, len as u64).unwrap();
    Mapping::new(file.as_fd(), len).unwrap()
}

#[test]
fn only_what_lies_inside_is_a_piece() {
    let memory = memory(100);
    for (offset, len) in [(0, 0), (0, 100), (100, 0), (40, 60), (99, 1)] {
        assert!(
            Piece::new(&memory, offset, len).is_some(),
            "{offset}, {len}"
        );
    }
    for (offset, len) in [
        (0, 101),
        (1, 100),
        (101, 0),
        (u64::MAX, 1),
        (1, u64::MAX),
        (u64::MAX, u64::MAX),
    ] {
        assert!(
            Piece::new(&memory, offset, len).is_none(),
            "{offset}, {len}"
        );
    }
}

#[test]
fn a_piece_ends_where_it_ends_though_its_memory_goes_on() {
    let memory = memory(100);
    memory.write(0, &[1; 100]).unwrap();
    let piece = |offset, len| Piece::new(&memory, offset, len).unwrap();
    let mut media = SharedMedia {
        input: piece(10, 20),
        output: piece(50, 30),
    };
    assert_eq!((media.input_len(), media.output_len()), (20, 30));
    let mut room = [0; 20];
    media.read(0, &mut room).unwrap();
    assert_eq!(room, [1; 20]);
    assert_eq!(media.read(1, &mut room), Err(MediaError));
    assert_eq!(media.read(usize::MAX, &mut room), Err(MediaError));
    media.write(29, &[7]).unwrap();
    assert_eq!(media.write(29, &[8, 8]), Err(MediaError));
    assert_eq!(media.write(30, &[8]), Err(MediaError));
    let mut all = [0; 100];
    memory.read(0, &mut all).unwrap();
    let mut expected = [1; 100];
    expected[79] = 7;
    assert_eq!(all, expected);
}
