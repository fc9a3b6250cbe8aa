#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use super::*;

fn regions() -> Arc<Regions> {
    Arc::new(Regions::default())
}

#[test]
fn nobody_can_change_the_size_of_shared_memory() {
    let file = memory_file(5000).unwrap();
    for size in [0, 4999, 5001, 1 << 20] {
        assert!(rustix::fs::ftruncate(&file, size).is_err(), "{size}");
    }
    let more = rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE);
    assert!(more.is_err(), "nor take away what is there");
    let flags = rustix::io::fcntl_getfd(&file).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
fn slices_are_found_by_where_they_lie() {
    let regions = regions();
    let first = regions.make(1000).unwrap().unwrap();
    let second = regions.make(1000).unwrap().unwrap();
    let found = |slice: &[u8]| {
        let (region, offset) = regions.find(slice)?;
        Some((region.name, offset))
    };
    for handle in [&first, &second] {
        let (name, bytes) = (handle.region.name, handle.bytes());
        assert_eq!(found(bytes), Some((name, 0)));
        assert_eq!(found(&bytes[999..]), Some((name, 999)));
        assert_eq!(found(&bytes[17..400]), Some((name, 17)));
    }
    assert_ne!(first.region.name, second.region.name);
    assert_eq!(found(&[0; 10]), None);
    assert_eq!(found(&vec![0; 100_000]), None);
}

/// Memory beside it may be anybody's.
#[test]
fn what_lies_there_only_in_part_is_not_found() {
    let bytes = [0_u8; 64];
    let at = bytes.as_ptr().addr();
    let region = |range| Region {
        name: 1,
        file: memory_file(1).unwrap(),
        range,
        known_to: AtomicU64::new(0),
    };
    assert_eq!(region(at..at + 64).offset_of(&bytes), Some(0));
    assert_eq!(region(at - 10..at + 64).offset_of(&bytes), Some(10));
    assert_eq!(region(at + 1..at + 64).offset_of(&bytes), None);
    assert_eq!(region(at..at + 63).offset_of(&bytes), None);
    assert_eq!(region(at + 64..at + 99).offset_of(&bytes), None);
}

#[test]
fn addresses_are_forgotten_before_they_are_used_again() {
    let regions = regions();
    let handle = regions.make(1 << 20).unwrap().unwrap();
    let slice_at = handle.region.range.clone();
    drop(handle);
    let list = regions.list();
    let overlap = |region: &Arc<Region>| region.range.contains(&slice_at.start);
    assert!(!list.shared.iter().any(overlap));
    assert!(list.retired.is_empty(), "no worker was ever told");
}

#[test]
fn what_a_worker_was_told_of_it_is_told_to_forget() {
    let regions = regions();
    let handle = regions.make(10).unwrap().unwrap();
    handle.region.set_known_to(3);
    assert!(handle.region.is_known_to(3) && !handle.region.is_known_to(4));
    let name = handle.region.name;
    drop(handle);
    assert_eq!(regions.list().retired, [name]);
}

#[test]
fn there_is_an_end_to_sharing() {
    let regions = regions();
    let all: Vec<_> = (0..MAX_REGIONS / 2)
        .map(|_| regions.make(1).unwrap().unwrap())
        .collect();
    assert!(regions.make(1).unwrap().is_none());
    drop(all);
    assert!(regions.make(1).unwrap().is_some());
}

#[test]
fn memory_outlives_the_backend_it_came_from() {
    let regions = regions();
    let mut handle = regions.make(10).unwrap().unwrap();
    drop(regions);
    handle.bytes_mut().fill(5);
    assert_eq!(handle.bytes(), [5; 10]);
}
