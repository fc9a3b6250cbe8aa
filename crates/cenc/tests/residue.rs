//! An expanded key leaves no copy of itself on the stack that made it.
//!
//! The scanner reads this process's own memory through `/proc`, so that it sees what lies below the
//! stack pointer; that it does is shown first, by a key it finds where it was left.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;

use keybearer_cenc::ContentKey;

/// The stack that holds `here`: from its lowest address up to `here`.
fn stack_below(here: u64) -> (u64, u64) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let inside = |line: &str| {
        let (range, _) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let from = u64::from_str_radix(from, 16).ok()?;
        let to = u64::from_str_radix(to, 16).ok()?;
        (from..to).contains(&here).then_some((from, here))
    };
    maps.lines().find_map(inside).unwrap()
}

/// How often the complement of `complement` lies in the unused stack of this thread. Another thread
/// reads it, whose own frames overwrite nothing; and what is searched for is never written out.
fn left_on_the_stack(complement: &[u8; 16]) -> usize {
    let marker = 0_u8;
    let here = std::ptr::from_ref(black_box(&marker)).addr() as u64;
    std::thread::scope(|scope| scope.spawn(|| count(here, complement)).join().unwrap())
}

fn count(here: u64, complement: &[u8; 16]) -> usize {
    let (from, to) = stack_below(here);
    let mut memory = vec![0; usize::try_from(to - from).unwrap()];
    let file = File::open("/proc/self/mem").unwrap();
    file.read_exact_at(&mut memory, from).unwrap();
    memory
        .windows(16)
        .filter(|window| window.iter().zip(complement).all(|(a, b)| *a == !*b))
        .count()
}

/// Runs `work` so far down the stack that nothing called later reaches its frames.
#[inline(never)]
fn deep_down(work: impl FnOnce()) {
    let above = [0_u8; 128 * 1024];
    black_box(&above);
    work();
    black_box(&above);
}

/// A key nobody else has, on the heap.
fn key(seed: u8) -> (Box<[u8; 16]>, Box<[u8; 16]>) {
    let mut key = Box::new([0; 16]);
    let mut complement = Box::new([0; 16]);
    for (at, (k, c)) in key.iter_mut().zip(complement.iter_mut()).enumerate() {
        *k = black_box(seed)
            .wrapping_mul(37)
            .wrapping_add(u8::try_from(at).unwrap() * 11)
            ^ 0x5a;
        *c = !*k;
    }
    (key, complement)
}

/// As a careless caller would: the expanded key lies in a frame that is then left.
#[inline(never)]
fn careless(key: &[u8; 16]) {
    let mut kept = std::mem::ManuallyDrop::new(ContentKey::new(key));
    black_box(&mut *kept);
}

#[test]
fn the_scanner_finds_what_a_careless_caller_leaves() {
    let (key, complement) = key(1);
    deep_down(|| careless(&key));
    assert!(left_on_the_stack(&complement) > 0);
}

#[test]
fn expanding_into_a_place_leaves_no_copy_on_the_stack() {
    let (key, complement) = key(2);
    let mut places: Vec<Option<ContentKey>> = Vec::with_capacity(4);
    deep_down(|| {
        for _ in 0..4 {
            places.push(None);
            ContentKey::expand(places.last_mut().unwrap(), &key);
        }
    });
    assert_eq!(left_on_the_stack(&complement), 0);
    assert!(places.iter().all(Option::is_some));
}
