//! Memory that this process and a trusted application share.

use super::{Context, Failure, Place, Step, succeeded};
use optee_teec::raw;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;

unsafe extern "C" {
    /// OP-TEE's extension (`tee_client_api_extensions.h`), which `optee-teec-sys` does not declare:
    /// registers a dma-buf. libteec fills the size in and leaves the buffer null.
    fn TEEC_RegisterSharedMemoryFileDescriptor(
        context: *mut raw::TEEC_Context,
        memory: *mut raw::TEEC_SharedMemory,
        fd: RawFd,
    ) -> raw::TEEC_Result;
}

/// Memory that trusted applications can reach: pages of this process, or a protected buffer of which
/// this process sees nothing. libteec is given pointers to its structure, so that lives on the heap.
///
/// Its bytes are reached by copying only, but for [`SharedBytes`], whose user has them alone.
pub(crate) struct Memory {
    shared: NonNull<raw::TEEC_SharedMemory>,
    /// Outlives the memory, which is released in it.
    _context: Arc<Context>,
}

// SAFETY: libteec writes to the structure when the memory is made and when it is released, both by
// the only owner; the functions below say how the bytes are reached.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Page-aligned pages of this process, `size` bytes, all zero.
    pub(super) fn allocate(context: &Arc<Context>, size: usize) -> Result<Self, Failure> {
        // Allocated by libteec rather than by us: only then does it never copy through a shadow
        // buffer where the kernel cannot register a process's own pages.
        let memory = Self::shared(Step::Memory, context, size, |memory| {
            // SAFETY: the context is valid, and `memory` is a whole structure of ours.
            unsafe { raw::TEEC_AllocateSharedMemory(context.0.as_ptr(), memory) }
        })?;
        // SAFETY: as many bytes as were allocated, and nobody else has them yet.
        unsafe { ptr::write_bytes(memory.start(), 0, size) };
        Ok(memory)
    }

    /// A protected buffer. The descriptor may be closed afterwards: the registration keeps the buffer.
    pub(super) fn register(context: &Arc<Context>, fd: BorrowedFd<'_>) -> Result<Self, Failure> {
        Self::shared(Step::Buffer, context, 0, |memory| {
            let fd = fd.as_raw_fd();
            // SAFETY: the context is valid, `memory` is a whole structure of ours, and the descriptor
            // is open for as long as it is borrowed.
            unsafe { TEEC_RegisterSharedMemoryFileDescriptor(context.0.as_ptr(), memory, fd) }
        })
    }

    fn shared(
        step: Step,
        context: &Arc<Context>,
        size: usize,
        make: impl FnOnce(*mut raw::TEEC_SharedMemory) -> raw::TEEC_Result,
    ) -> Result<Self, Failure> {
        let imp = raw::TEEC_SharedMemory__Imp {
            id: -1,
            alloced_size: 0,
            shadow_buffer: ptr::null_mut(),
            registered_fd: -1,
            flags: 0,
        };
        let memory = Box::into_raw(Box::new(raw::TEEC_SharedMemory {
            buffer: ptr::null_mut(),
            size,
            flags: raw::TEEC_MEM_INPUT | raw::TEEC_MEM_OUTPUT,
            imp,
        }));
        if let Err(failure) = succeeded(step, make(memory)) {
            // SAFETY: it came from `Box::into_raw` above, and libteec keeps nothing on failure.
            drop(unsafe { Box::from_raw(memory) });
            return Err(failure);
        }
        Ok(Self {
            // SAFETY: `Box::into_raw` is never null.
            shared: unsafe { NonNull::new_unchecked(memory) },
            _context: Arc::clone(context),
        })
    }

    /// Its size in bytes, as libteec has it.
    pub(crate) fn size(&self) -> usize {
        // SAFETY: the structure is ours and nobody writes to it.
        unsafe { (*self.shared.as_ptr()).size }
    }

    /// Null for a protected buffer.
    fn start(&self) -> *mut u8 {
        // SAFETY: as in `size`.
        unsafe { (*self.shared.as_ptr()).buffer.cast() }
    }

    /// The start of a range, which must lie in the memory, and the memory in this process: ranges come
    /// from constants and checked lengths of this crate, so anything else is a mistake here and must
    /// not become a stray write.
    fn at(&self, offset: usize, len: usize) -> *mut u8 {
        let end = offset.checked_add(len);
        let inside = end.is_some_and(|end| end <= self.size());
        assert!(
            inside && !self.start().is_null(),
            "range outside the memory"
        );
        // SAFETY: the offset lies within the allocation of `size` bytes.
        unsafe { self.start().add(offset) }
    }

    /// Where `slice` lies in this memory, if all of it does.
    pub(crate) fn offset_of(&self, slice: &[u8]) -> Option<usize> {
        let offset = slice.as_ptr().addr().checked_sub(self.start().addr())?;
        let end = offset.checked_add(slice.len())?;
        (end <= self.size()).then_some(offset)
    }

    /// Copies `from` into the memory.
    ///
    /// # Panics
    /// When the range lies outside the memory.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) {
        let to = self.at(offset, from.len());
        // SAFETY: `at` proved the room; of memory that is copied to and from, nobody has a reference
        // to the bytes, so that `from` cannot overlap it.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }

    /// Copies out of the memory.
    ///
    /// # Panics
    /// When the range lies outside the memory.
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) {
        let from = self.at(offset, to.len());
        // SAFETY: as in `write`.
        unsafe { ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: made by `shared`, released once, its context still lives and no call is under way,
        // because a call keeps what it refers to.
        unsafe {
            raw::TEEC_ReleaseSharedMemory(self.shared.as_ptr());
            drop(Box::from_raw(self.shared.as_ptr()));
        }
    }
}

/// Pages in the hands of their user, who alone reaches their bytes: others keep only where they lie,
/// to tell the trusted application.
pub(crate) struct SharedBytes(Arc<Memory>);

impl SharedBytes {
    /// Takes memory that nobody else copies to or from.
    pub(super) fn of(memory: Arc<Memory>) -> Self {
        Self(memory)
    }

    /// The memory, to keep where it lies.
    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.0
    }

    /// Its content.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `size` bytes, zeroed when they were allocated, that live as long as `self`. The
        // trusted application writes to them only during a call whose caller gave a slice of them
        // away exclusively.
        unsafe { std::slice::from_raw_parts(self.0.start(), self.0.size()) }
    }

    /// Its content, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `&mut self` makes it the only access.
        unsafe { std::slice::from_raw_parts_mut(self.0.start(), self.0.size()) }
    }
}

impl Place {
    /// How libteec is told of it.
    ///
    /// # Panics
    /// When the range lies outside the memory; as [`Memory::at`].
    pub(super) fn reference(&self) -> raw::TEEC_Parameter {
        let Self { memory, range } = self;
        let end = range.offset.checked_add(range.len);
        assert!(
            end.is_some_and(|end| end <= memory.size()),
            "range outside the memory"
        );
        let memref = raw::TEEC_RegisteredMemoryReference {
            parent: memory.shared.as_ptr(),
            size: range.len,
            // OP-TEE refuses an offset at the very end of a memory, even for no bytes at all.
            offset: if range.len == 0 { 0 } else { range.offset },
        };
        raw::TEEC_Parameter { memref }
    }
}
