//! libteec's C interface (GlobalPlatform TEE Client API 1.0, section 4) behind one type that owns
//! what it opened.
//!
//! `optee_teec`'s safe types hide their handles, and with them registered shared memory; so the
//! handles are ours, and only UUIDs and the names of errors come from its safe layer. Each
//! connection has a context of its own: nothing is shared between threads, and one user at a time
//! is what `&mut self` says.

use optee_teec::{Uuid, raw};
use std::ptr::{self, NonNull};

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

/// A range of the arena, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// The four slots of a command, as ranges of the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    pub(crate) request: Range,
    pub(crate) response: Range,
    pub(crate) media_in: Range,
    pub(crate) media_out: Range,
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

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by `new`, finalised once, and the fields' order in `Connection` lets no
        // session or memory outlive it.
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

/// Shared memory, page-aligned and registered once.
struct Arena(raw::TEEC_SharedMemory);

impl Arena {
    fn new(context: &Context, size: usize) -> Result<Self, Failure> {
        let imp = raw::TEEC_SharedMemory__Imp {
            id: -1,
            alloced_size: 0,
            shadow_buffer: ptr::null_mut(),
            registered_fd: -1,
            flags: 0,
        };
        let flags = raw::TEEC_MEM_INPUT | raw::TEEC_MEM_OUTPUT;
        let mut memory = raw::TEEC_SharedMemory {
            buffer: ptr::null_mut(),
            size,
            flags,
            imp,
        };
        // Allocated by libteec rather than by us: only then does it never copy through a shadow
        // buffer where the kernel cannot register a process's own pages.
        // SAFETY: the context is valid, and `memory` is a whole structure of ours.
        let code = unsafe { raw::TEEC_AllocateSharedMemory(context.0.as_ptr(), &raw mut memory) };
        succeeded(Step::Memory, code)?;
        Ok(Self(memory))
    }

    /// The start of a range, which must lie in the arena: ranges come from constants and checked
    /// lengths of this crate, so anything else is a mistake here and must not become a stray write.
    fn at(&self, range: Range) -> *mut u8 {
        let end = range.offset.checked_add(range.len);
        assert!(
            end.is_some_and(|end| end <= self.0.size),
            "range outside the arena"
        );
        // SAFETY: the offset lies within the allocation of `size` bytes.
        unsafe { self.0.buffer.cast::<u8>().add(range.offset) }
    }

    fn reference(&mut self, range: Range) -> raw::TEEC_Parameter {
        let _ = self.at(range);
        // OP-TEE refuses an offset at the very end of a memory, even for no bytes at all.
        let offset = if range.len == 0 { 0 } else { range.offset };
        let memref = raw::TEEC_RegisteredMemoryReference {
            parent: &raw mut self.0,
            size: range.len,
            offset,
        };
        raw::TEEC_Parameter { memref }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: allocated by `new`, released once, its context still lives and no call is under
        // way, because a call borrows the connection.
        unsafe { raw::TEEC_ReleaseSharedMemory(&raw mut self.0) };
    }
}

/// A session of one trusted application with its arena. Fields drop in this order: libteec wants
/// sessions and memory gone before their context.
pub(crate) struct Connection {
    session: Session,
    arena: Arena,
    context: Context,
}

// SAFETY: libteec keeps no state of a thread, the kernel knows a session by device and number, and
// the connection owns everything that its pointers lead to. It is not `Sync`: every use that
// reaches libteec takes `&mut self`.
unsafe impl Send for Connection {}

impl Connection {
    /// Opens a session of the trusted application `uuid`, with an arena of so many bytes.
    pub(crate) fn open(uuid: &Uuid, arena: usize) -> Result<Self, Failure> {
        let context = Context::new()?;
        let session = Session::open(&context, uuid)?;
        let arena = Arena::new(&context, arena)?;
        Ok(Self {
            session,
            arena,
            context,
        })
    }

    /// Size of the arena in bytes.
    pub(crate) fn arena(&self) -> usize {
        self.arena.0.size
    }

    /// Replaces the arena by one of `size` bytes; on failure the old one stays.
    pub(crate) fn grow(&mut self, size: usize) -> Result<(), Failure> {
        self.arena = Arena::new(&self.context, size)?;
        Ok(())
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
    /// When a slot lies outside the arena.
    pub(crate) fn invoke(&mut self, command: u32, slots: Slots) -> Result<Written, Failure> {
        let mut operation = raw::TEEC_Operation {
            started: 0,
            paramTypes: raw::TEEC_PARAM_TYPES(
                raw::TEEC_MEMREF_PARTIAL_INPUT,
                raw::TEEC_MEMREF_PARTIAL_OUTPUT,
                raw::TEEC_MEMREF_PARTIAL_INPUT,
                raw::TEEC_MEMREF_PARTIAL_OUTPUT,
            ),
            params: [
                slots.request,
                slots.response,
                slots.media_in,
                slots.media_out,
            ]
            .map(|range| self.arena.reference(range)),
            imp: raw::TEEC_Operation__Imp {
                session: ptr::null_mut(),
            },
        };
        // SAFETY: the session is open, the operation is whole, its references name ranges inside
        // the registered arena, and nobody touches the arena until the call returns.
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
