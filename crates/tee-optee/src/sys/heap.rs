//! The heap of protected memory that OP-TEE's driver offers (Linux `include/uapi/linux/dma-heap.h`).

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::ioctl::{Updater, ioctl, opcode};

/// `struct dma_heap_allocation_data`.
#[repr(C)]
struct Allocation {
    len: u64,
    fd: u32,
    fd_flags: u32,
    heap_flags: u64,
}

/// `DMA_HEAP_IOCTL_ALLOC`.
const ALLOCATE: rustix::ioctl::Opcode = opcode::read_write::<Allocation>(b'H', 0);

/// A new dma-buf of at least `size` bytes of the heap at `heap`; the kernel counts in pages.
pub(crate) fn allocate(heap: &Path, size: usize) -> io::Result<OwnedFd> {
    let heap = OpenOptions::new().read(true).write(true).open(heap)?;
    let flags = (OFlags::RDWR | OFlags::CLOEXEC).bits();
    let mut data = Allocation {
        len: u64::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?,
        fd: 0,
        fd_flags: flags,
        heap_flags: 0,
    };
    // SAFETY: the structure is the one that this request reads and writes; where `heap` is no heap, its
    // driver knows another request by this number or none, and touches no more than the structure.
    unsafe { ioctl(&heap, Updater::<ALLOCATE, Allocation>::new(&mut data)) }?;
    let fd = RawFd::try_from(data.fd).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
