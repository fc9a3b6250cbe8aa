//! libteec with nothing between: a client that passes what it likes.
//!
//! The backend of the product cannot send a wrong parameter, so what the trusted applications do with
//! one is tried from here. What a call does to this process is still sound: every buffer that is named
//! exists, and is as large as is said, or is null.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use keybearer_tee::TeeError;
use optee_teec_sys as raw;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

pub use raw::{
    TEEC_ERROR_BAD_PARAMETERS as BAD_PARAMETERS, TEEC_ERROR_TARGET_DEAD as TARGET_DEAD,
    TEEC_ORIGIN_TRUSTED_APP as FROM_THE_APPLICATION, TEEC_SUCCESS as SUCCESS,
};

unsafe extern "C" {
    /// OP-TEE's extension (`tee_client_api_extensions.h`): registers a dma-buf.
    fn TEEC_RegisterSharedMemoryFileDescriptor(
        context: *mut raw::TEEC_Context,
        memory: *mut raw::TEEC_SharedMemory,
        fd: RawFd,
    ) -> raw::TEEC_Result;
}

/// `struct udmabuf_create` of Linux (`include/uapi/linux/udmabuf.h`).
#[repr(C)]
struct MakeUdmabuf {
    memfd: u32,
    flags: u32,
    offset: u64,
    size: u64,
}

// SAFETY: the request reads this structure, and gives a new descriptor or an error.
unsafe impl Ioctl for MakeUdmabuf {
    type Output = OwnedFd;
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::write::<Self>(b'u', 0x42)
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        ptr::from_mut(self).cast()
    }

    unsafe fn output_from_ptr(
        output: IoctlOutput,
        _: *mut std::ffi::c_void,
    ) -> rustix::io::Result<OwnedFd> {
        // SAFETY: the kernel has just made it for this call.
        Ok(unsafe { OwnedFd::from_raw_fd(output) })
    }
}

/// A dma-buf of `size` bytes of ordinary memory: a genuine one, and not protected.
///
/// # Errors
/// The system's, as where it has no `/dev/udmabuf`. `size` is a number of whole pages.
pub fn ordinary_dma_buf(size: u64) -> io::Result<OwnedFd> {
    let memory = memfd_create("ordinary", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?;
    ftruncate(&memory, size)?;
    fcntl_add_seals(&memory, SealFlags::SHRINK)?;
    let device = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/udmabuf")?;
    let memfd = u32::try_from(memory.as_raw_fd()).map_err(io::Error::other)?;
    let make = MakeUdmabuf {
        memfd,
        flags: 1, // to be closed on exec
        offset: 0,
        size,
    };
    // SAFETY: as the implementation says; the descriptor it names is open.
    Ok(unsafe { ioctl(&device, make) }?)
}

/// Maps the first `len` bytes of a file and lets go of them.
///
/// # Errors
/// The system's, where it may not be mapped.
pub fn try_to_map(fd: BorrowedFd<'_>, len: usize, write: bool) -> io::Result<()> {
    let way = if write {
        ProtFlags::READ | ProtFlags::WRITE
    } else {
        ProtFlags::READ
    };
    // SAFETY: a new mapping that nobody touches, and that is gone when this returns.
    unsafe {
        let at = mmap(ptr::null_mut(), len, way, MapFlags::SHARED, fd, 0)?;
        munmap(at, len)?;
    }
    Ok(())
}

/// The TEE device; what is opened through it keeps it.
struct Context(Box<raw::TEEC_Context>);

// SAFETY: libteec reads the context only, but for its making and its end.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: initialised by `Client::open`, finalised once, after what it keeps.
        unsafe { raw::TEEC_FinalizeContext(&raw mut *self.0) };
    }
}

/// A session of a trusted application.
pub struct Client {
    session: raw::TEEC_Session,
    context: Arc<Context>,
}

// SAFETY: libteec keeps no state of a thread, and the client keeps what its pointers lead to.
unsafe impl Send for Client {}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once, its context still lives.
        unsafe { raw::TEEC_CloseSession(&raw mut self.session) };
    }
}

/// Registered memory whose bytes anybody may change at any moment, also during a call.
pub struct Registered {
    memory: Box<raw::TEEC_SharedMemory>,
    _context: Arc<Context>,
}

// SAFETY: the structure is written when it is made and when it is released; the bytes are atomic.
unsafe impl Send for Registered {}
// SAFETY: as above.
unsafe impl Sync for Registered {}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: allocated by `Client::register`, released once, its context still lives.
        unsafe { raw::TEEC_ReleaseSharedMemory(&raw mut *self.memory) };
    }
}

impl Registered {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[AtomicU8] {
        if self.memory.buffer.is_null() {
            return &[]; // a protected buffer
        }
        // SAFETY: libteec has allocated as many bytes, which live as long as `self`; whoever writes
        // to them, here or in the TEE, does so byte by byte.
        unsafe { std::slice::from_raw_parts(self.memory.buffer.cast(), self.memory.size) }
    }

    /// Copies `from` to `offset`, as far as there is room.
    pub fn fill(&self, offset: usize, from: &[u8]) {
        for (byte, value) in self.bytes().iter().skip(offset).zip(from) {
            byte.store(*value, Ordering::Relaxed);
        }
    }

    /// A copy of `len` bytes from `offset` on, as far as there are any.
    #[must_use]
    pub fn copy(&self, offset: usize, len: usize) -> Vec<u8> {
        let bytes = self.bytes().iter().skip(offset).take(len);
        bytes.map(|byte| byte.load(Ordering::Relaxed)).collect()
    }
}

/// Which way memory or values go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Way {
    /// To the trusted application.
    In = 1,
    /// From it.
    Out = 2,
    /// Both.
    Both = 3,
}

/// One of the four parameters; its type is what it is.
pub enum Parameter<'a> {
    /// None.
    Absent,
    /// Two numbers.
    Value(Way, u32, u32),
    /// Memory of this process that is registered for the call.
    Temporary(Way, &'a mut [u8]),
    /// No memory, and so many bytes of it.
    Null(Way, usize),
    /// The whole of registered memory.
    Whole(&'a Registered),
    /// A range of registered memory, inside it or not: offset and size.
    Range(Way, &'a Registered, usize, usize),
    /// A type that means nothing: 4, or 8 to 11.
    Reserved(u32),
}

impl Parameter<'_> {
    /// The four bits of the type word (TEE Client API 1.0, section 4.3.5).
    fn kind(&self) -> u32 {
        match self {
            Self::Absent => raw::TEEC_NONE,
            Self::Value(way, ..) => *way as u32,
            Self::Temporary(way, _) | Self::Null(way, _) => 4 + *way as u32,
            Self::Whole(_) => raw::TEEC_MEMREF_WHOLE,
            Self::Range(way, ..) => 12 + *way as u32,
            Self::Reserved(kind) => *kind,
        }
    }

    fn into_raw(self) -> raw::TEEC_Parameter {
        let temporary = |buffer, size| raw::TEEC_Parameter {
            tmpref: raw::TEEC_TempMemoryReference { buffer, size },
        };
        let registered = |memory: &Registered, offset, size| raw::TEEC_Parameter {
            memref: raw::TEEC_RegisteredMemoryReference {
                parent: (&raw const *memory.memory).cast_mut(),
                size,
                offset,
            },
        };
        match self {
            Self::Absent | Self::Reserved(_) => temporary(ptr::null_mut(), 0),
            Self::Value(_, a, b) => raw::TEEC_Parameter {
                value: raw::TEEC_Value { a, b },
            },
            Self::Temporary(_, memory) => temporary(memory.as_mut_ptr().cast(), memory.len()),
            Self::Null(_, size) => temporary(ptr::null_mut(), size),
            Self::Whole(memory) => registered(memory, 0, 0),
            Self::Range(_, memory, offset, size) => registered(memory, offset, size),
        }
    }
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The result of the call.
    pub code: u32,
    /// Who gave it: 1 libteec, 2 the way to the TEE, 3 the TEE, 4 the trusted application.
    pub origin: u32,
    /// What stands in the sizes of the four parameters now, where they are memory.
    pub sizes: [usize; 4],
}

impl Client {
    /// Opens a session of the trusted application `uuid`.
    ///
    /// # Errors
    /// [`TeeError::Io`] with libteec's code.
    ///
    /// # Panics
    /// When `uuid` is none.
    pub fn open(uuid: &str) -> Result<Self, TeeError> {
        let failed = |what| move |code| TeeError::Io { what, code };
        let mut context = Context(Box::new(raw::TEEC_Context {
            imp: raw::TEEC_Context__Imp {
                fd: -1,
                reg_mem: false,
                memref_null: false,
            },
        }));
        // SAFETY: a whole structure of ours; no name means the default TEE.
        let code = unsafe { raw::TEEC_InitializeContext(ptr::null(), &raw mut *context.0) };
        if code != raw::TEEC_SUCCESS {
            std::mem::forget(context);
            return Err(failed("opening the TEE device")(code));
        }
        let digits: Vec<u8> = hex::decode(uuid.replace('-', "")).expect("a UUID");
        let number = |range: std::ops::Range<usize>| {
            let bytes = digits[range].iter();
            bytes.fold(0, |number, byte| number << 8 | u32::from(*byte))
        };
        let half = |range| u16::try_from(number(range)).expect("two bytes");
        let uuid = raw::TEEC_UUID {
            timeLow: number(0..4),
            timeMid: half(4..6),
            timeHiAndVersion: half(6..8),
            clockSeqAndNode: digits[8..16].try_into().expect("a UUID has 16 bytes"),
        };
        let mut session = raw::TEEC_Session {
            imp: raw::TEEC_Session__Imp {
                ctx: ptr::null_mut(),
                session_id: 0,
            },
        };
        // SAFETY: whole structures of ours; public login takes no data.
        let code = unsafe {
            raw::TEEC_OpenSession(
                &raw mut *context.0,
                &raw mut session,
                &raw const uuid,
                raw::TEEC_LOGIN_PUBLIC,
                ptr::null(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        let context = Arc::new(context);
        if code == raw::TEEC_SUCCESS {
            Ok(Self { session, context })
        } else {
            Err(failed("opening a session")(code))
        }
    }

    /// Memory of `size` bytes, all zero, that is registered until it is dropped.
    ///
    /// # Panics
    /// When OP-TEE has no room.
    #[must_use]
    pub fn register(&self, size: usize) -> Registered {
        let mut memory = Box::new(raw::TEEC_SharedMemory {
            buffer: ptr::null_mut(),
            size,
            flags: raw::TEEC_MEM_INPUT | raw::TEEC_MEM_OUTPUT,
            imp: raw::TEEC_SharedMemory__Imp {
                id: -1,
                alloced_size: 0,
                shadow_buffer: ptr::null_mut(),
                registered_fd: -1,
                flags: 0,
            },
        });
        let context: *const raw::TEEC_Context = &raw const *self.context.0;
        // SAFETY: the context is open and libteec only reads it here; `memory` is a whole structure.
        let code = unsafe { raw::TEEC_AllocateSharedMemory(context.cast_mut(), &raw mut *memory) };
        assert_eq!(code, raw::TEEC_SUCCESS, "{size} bytes can be registered");
        // SAFETY: as many bytes as were allocated, and nobody else has them yet.
        unsafe { ptr::write_bytes(memory.buffer.cast::<u8>(), 0, size) };
        Registered {
            memory,
            _context: Arc::clone(&self.context),
        }
    }

    /// A protected buffer, registered until it is dropped. Nothing of it is to be seen here.
    ///
    /// # Errors
    /// libteec's code.
    pub fn register_buffer(&self, fd: BorrowedFd<'_>) -> Result<Registered, u32> {
        let mut memory = Box::new(raw::TEEC_SharedMemory {
            buffer: ptr::null_mut(),
            size: 0,
            flags: raw::TEEC_MEM_INPUT | raw::TEEC_MEM_OUTPUT,
            imp: raw::TEEC_SharedMemory__Imp {
                id: -1,
                alloced_size: 0,
                shadow_buffer: ptr::null_mut(),
                registered_fd: -1,
                flags: 0,
            },
        });
        let context: *const raw::TEEC_Context = &raw const *self.context.0;
        // SAFETY: the context is open and libteec only reads it here; `memory` is a whole structure, and
        // the descriptor is open while it is borrowed.
        let code = unsafe {
            TEEC_RegisterSharedMemoryFileDescriptor(
                context.cast_mut(),
                &raw mut *memory,
                fd.as_raw_fd(),
            )
        };
        if code == raw::TEEC_SUCCESS {
            let _context = Arc::clone(&self.context);
            Ok(Registered { memory, _context })
        } else {
            Err(code)
        }
    }

    /// Makes a call with these parameters.
    pub fn call(&mut self, command: u32, parameters: [Parameter<'_>; 4]) -> Outcome {
        let kinds = parameters.each_ref().map(Parameter::kind);
        let [a, b, c, d] = kinds;
        let types = raw::TEEC_PARAM_TYPES(a, b, c, d);
        let params = parameters.map(Parameter::into_raw);
        let mut operation = raw::TEEC_Operation {
            started: 0,
            paramTypes: types,
            params,
            imp: raw::TEEC_Operation__Imp {
                session: ptr::null_mut(),
            },
        };
        let mut origin = 0;
        // SAFETY: the session is open and the operation whole. The memory that it names is lent for
        // the call: temporary memory exclusively, registered memory as bytes that may change.
        let code = unsafe {
            raw::TEEC_InvokeCommand(
                &raw mut self.session,
                command,
                &raw mut operation,
                &raw mut origin,
            )
        };
        let sizes = std::array::from_fn(|at| {
            // SAFETY: the type says which member is meant; all are plain numbers and pointers, and
            // whole since they were written above.
            unsafe {
                match kinds[at] {
                    raw::TEEC_MEMREF_TEMP_INPUT..=raw::TEEC_MEMREF_TEMP_INOUT => {
                        operation.params[at].tmpref.size
                    }
                    raw::TEEC_MEMREF_WHOLE..=raw::TEEC_MEMREF_PARTIAL_INOUT => {
                        operation.params[at].memref.size
                    }
                    _ => 0,
                }
            }
        });
        Outcome {
            code,
            origin,
            sizes,
        }
    }
}
