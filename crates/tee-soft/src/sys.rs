//! Shared memory as this process sees it: the only `unsafe` of this crate.

use std::ffi::c_void;
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags};

/// A memory file mapped whole, readable and writable, until it is dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is reached through `&self` only
// by reads and through `&mut self` by writes, as a boxed slice would be.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives no way to write.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of `file`, which must be at least so long and sealed against
    /// shrinking: an access beyond its end would kill the process.
    pub(crate) fn new(file: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        // Nothing of size zero can be mapped.
        let mapped = len.max(1);
        // SAFETY: a new mapping, placed where nothing is mapped, cannot disturb other memory.
        let at = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                mapped,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let at = NonNull::new(at.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { at, len })
    }

    /// Its first address.
    pub(crate) fn address(&self) -> usize {
        self.at.as_ptr().addr()
    }

    /// Its content.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes from `at` on are mapped for as long as `self` lives, and initialised,
        // since a new memory file reads as zeros. The worker has them mapped too: it writes to them
        // only during a call that names them as output, for which the caller gave the slice away
        // exclusively. It is this program's own trusted side, started by it; see the crate's head.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }

    /// Its content, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `&mut self` makes it the only access of this process.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length, and nothing borrows it any more.
        // It cannot fail for a range that is mapped; if it did, the memory would stay.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr().cast::<c_void>(), self.len.max(1)) };
    }
}

#[cfg(test)]
mod tests;
