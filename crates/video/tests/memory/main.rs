//! Memory, counted: what decoding takes against what is reckoned, and that hostile streams stay below.
//!
//! Counted on the machine that runs the test, whose words are as wide as the trusted application's.
//! Each block is charged what an allocator with boundary tags takes at most: its size rounded up to
//! 16 bytes and 32 bytes of headers.

#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one counts and passes on"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod grid;
mod heap;
mod hostile;
#[path = "../support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use keybearer_video::{Picture, Sink, SinkFailed};

struct Counting;

std::thread_local! {
    /// Bytes in use by this thread, and the most there were: the tests run side by side.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// What a block takes.
fn charge(size: usize) -> isize {
    isize::try_from(support::heap::charge(size)).expect("no block is that large")
}

fn count(change: isize) {
    // While a thread ends its counters may be gone; nothing is measured then.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: every request is the system allocator's, with its own layout.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(charge(layout.size()));
        // SAFETY: passed on as it came.
        let block = unsafe { System.alloc(layout) };
        support::heap::allocated(block.addr(), layout.size());
        block
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-charge(layout.size()));
        support::heap::released(block.addr());
        // SAFETY: it came from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `run` has at once on top of what there was.
fn peak<R>(run: impl FnOnce() -> R) -> (usize, R) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = run();
    (usize::try_from(PEAK.get() - before).unwrap(), result)
}

/// Looks at nothing.
struct Blind;

impl Sink for Blind {
    fn present(&mut self, _: &Picture<'_>) -> Result<(), SinkFailed> {
        Ok(())
    }
}
