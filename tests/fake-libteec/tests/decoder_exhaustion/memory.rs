//! The memory of the application under test: the k-th allocation of it fails, and every byte is counted.
//! Instead of failing, an allocation can be looked at: who asks for it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// True while the application runs, whose memory may fail.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Allocations of the application that succeed before one fails; `None`: all do.
    pub(crate) static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// How many fail one after the other, until the command ends at the latest.
    pub(crate) static FAILS: Cell<usize> = const { Cell::new(1) };
    /// Whether the one behind those is looked at.
    pub(crate) static LOOKS: Cell<bool> = const { Cell::new(false) };
    /// True while one is looked at, which takes memory of its own.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
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
    let fails = FAILS.get();
    if fails <= 1 && !LOOKS.get() || fails == 0 {
        LEFT.set(None);
    }
    if fails == 0 {
        LOOKING.set(true);
        within(false, || say(&format!("asks {}", asking())));
        LOOKING.set(false);
        return false;
    }
    FAILS.set(fails - 1);
    FAILED.set(true);
    say("failure");
    true
}

/// The source file of the project, from its root, whose code asks for memory right now: the innermost one.
fn asking() -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let root = std::fs::canonicalize(root).expect("these sources are there");
    let trace = Backtrace::force_capture().to_string();
    let own = |line: &str| {
        // A folder that leads there, in front of it or not.
        let place = line.trim_start().strip_prefix("at ")?;
        let place = std::path::absolute(place.rsplit_once(':')?.0.rsplit_once(':')?.0).ok()?;
        let file = place.strip_prefix(&root).ok()?.to_str()?.to_owned();
        let allocator = file.ends_with("decoder_exhaustion/memory.rs");
        (!allocator).then_some(file)
    };
    trace.lines().find_map(own).unwrap_or_default()
}

/// Says to the parent what comes next, past all buffers: after an abort nobody can.
pub(crate) fn say(what: &str) {
    let mut out = std::io::stderr().lock();
    for part in ["at ", what, "\n"] {
        out.write_all(part.as_bytes())
            .expect("there is a parent that listens");
    }
}

fn hold(more: usize, less: usize) {
    if LOOKING.get() {
        return;
    }
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
