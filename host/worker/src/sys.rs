//! What has no safe interface: shared memory, descriptors by number, locking memory. The only `unsafe`
//! of this crate.

use std::ffi::c_void;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags};

/// Memory shared with the host, which may change it at any time: no reference into it ever exists, and
/// bytes are only copied in and out.
#[derive(Debug)]
pub(crate) struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// Maps `len` bytes of `file`, of which the caller has checked that it has them and cannot lose
    /// them: an access beyond its end would kill this process.
    pub(crate) fn new(file: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        // SAFETY: a new mapping, placed where nothing is mapped, cannot disturb other memory. For a
        // length of 0 the kernel refuses.
        let at = unsafe {
            rustix::mm::mmap(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )
        }?;
        let at = NonNull::new(at.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { at, len })
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Copies from `offset` on; `None`, and nothing done, unless all of it lies inside.
    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        let from = self.piece(offset, into.len())?;
        // SAFETY: `piece` has checked that the source is mapped; the target is borrowed exclusively
        // and private, so they do not overlap. The host may write to the source meanwhile: then the
        // copied bytes are any mixture, and every value is a valid `u8`. No reference is formed.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), into.as_mut_ptr(), into.len()) };
        Some(())
    }

    /// Copies to `offset`; `None`, and nothing done, unless all of it lies inside.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        let into = self.piece(offset, from.len())?;
        // SAFETY: as in `read`, the other way round.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), into.as_ptr(), from.len()) };
        Some(())
    }

    fn piece(&self, offset: usize, len: usize) -> Option<NonNull<u8>> {
        if offset.checked_add(len)? > self.len {
            return None;
        }
        // SAFETY: `offset` is at most the length of the mapping, checked above.
        Some(unsafe { self.at.add(offset) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `new` with this length; pieces of it are copied only inside the methods
        // above. It cannot fail for a range that is mapped.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr().cast::<c_void>(), self.len) };
    }
}

/// Closes every descriptor beyond standard error except `kept`.
pub(crate) fn close_all_but(kept: &OwnedFd) -> io::Result<()> {
    let kept = kept.as_raw_fd();
    // `kept` lies above standard error: it was duplicated while those three were open.
    for (first, last) in [(3, kept - 1), (kept + 1, RawFd::MAX)] {
        if first <= last {
            close_range(first, last)?;
        }
    }
    Ok(())
}

fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    // SAFETY: at the start of the process nothing else uses descriptors by number; `kept` is outside
    // the range, and whatever is inside is inherited and belongs to nobody here.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if done == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        // Linux before 5.9.
        error if error.raw_os_error() == Some(libc::ENOSYS) => close_each(first, last),
        error => Err(error),
    }
}

fn close_each(first: RawFd, last: RawFd) -> io::Result<()> {
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        open.extend(number.filter(|number| (first..=last).contains(number)));
    }
    for descriptor in open {
        // SAFETY: as above. The descriptor that listed the folder is closed already: an error that
        // changes nothing.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

/// Lets a write beyond `RLIMIT_FSIZE` fail instead of killing the process.
pub(crate) fn ignore_file_size_signal() -> io::Result<()> {
    // SAFETY: ignoring a signal installs no handler.
    if unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes `heap` bytes of heap from the system for good, has small and large allocations come from
/// there, and locks it and the stack in memory.
pub(crate) fn lock_heap_and_stack(heap: usize) -> io::Result<()> {
    reserve_heap(heap);
    let maps = fs::read_to_string("/proc/self/maps")?;
    let mut locked = 0;
    for line in maps.lines() {
        if !(line.ends_with("[heap]") || line.ends_with("[stack]")) {
            continue;
        }
        let bounds = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let parsed = bounds.and_then(|(begin, end)| {
            let begin = usize::from_str_radix(begin, 16).ok()?;
            let end = usize::from_str_radix(end, 16).ok()?;
            Some((begin, end.checked_sub(begin)?))
        });
        let (begin, len) = parsed.ok_or(io::ErrorKind::InvalidData)?;
        // SAFETY: locking changes neither content nor protection of memory.
        unsafe { rustix::mm::mlock(ptr::with_exposed_provenance_mut(begin), len) }?;
        locked += 1;
    }
    // Heap and stack are there, or this allocator works in another way and nothing is promised.
    if locked < 2 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(())
}

#[cfg(target_env = "gnu")]
fn reserve_heap(heap: usize) {
    let heap = libc::c_int::try_from(heap).unwrap_or(libc::c_int::MAX);
    for (option, value) in [
        // Large allocations from the heap as well, instead of mappings of their own.
        (libc::M_MMAP_THRESHOLD, heap),
        // The heap grows by this much, at once.
        (libc::M_TOP_PAD, heap),
        // And never shrinks.
        (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
    ] {
        // SAFETY: sets a parameter of the allocator; takes its lock; no other thread exists.
        unsafe { libc::mallopt(option, value) };
    }
    // Makes it grow: this is beyond what the heap begins with.
    drop(std::hint::black_box(Vec::<u8>::with_capacity(256 * 1024)));
}

/// Other allocators cannot be told.
#[cfg(not(target_env = "gnu"))]
fn reserve_heap(_heap: usize) {}

#[cfg(test)]
mod tests;
