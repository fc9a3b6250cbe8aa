//! libteec's C interface (GlobalPlatform TEE Client API 1.0, section 4) behind one type that owns
//! what it opened.
//!
//! `optee_teec`'s safe types hide their handles, and with them registered shared memory and
//! cancellation; so the handles are ours, and only UUIDs and the names of errors come from its safe
//! layer. A [`Device`] is used by one thread, its owner (`crate::owner`); what others reach of it is
//! shared bytes, and the call that is under way, to cancel it ([`UnderWay`]).

mod heap;
mod memory;
mod under_way;

pub(crate) use heap::allocate;
pub(crate) use memory::{Memory, SharedBytes};
pub(crate) use under_way::UnderWay;

use optee_teec::{Uuid, raw};
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// What was attempted when libteec failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Opening the TEE device.
    Device,
    /// Opening a session of the trusted application.
    Session,
    /// Registering shared memory.
    Memory,
    /// Registering a protected buffer.
    Buffer,
    /// Running a command.
    Command,
    /// Starting the thread that owns the connection; the code is the system's.
    Thread,
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
    pub(crate) memory: Arc<Memory>,
    pub(crate) range: Range,
}

/// The four slots of a command.
pub(crate) struct Slots {
    pub(crate) request: Place,
    pub(crate) response: Place,
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
        // SAFETY: made by `new`, finalised once; whoever needs it, a device or a memory, keeps it.
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

/// The TEE device with a session of one trusted application. Fields drop in this order: libteec wants
/// a session gone before its context.
pub(crate) struct Device {
    session: Option<Session>,
    context: Arc<Context>,
}

// SAFETY: libteec keeps no state of a thread, the kernel knows a session by device and number, and
// the device keeps everything that its pointers lead to. It is not `Sync`: every use that reaches
// libteec's session takes `&mut self`.
unsafe impl Send for Device {}

impl Device {
    /// Opens a session of the trusted application `uuid`.
    pub(crate) fn open(uuid: &Uuid) -> Result<Self, Failure> {
        let context = Arc::new(Context::new()?);
        let session = Some(Session::open(&context, uuid)?);
        Ok(Self { session, context })
    }

    /// Puts a new session in the place of the one there is.
    pub(crate) fn reopen(&mut self, uuid: &Uuid) -> Result<(), Failure> {
        self.session = Some(Session::open(&self.context, uuid)?);
        Ok(())
    }

    /// Closes the session. Memories keep the context.
    pub(crate) fn close(&mut self) {
        self.session = None;
    }

    /// New memory of `size` bytes, all zero, that the trusted application can reach.
    pub(crate) fn allocate(&mut self, size: usize) -> Result<Arc<Memory>, Failure> {
        Memory::allocate(&self.context, size).map(Arc::new)
    }

    /// As [`Self::allocate`], for a user of its own.
    pub(crate) fn share(&mut self, size: usize) -> Result<SharedBytes, Failure> {
        self.allocate(size).map(SharedBytes::of)
    }

    /// Makes a protected buffer known to the trusted application.
    pub(crate) fn register(&mut self, fd: BorrowedFd<'_>) -> Result<Arc<Memory>, Failure> {
        Memory::register(&self.context, fd).map(Arc::new)
    }

    /// Runs a command with the four slots of the wire.
    pub(crate) fn invoke(
        &mut self,
        command: u32,
        slots: &Slots,
        under_way: &UnderWay,
    ) -> Result<Written, Failure> {
        let failed = |code| Failure {
            step: Step::Command,
            code,
        };
        let session = self.session.as_mut();
        let session = session.ok_or(failed(raw::TEEC_ERROR_TARGET_DEAD))?;
        let mut operation = raw::TEEC_Operation {
            started: 0,
            paramTypes: raw::TEEC_PARAM_TYPES(
                raw::TEEC_MEMREF_PARTIAL_INPUT,
                raw::TEEC_MEMREF_PARTIAL_OUTPUT,
                raw::TEEC_MEMREF_PARTIAL_INPUT,
                raw::TEEC_MEMREF_PARTIAL_OUTPUT,
            ),
            params: [
                slots.request.reference(),
                slots.response.reference(),
                slots.media_in.reference(),
                slots.media_out.reference(),
            ],
            // libteec writes it too, but not before somebody may cancel.
            imp: raw::TEEC_Operation__Imp {
                session: &raw mut session.0,
            },
        };
        let operation = &raw mut operation;
        // SAFETY: the address of a variable is not null.
        let operation_at = unsafe { NonNull::new_unchecked(operation) };
        let making = under_way.make(operation_at);
        let making = making.ok_or(failed(raw::TEEC_ERROR_CANCEL))?;
        // SAFETY: the session is open, the operation is whole, its references name ranges inside
        // registered memories that live through the call. Nobody touches them until it returns: what
        // is not a caller's belongs to the connection, and of the rest the caller lends the very
        // ranges.
        let code = unsafe {
            raw::TEEC_InvokeCommand(&raw mut session.0, command, operation, ptr::null_mut())
        };
        drop(making);
        succeeded(Step::Command, code)?;
        // SAFETY: the operation is still ours; both were written as memory references above, and
        // libteec keeps their type.
        let [response, media] =
            unsafe { [(*operation).params[1].memref, (*operation).params[3].memref] };
        Ok(Written {
            response: response.size,
            media: media.size,
        })
    }
}
