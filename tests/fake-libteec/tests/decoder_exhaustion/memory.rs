//! The memory of the application under test: the k-th allocation of it fails, and every byte is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// True while the application runs, whose memory may fail.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Allocations of the application that succeed before one fails; `None`: all do.
    pub(crate) static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// Whether all that follow fail too, until the command ends.
    pub(crate) static LASTING: Cell<bool> = const { Cell::new(false) };
    pub(crate) static FAILED: Cell<bool> = const { Cell::new(false) };
    /// Bytes that this thread has and has not given back.
    pub(crate) static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Failing;

/// True when this allocation shall fail.
fn fails() -> bool {
    let Some(left) = LEFT.get().filter(|_| INSIDE.get()) else {
        return false;
    };
    if left > 0 {
        LEFT.set(Some(left - 1));
        return false;
    }
    if !LASTING.get() {
        LEFT.set(None);
    }
    FAILED.set(true);
    true
}

fn hold(more: usize, less: usize) {
    HELD.set(HELD.get() + more.cast_signed() - less.cast_signed());
}

// SAFETY: every request that does not fail is the system allocator's, with its own layout.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if fails() {
            return std::ptr::null_mut();
        }
        hold(layout.size(), 0);
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: it came from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if fails() {
            return std::ptr::null_mut();
        }
        hold(size, layout.size());
        // SAFETY: passed on as it came.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

/// Runs with the application's memory, or without.
pub(crate) fn within<R>(inside: bool, run: impl FnOnce() -> R) -> R {
    let before = INSIDE.replace(inside);
    let result = run();
    INSIDE.set(before);
    result
}

/// Runs the application: its panic is its end, as in the image, and no test's.
pub(crate) fn as_the_application<R>(run: impl FnOnce() -> R) -> R {
    let run = AssertUnwindSafe(|| within(true, run));
    catch_unwind(run).unwrap_or_else(|_| std::process::abort())
}
