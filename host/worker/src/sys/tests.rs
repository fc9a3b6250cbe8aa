#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::os::fd::AsFd;

use rustix::fs::MemfdFlags;

use super::*;

fn mapping(len: usize) -> (OwnedFd, Mapping) {
    let file = rustix::fs::memfd_create("media", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, len as u64).unwrap();
    let mapping = Mapping::new(file.as_fd(), len).unwrap();
    (file, mapping)
}

#[test]
fn copies_reach_every_byte_and_none_beyond() {
    const LEN: usize = 5000;
    let (file, mapping) = mapping(LEN);
    assert_eq!(mapping.len(), LEN);
    let all: Vec<u8> = (0..LEN).map(|at| at.to_le_bytes()[0]).collect();
    mapping.write(0, &all).unwrap();
    mapping.write(LEN - 1, &[0xee]).unwrap();
    let mut seen = vec![0; LEN];
    assert_eq!(rustix::io::pread(&file, &mut seen[..], 0).unwrap(), LEN);
    assert_eq!((&seen[..LEN - 1], seen[LEN - 1]), (&all[..LEN - 1], 0xee));

    let mut copied = vec![0; LEN];
    mapping.read(0, &mut copied).unwrap();
    assert_eq!(copied, seen);
    mapping.read(LEN, &mut []).unwrap();
    for (offset, len) in [
        (0, LEN + 1),
        (1, LEN),
        (LEN, 1),
        (LEN + 1, 0),
        (usize::MAX, 1),
    ] {
        let mut room = vec![0xaa; len];
        assert_eq!(mapping.read(offset, &mut room), None, "{offset}, {len}");
        assert_eq!(room, vec![0xaa; len]);
        assert_eq!(mapping.write(offset, &room), None, "{offset}, {len}");
    }
    mapping.read(0, &mut copied).unwrap();
    assert_eq!(copied, seen, "nothing was written in part");
}

#[test]
fn nothing_is_no_mapping() {
    let file = rustix::fs::memfd_create("media", MemfdFlags::CLOEXEC).unwrap();
    assert!(Mapping::new(file.as_fd(), 0).is_err());
}
