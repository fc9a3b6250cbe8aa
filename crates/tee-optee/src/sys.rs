//! libteec's C interface (GlobalPlatform TEE Client API 1.0, section 4) behind one type that owns
//! what it opened.
//!
//! `optee_teec`'s safe types hide their handles, and with them registered shared memory; so the
//! handles are ours, and only UUIDs and the names of errors come from its safe layer. Each
//! connection has a context of its own, which the memories that it shares keep alive; one user at a
//! time is what `&mut self` says.

use optee_teec::{Uuid, raw};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Weak};

/// What was attempted when libteec failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Opening the TEE device.
    Device,
    /// Opening a session of the trusted application.
    Session,
    /// Registering shared memory.
    Memory,
    /// Running a command.
    Command,
}

/// A `TEEC_Result` other than success, and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) code: u32,
}

fn succeeded(step: Step, code: raw::TEEC_Result) -> Result<(), Failure> {
    if code == raw::TEEC_SUCCESS {
        Ok(())
    } else {
        Err(Failure { step, code })
    }
}

/// A range of a memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// A range of a memory that the trusted application can reach.
pub(crate) struct Place {
    memory: Arc<Arena>,
    range: Range,
}

/// The four slots of a command: two in the connection's arena, and the media wherever it lies.
pub(crate) struct Slots {
    pub(crate) request: Range,
    pub(crate) response: Range,
    pub(crate) media_in: Place,
    pub(crate) media_out: Place,
}

/// What the trusted application says it wrote; not yet compared with the room it had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) response: usize,
    pub(crate) media: usize,
}

/// The connection to the TEE device. libteec keeps pointers to it, so it lives on the heap and is
/// reached by pointer only.
struct Context(NonNull<raw::TEEC_Context>);

impl Context {
    fn new() -> Result<Self, Failure> {
        let imp = raw::TEEC_Context__Imp {
            fd: -1,
            reg_mem: false,
            memref_null: false,
        };
        let context = Box::into_raw(Box::new(raw::TEEC_Context { imp }));
        // SAFETY: `context` points to a whole TEEC_Context of ours; no name means the default TEE.
        let code = unsafe { raw::TEEC_InitializeContext(ptr::null(), context) };
        if let Err(failure) = succeeded(Step::Device, code) {
            // SAFETY: it came from `Box::into_raw` above, and libteec keeps nothing on failure.
            drop(unsafe { Box::from_raw(context) });
            return Err(failure);
        }
        // SAFETY: `Box::into_raw` is never null.
        Ok(Self(unsafe { NonNull::new_unchecked(context) }))
    }
}

// SAFETY: libteec writes to a context when it is initialised and when it is finalised, and both
// happen here where nobody else has it; in between it only reads the descriptor, which belongs to
// the process.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `new`, finalised once; whoever needs it, a session or a memory, keeps it.
        unsafe {
            raw::TEEC_FinalizeContext(self.0.as_ptr());
            drop(Box::from_raw(self.0.as_ptr()));
        }
    }
}

/// An open session.
struct Session(raw::TEEC_Session);

impl Session {
    fn open(context: &Context, uuid: &Uuid) -> Result<Self, Failure> {
        let imp = raw::TEEC_Session__Imp {
            ctx: ptr::null_mut(),
            session_id: 0,
        };
        let mut session = raw::TEEC_Session { imp };
        // SAFETY: context and UUID are valid for the call; public login takes no data, and no
        // operation means four empty parameters. libteec allows a null origin.
        let code = unsafe {
            raw::TEEC_OpenSession(
                context.0.as_ptr(),
                &raw mut session,
                uuid.as_raw_ptr(),
                raw::TEEC_LOGIN_PUBLIC,
                ptr::null(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        succeeded(Step::Session, code)?;
        Ok(Self(session))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once, its context still lives.
        unsafe { raw::TEEC_CloseSession(&raw mut self.0) };
    }
}

/// Shared memory, page-aligned and registered once. libteec is given pointers to its structure, so
/// that lives on the heap.
struct Arena {
    memory: NonNull<raw::TEEC_SharedMemory>,
    /// Outlives the memory, which is released in it.
    _context: Arc<Context>,
}

// SAFETY: the structure is written when the memory is allocated and when it is released, both by
// the only owner; the bytes are reached through `Connection` and `SharedBytes`, which say how.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    fn new(context: &Arc<Context>, size: usize) -> Result<Self, Failure> {
        let imp = raw::TEEC_SharedMemory__Imp {
            id: -1,
            alloced_size: 0,
            shadow_buffer: ptr::null_mut(),
            registered_fd: -1,
            flags: 0,
        };
        let flags = raw::TEEC_MEM_INPUT | raw::TEEC_MEM_OUTPUT;
        let memory = Box::into_raw(Box::new(raw::TEEC_SharedMemory {
            buffer: ptr::null_mut(),
            size,
            flags,
            imp,
        }));
        // Allocated by libteec rather than by us: only then does it never copy through a shadow
        // buffer where the kernel cannot register a process's own pages.
        // SAFETY: the context is valid, and `memory` is a whole structure of ours.
        let code = unsafe { raw::TEEC_AllocateSharedMemory(context.0.as_ptr(), memory) };
        if let Err(failure) = succeeded(Step::Memory, code) {
            // SAFETY: it came from `Box::into_raw` above, and libteec keeps nothing on failure.
            drop(unsafe { Box::from_raw(memory) });
            return Err(failure);
        }
        Ok(Self {
            // SAFETY: `Box::into_raw` is never null.
            memory: unsafe { NonNull::new_unchecked(memory) },
            _context: Arc::clone(context),
        })
    }

    fn size(&self) -> usize {
        // SAFETY: the structure is ours and nobody writes to it.
        unsafe { (*self.memory.as_ptr()).size }
    }

    fn start(&self) -> *mut u8 {
        // SAFETY: as in `size`.
        unsafe { (*self.memory.as_ptr()).buffer.cast() }
    }

    /// The start of a range, which must lie in the memory: ranges come from constants and checked
    /// lengths of this crate, so anything else is a mistake here and must not become a stray write.
    fn at(&self, range: Range) -> *mut u8 {
        let end = range.offset.checked_add(range.len);
        assert!(
            end.is_some_and(|end| end <= self.size()),
            "range outside the memory"
        );
        // SAFETY: the offset lies within the allocation of `size` bytes.
        unsafe { self.start().add(range.offset) }
    }

    /// Where `slice` lies in this memory, if all of it does.
    fn offset_of(&self, slice: &[u8]) -> Option<usize> {
        let offset = slice.as_ptr().addr().checked_sub(self.start().addr())?;
        let end = offset.checked_add(slice.len())?;
        (end <= self.size()).then_some(offset)
    }

    fn reference(&self, range: Range) -> raw::TEEC_Parameter {
        let _ = self.at(range);
        // OP-TEE refuses an offset at the very end of a memory, even for no bytes at all.
        let offset = if range.len == 0 { 0 } else { range.offset };
        let memref = raw::TEEC_RegisteredMemoryReference {
            parent: self.memory.as_ptr(),
            size: range.len,
            offset,
        };
        raw::TEEC_Parameter { memref }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`, released once, its context still lives and no call is under
        // way, because a call keeps what it refers to.
        unsafe {
            raw::TEEC_ReleaseSharedMemory(self.memory.as_ptr());
            drop(Box::from_raw(self.memory.as_ptr()));
        }
    }
}

/// A memory in the hands of its user, who alone reaches its bytes: the connection that made it keeps
/// only where it lies, to tell the trusted application.
pub(crate) struct SharedBytes(Arc<Arena>);

impl SharedBytes {
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

/// A session of one trusted application with its arena and the memories it shares. Fields drop in
/// this order: libteec wants a session gone before its context.
pub(crate) struct Connection {
    session: Session,
    arena: Arc<Arena>,
    shared: Vec<Weak<Arena>>,
    context: Arc<Context>,
}

// SAFETY: libteec keeps no state of a thread, the kernel knows a session by device and number, and
// the connection keeps everything that its pointers lead to. It is not `Sync`: every use that
// reaches libteec takes `&mut self`.
unsafe impl Send for Connection {}

impl Connection {
    /// Opens a session of the trusted application `uuid`, with an arena of so many bytes.
    pub(crate) fn open(uuid: &Uuid, arena: usize) -> Result<Self, Failure> {
        let context = Arc::new(Context::new()?);
        let session = Session::open(&context, uuid)?;
        let arena = Arc::new(Arena::new(&context, arena)?);
        Ok(Self {
            session,
            arena,
            shared: Vec::new(),
            context,
        })
    }

    /// Size of the arena in bytes.
    pub(crate) fn arena(&self) -> usize {
        self.arena.size()
    }

    /// Replaces the arena by one of `size` bytes; on failure the old one stays.
    pub(crate) fn grow(&mut self, size: usize) -> Result<(), Failure> {
        self.arena = Arc::new(Arena::new(&self.context, size)?);
        Ok(())
    }

    /// New memory of `size` bytes, all zero, that the trusted application can reach.
    pub(crate) fn share(&mut self, size: usize) -> Result<SharedBytes, Failure> {
        self.shared.retain(|memory| memory.strong_count() > 0);
        let memory = Arc::new(Arena::new(&self.context, size)?);
        // SAFETY: as many bytes as were allocated, and nobody else has them yet.
        unsafe { ptr::write_bytes(memory.start(), 0, memory.size()) };
        self.shared.push(Arc::downgrade(&memory));
        Ok(SharedBytes(memory))
    }

    /// A range of the arena.
    ///
    /// # Panics
    /// When it lies outside the arena.
    pub(crate) fn place(&self, range: Range) -> Place {
        let _ = self.arena.at(range);
        Place {
            memory: Arc::clone(&self.arena),
            range,
        }
    }

    /// Where `slice` lies in memory that this connection has shared; `None` when it lies elsewhere.
    pub(crate) fn find(&self, slice: &[u8]) -> Option<Place> {
        let len = slice.len();
        self.shared
            .iter()
            .filter_map(Weak::upgrade)
            .find_map(|memory| {
                let offset = memory.offset_of(slice)?;
                Some(Place {
                    memory,
                    range: Range { offset, len },
                })
            })
    }

    /// Copies `from` into the arena.
    ///
    /// # Panics
    /// When the range lies outside the arena.
    pub(crate) fn write(&mut self, offset: usize, from: &[u8]) {
        let to = self.arena.at(Range {
            offset,
            len: from.len(),
        });
        // SAFETY: `at` proved the room; `from` is ordinary memory and cannot overlap the arena,
        // to which no reference is ever made.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }

    /// Copies out of the arena.
    ///
    /// # Panics
    /// When the range lies outside the arena.
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) {
        let from = self.arena.at(Range {
            offset,
            len: to.len(),
        });
        // SAFETY: as in `write`.
        unsafe { ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
    }

    /// Runs a command with the four slots of the wire.
    ///
    /// # Panics
    /// When a slot of the arena lies outside it.
    pub(crate) fn invoke(&mut self, command: u32, slots: &Slots) -> Result<Written, Failure> {
        let mut operation = raw::TEEC_Operation {
            started: 0,
            paramTypes: raw::TEEC_PARAM_TYPES(
                raw::TEEC_MEMREF_PARTIAL_INPUT,
                raw::TEEC_MEMREF_PARTIAL_OUTPUT,
                raw::TEEC_MEMREF_PARTIAL_INPUT,
                raw::TEEC_MEMREF_PARTIAL_OUTPUT,
            ),
            params: [
                self.arena.reference(slots.request),
                self.arena.reference(slots.response),
                slots.media_in.memory.reference(slots.media_in.range),
                slots.media_out.memory.reference(slots.media_out.range),
            ],
            imp: raw::TEEC_Operation__Imp {
                session: ptr::null_mut(),
            },
        };
        // SAFETY: the session is open, the operation is whole, its references name ranges inside
        // registered memories that live through the call. Nobody touches them until it returns: the
        // arena is the connection's, and of other memories the caller lends the very ranges.
        let code = unsafe {
            raw::TEEC_InvokeCommand(
                &raw mut self.session.0,
                command,
                &raw mut operation,
                ptr::null_mut(),
            )
        };
        succeeded(Step::Command, code)?;
        // SAFETY: both were written as memory references above, and libteec keeps their type.
        let [response, media] = unsafe { [operation.params[1].memref, operation.params[3].memref] };
        Ok(Written {
            response: response.size,
            media: media.size,
        })
    }
}
