//! The heap of a trusted application, simulated beside the real one: one piece of memory, from which
//! blocks are taken as OP-TEE's allocator takes them (bget, first fit). What is reckoned must be enough
//! there too, where memory that is free may lie in pieces.
//!
//! An allocation that finds no hole ends the application. Here it is counted, and had all the same.
//! The test's own allocator tells of every block with [`allocated`] and [`released`].

#![allow(dead_code, reason = "each test binary uses some of it")]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// What a block takes, in bytes: an allocator with boundary tags rounds up to 16 and adds its headers.
pub(crate) const fn charge(size: usize) -> usize {
    size.next_multiple_of(16) + 32
}

#[derive(Default)]
struct Heap {
    /// Where each hole begins, and its size, in the order in which they are looked at.
    holes: Vec<(usize, usize)>,
    /// What lies where, by its real address.
    blocks: HashMap<usize, (usize, usize)>,
    /// Allocations that found no hole.
    failures: usize,
}

/// A rest of no more bytes is given away with the block before it.
const REST: usize = 32;

impl Heap {
    fn take(&mut self, address: usize, size: usize) {
        let Some(at) = self.holes.iter().position(|hole| hole.1 >= size) else {
            self.failures += 1;
            return;
        };
        let (start, hole) = self.holes[at];
        let block = if hole - size <= REST {
            self.holes.remove(at)
        } else {
            // From the hole's end.
            self.holes[at].1 -= size;
            (start + hole - size, size)
        };
        self.blocks.insert(address, block);
    }

    fn give(&mut self, address: usize) {
        let Some((start, size)) = self.blocks.remove(&address) else {
            return;
        };
        let mut holes = self.holes.iter();
        let mut at = match holes.position(|hole| hole.0 + hole.1 == start) {
            Some(before) => before,
            None => {
                self.holes.push((start, 0));
                self.holes.len() - 1
            }
        };
        self.holes[at].1 += size;
        let mut holes = self.holes.iter();
        if let Some(behind) = holes.position(|hole| hole.0 == start + size) {
            let (_, more) = self.holes.remove(behind);
            at -= usize::from(behind < at);
            self.holes[at].1 += more;
        }
    }
}

std::thread_local! {
    /// This thread's, while it is simulated.
    static HEAP: RefCell<Option<Heap>> = const { RefCell::new(None) };
    /// True while the books of the simulation are kept: their own memory is no part of it.
    static KEEPING: Cell<bool> = const { Cell::new(false) };
}

fn keep(books: impl FnOnce(&mut Heap)) {
    if KEEPING.try_with(|keeping| keeping.replace(true)) != Ok(false) {
        return;
    }
    let _ = HEAP.try_with(|heap| heap.borrow_mut().as_mut().map(books));
    KEEPING.set(false);
}

pub(crate) fn allocated(address: usize, size: usize) {
    keep(|heap| heap.take(address, charge(size)));
}

pub(crate) fn released(address: usize) {
    keep(|heap| heap.give(address));
}

/// Runs what is no part of the application, and takes no memory of its heap.
pub(crate) fn outside<R>(run: impl FnOnce() -> R) -> R {
    keeping(true, run)
}

/// Runs what is, on behalf of somebody outside.
pub(crate) fn inside<R>(run: impl FnOnce() -> R) -> R {
    keeping(false, run)
}

fn keeping<R>(books: bool, run: impl FnOnce() -> R) -> R {
    let before = KEEPING.replace(books);
    let result = run();
    KEEPING.set(before);
    result
}

/// How many allocations of `run` found no memory in a heap of `size` bytes.
pub(crate) fn failures<R>(size: usize, run: impl FnOnce() -> R) -> (usize, R) {
    KEEPING.set(true);
    HEAP.set(Some(Heap {
        holes: vec![(0, size)],
        ..Heap::default()
    }));
    KEEPING.set(false);
    let result = run();
    KEEPING.set(true);
    let heap = HEAP.take().expect("it was put there");
    let failures = heap.failures;
    drop(heap);
    KEEPING.set(false);
    (failures, result)
}
