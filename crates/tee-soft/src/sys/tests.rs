#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::os::fd::AsFd;

use super::*;
use crate::memory::memory_file;

#[test]
fn two_mappings_of_one_file_are_one_memory() {
    let file = memory_file(10_000).unwrap();
    let mut one = Mapping::new(file.as_fd(), 10_000).unwrap();
    let other = Mapping::new(file.as_fd(), 10_000).unwrap();
    assert_ne!(one.address(), other.address());
    assert_eq!(other.bytes(), [0; 10_000]);
    one.bytes_mut()[9_999] = 7;
    assert_eq!(other.bytes()[9_999], 7);
    drop(one);
    drop(file);
    assert_eq!(other.bytes()[9_999], 7, "it lives as long as it is mapped");
}

#[test]
fn nothing_can_be_mapped_too() {
    let file = memory_file(0).unwrap();
    let mut mapping = Mapping::new(file.as_fd(), 0).unwrap();
    assert_eq!(mapping.bytes(), []);
    assert_eq!(mapping.bytes_mut(), []);
}

#[test]
fn what_is_dropped_is_unmapped() {
    let file = memory_file(4096).unwrap();
    let mapping = Mapping::new(file.as_fd(), 4096).unwrap();
    let line = format!("{:x}-", mapping.address());
    let mapped = || {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut lines = maps.lines();
        lines.any(|one| one.starts_with(&line) && one.contains("keybearer-media"))
    };
    assert!(mapped());
    drop(mapping);
    assert!(!mapped());
}

#[test]
fn what_cannot_be_mapped_is_an_error() {
    let file = memory_file(1).unwrap();
    assert!(Mapping::new(file.as_fd(), usize::MAX).is_err());
    let directory = std::fs::File::open("/").unwrap();
    assert!(Mapping::new(directory.as_fd(), 1).is_err());
}
