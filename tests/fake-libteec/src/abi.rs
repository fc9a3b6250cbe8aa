//! The nine functions of libteec, and what the trusted applications' glue needs of the internal API.
//!
//! As libteec's header has it, the structures belong to the client and libteec writes its own part
//! of them: here a number each, under which this side keeps everything that it relies on.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keybearer_core::Caller;
use keybearer_ta_entry::params::GivenSlots;
use optee_teec_sys as raw;
use optee_utee::{FromRawParameters, raw as utee};

use crate::board::{Board, Call, Handle};

mod internal;
mod moved;

pub(crate) use moved::Moved;

/// UUID of the key TA, as its signed header carries it.
const KEY_TA: &str = include_str!("../../../ta/keybearer/uuid.txt").trim_ascii();
/// UUID of the test monitor.
const MONITOR_TA: &str = include_str!("../../../ta/monitor/uuid.txt").trim_ascii();
/// UUID of the decoder.
const DECODER_TA: &str = include_str!("../../../ta/decoder/uuid.txt").trim_ascii();

/// What the numbers in the client's structures mean.
struct Registry {
    next: i32,
    contexts: BTreeMap<i32, Board>,
    memories: BTreeMap<i32, Memory>,
}

/// A shared memory, as it was when it was shared.
struct Memory {
    board: Board,
    buffer: *mut u8,
    size: usize,
    flags: u32,
    /// Made here, hence freed here.
    allocated: bool,
    /// Of the heap that the board protects: the normal world cannot read it.
    protected: bool,
}

// SAFETY: the pointer is only used to free what was allocated, by whoever releases the memory, or
// to copy during a call, for whose time the client lends the memory.
unsafe impl Send for Memory {}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    next: 1,
    contexts: BTreeMap::new(),
    memories: BTreeMap::new(),
});

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    fn number(&mut self) -> i32 {
        let number = self.next;
        self.next += 1;
        number
    }
}

/// The board of a context, and nothing of one that was never initialised.
///
/// # Safety
/// `context` is null or points to a whole structure.
unsafe fn board(context: *const raw::TEEC_Context) -> Option<Board> {
    // SAFETY: by this function's contract.
    let number = unsafe { context.as_ref() }?.imp.fd;
    registry().contexts.get(&number).cloned()
}

/// Whether memory that begins at `start` is shared with a client, and then whether it is protected.
fn shared(start: *const u8) -> Option<bool> {
    let registry = registry();
    let holds = |memory: &&Memory| {
        let offset = start.addr().checked_sub(memory.buffer.addr());
        offset.is_some_and(|offset| offset < memory.size)
    };
    let found = registry.memories.values().find(holds);
    found.map(|memory| memory.protected)
}

fn code(result: Result<(), u32>) -> u32 {
    result.err().unwrap_or(raw::TEEC_SUCCESS)
}

/// Finds the board that is plugged in for this thread. The name of a TEE is not looked at, since
/// there is one at most.
#[unsafe(no_mangle)]
extern "C" fn TEEC_InitializeContext(_: *const c_char, context: *mut raw::TEEC_Context) -> u32 {
    code((|| {
        // SAFETY: the client passes null or a structure of its own.
        let context = unsafe { context.as_mut() }.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
        let board = Board::plugged().ok_or(raw::TEEC_ERROR_ITEM_NOT_FOUND)?;
        board.refusal(Call::InitializeContext)?;
        board.opened(Handle::Context);
        let mut registry = registry();
        context.imp.fd = registry.number();
        registry.contexts.insert(context.imp.fd, board);
        Ok(())
    })())
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_FinalizeContext(context: *mut raw::TEEC_Context) {
    // SAFETY: the client passes null or a structure of its own.
    if let Some(context) = unsafe { context.as_mut() } {
        let board = registry().contexts.remove(&context.imp.fd);
        if let Some(board) = board {
            board.closed(Handle::Context);
        }
    }
}

/// Opens a session of the key TA, of the decoder or of the board's test monitor: no other application is
/// installed, and public login without parameters is the only way in.
#[unsafe(no_mangle)]
extern "C" fn TEEC_OpenSession(
    context: *mut raw::TEEC_Context,
    session: *mut raw::TEEC_Session,
    destination: *const raw::TEEC_UUID,
    login: u32,
    login_data: *const c_void,
    operation: *mut raw::TEEC_Operation,
    origin: *mut u32,
) -> u32 {
    let opened = (|| {
        // SAFETY: null or whole structures of the client's, which it lends for this call.
        let (session, uuid, board) =
            unsafe { (session.as_mut(), destination.as_ref(), board(context)) };
        let session = session.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
        let board = board.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
        let uuid = uuid.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
        if login != raw::TEEC_LOGIN_PUBLIC || !login_data.is_null() || !operation.is_null() {
            return Err(raw::TEEC_ERROR_BAD_PARAMETERS);
        }
        let id = (
            uuid.timeLow,
            uuid.timeMid,
            uuid.timeHiAndVersion,
            uuid.clockSeqAndNode,
        );
        let open: fn(&Board) -> Result<u32, u32> = match text_of(id).as_str() {
            KEY_TA => |board| board.open_session(Caller::Host),
            DECODER_TA => Board::open_decoder,
            MONITOR_TA => Board::open_monitor,
            _ => return Err(raw::TEEC_ERROR_ITEM_NOT_FOUND),
        };
        board.refusal(Call::OpenSession)?;
        session.imp.session_id = open(&board)?;
        session.imp.ctx = context;
        board.opened(Handle::Session);
        Ok(())
    })();
    // SAFETY: null or the client's.
    unsafe { tell_origin(origin, raw::TEEC_ORIGIN_TEE) };
    code(opened)
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_CloseSession(session: *mut raw::TEEC_Session) {
    // SAFETY: null, or a session whose context the client has kept, as the interface demands.
    let found = unsafe {
        session
            .as_ref()
            .and_then(|session| Some((board(session.imp.ctx)?, session.imp.session_id)))
    };
    if let Some((board, number)) = found {
        board.close_session(number);
        board.closed(Handle::Session);
    }
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_AllocateSharedMemory(
    context: *mut raw::TEEC_Context,
    memory: *mut raw::TEEC_SharedMemory,
) -> u32 {
    // SAFETY: null or whole structures of the client's.
    code(unsafe { share(context, memory, true) })
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_RegisterSharedMemory(
    context: *mut raw::TEEC_Context,
    memory: *mut raw::TEEC_SharedMemory,
) -> u32 {
    // SAFETY: null or whole structures of the client's.
    code(unsafe { share(context, memory, false) })
}

/// # Safety
/// The pointers are null or point to whole structures of the client's.
unsafe fn share(
    context: *const raw::TEEC_Context,
    memory: *mut raw::TEEC_SharedMemory,
    allocate: bool,
) -> Result<(), u32> {
    // SAFETY: by this function's contract.
    let (memory, board) = unsafe { (memory.as_mut(), board(context)) };
    let memory = memory.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
    let board = board.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
    let both = raw::TEEC_MEM_INPUT | raw::TEEC_MEM_OUTPUT;
    if memory.flags == 0 || memory.flags & !both != 0 || !allocate && memory.buffer.is_null() {
        return Err(raw::TEEC_ERROR_BAD_PARAMETERS);
    }
    board.refusal(Call::SharedMemory)?;
    if allocate {
        memory.buffer = Box::into_raw(vec![0_u8; memory.size].into_boxed_slice()).cast();
    }
    board.shared(memory.size);
    let buffer = memory.buffer.cast();
    keep(board, memory, buffer, (allocate, false));
    Ok(())
}

/// Gives a memory its number.
fn keep(
    board: Board,
    memory: &mut raw::TEEC_SharedMemory,
    buffer: *mut u8,
    (allocated, protected): (bool, bool),
) {
    board.opened(Handle::Memory);
    let mut registry = registry();
    memory.imp.id = registry.number();
    let shared = Memory {
        board,
        buffer,
        size: memory.size,
        flags: memory.flags,
        allocated,
        protected,
    };
    registry.memories.insert(memory.imp.id, shared);
}

/// Takes a descriptor of a buffer that the board protects, as OP-TEE's driver takes only those of its
/// own heap. The client sees no bytes of it.
#[unsafe(no_mangle)]
extern "C" fn TEEC_RegisterSharedMemoryFileDescriptor(
    context: *mut raw::TEEC_Context,
    memory: *mut raw::TEEC_SharedMemory,
    fd: RawFd,
) -> u32 {
    code((|| {
        // SAFETY: null or whole structures of the client's.
        let (memory, board) = unsafe { (memory.as_mut(), board(context)) };
        let memory = memory.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
        let board = board.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
        let both = raw::TEEC_MEM_INPUT | raw::TEEC_MEM_OUTPUT;
        if fd < 0 || memory.flags == 0 || memory.flags & !both != 0 {
            return Err(raw::TEEC_ERROR_BAD_PARAMETERS);
        }
        board.refusal(Call::SharedMemory)?;
        // SAFETY: the client's, open for the time of this call.
        let found = board.protected(unsafe { BorrowedFd::borrow_raw(fd) });
        let (buffer, size) = found.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
        memory.buffer = ptr::null_mut();
        memory.size = size;
        keep(board, memory, buffer, (false, true));
        Ok(())
    })())
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_ReleaseSharedMemory(memory: *mut raw::TEEC_SharedMemory) {
    // SAFETY: null or a whole structure of the client's.
    let Some(memory) = (unsafe { memory.as_mut() }) else {
        return;
    };
    let shared = registry().memories.remove(&memory.imp.id);
    let Some(shared) = shared else { return };
    if shared.allocated {
        let bytes = ptr::slice_from_raw_parts_mut(shared.buffer, shared.size);
        // SAFETY: `share` made it with this size, and it has just left the registry, so that it is
        // freed once.
        drop(unsafe { Box::from_raw(bytes) });
        memory.buffer = ptr::null_mut();
    }
    shared.board.closed(Handle::Memory);
}

/// Notes on the board that cancellation was asked for. The key TA masks it; a script may heed it.
#[unsafe(no_mangle)]
extern "C" fn TEEC_RequestCancellation(operation: *mut raw::TEEC_Operation) {
    // SAFETY: null, or an operation under way, of which the client lends no more than its session,
    // which has a context that the client has kept. libteec's own lock is not needed here: the client
    // writes the session before it makes the call.
    let board = unsafe {
        (!operation.is_null())
            .then(|| (*operation).imp.session)
            .and_then(|session| session.as_ref())
            .and_then(|session| board(session.imp.ctx))
    };
    if let Some(board) = board {
        board.cancellations().fetch_add(1, Ordering::SeqCst);
    }
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_InvokeCommand(
    session: *mut raw::TEEC_Session,
    command: u32,
    operation: *mut raw::TEEC_Operation,
    origin: *mut u32,
) -> u32 {
    // SAFETY: null or whole structures that the client lends for this call.
    unsafe {
        tell_origin(origin, raw::TEEC_ORIGIN_COMMS);
        let found = session
            .as_ref()
            .and_then(|session| Some((board(session.imp.ctx)?, session.imp.session_id)));
        let Some((board, number)) = found else {
            return raw::TEEC_ERROR_BAD_PARAMETERS;
        };
        if let Err(code) = board.refusal(Call::InvokeCommand) {
            return code;
        }
        let mut none = raw::TEEC_Operation {
            started: 0,
            paramTypes: 0,
            params: [raw::TEEC_Parameter {
                value: raw::TEEC_Value { a: 0, b: 0 },
            }; 4],
            imp: raw::TEEC_Operation__Imp {
                session: ptr::null_mut(),
            },
        };
        let operation = operation.as_mut().unwrap_or(&mut none);
        let (types, mut params) = match mapped(operation) {
            Ok(mapped) => mapped,
            Err(code) => return code,
        };
        tell_origin(origin, raw::TEEC_ORIGIN_TRUSTED_APP);
        let outcome = match GivenSlots::from_raw(types, &mut params) {
            Ok(slots) => board.invoke(number, command, slots),
            Err(error) => error.raw_code().into(),
        };
        tell_sizes(operation, types, &params, outcome.claimed);
        outcome.code
    }
}

/// # Safety
/// `origin` is null or the client's.
unsafe fn tell_origin(origin: *mut u32, value: u32) {
    // SAFETY: by this function's contract.
    if let Some(origin) = unsafe { origin.as_mut() } {
        *origin = value;
    }
}

type Params = [utee::TEE_Param; 4];

/// The parameters as the TEE hands them to an application: libteec's kinds of memory are one kind
/// there, and a range of a shared memory is a pointer and a size.
///
/// # Safety
/// What the operation points to is the client's and lives for the call.
unsafe fn mapped(operation: &raw::TEEC_Operation) -> Result<(u32, Params), u32> {
    let mut types = 0;
    let mut params = [utee::TEE_Param {
        value: utee::Value { a: 0, b: 0 },
    }; 4];
    for (at, (given, param)) in operation.params.iter().zip(&mut params).enumerate() {
        let kind = operation.paramTypes >> (4 * at) & 0xf;
        // SAFETY: the type says which member of the union the client has written.
        let (kind, to) = unsafe {
            match kind {
                raw::TEEC_NONE => (kind, *param),
                1..=3 => {
                    let raw::TEEC_Value { a, b } = given.value;
                    let value = utee::Value { a, b };
                    (kind, utee::TEE_Param { value })
                }
                raw::TEEC_MEMREF_TEMP_INPUT..=raw::TEEC_MEMREF_TEMP_INOUT => {
                    let raw::TEEC_TempMemoryReference { buffer, size } = given.tmpref;
                    (kind, memref(buffer.cast(), size))
                }
                raw::TEEC_MEMREF_WHOLE..=raw::TEEC_MEMREF_PARTIAL_INOUT => part(kind, given)?,
                _ => return Err(raw::TEEC_ERROR_BAD_PARAMETERS),
            }
        };
        types |= kind << (4 * at);
        *param = to;
    }
    Ok((types, params))
}

fn memref(buffer: *mut u8, size: usize) -> utee::TEE_Param {
    let buffer = buffer.cast();
    let memref = utee::Memref { buffer, size };
    utee::TEE_Param { memref }
}

/// A range of a shared memory, or the whole of it.
///
/// # Safety
/// `given` holds a registered memory reference whose parent is null or a structure of the client's.
unsafe fn part(kind: u32, given: &raw::TEEC_Parameter) -> Result<(u32, utee::TEE_Param), u32> {
    // SAFETY: by this function's contract.
    let (reference, parent) = unsafe { (given.memref, given.memref.parent.as_ref()) };
    let parent = parent.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
    let registry = registry();
    // What was shared counts, not what the structure says now.
    let memory = registry.memories.get(&parent.imp.id);
    let memory = memory.ok_or(raw::TEEC_ERROR_BAD_PARAMETERS)?;
    if kind == raw::TEEC_MEMREF_WHOLE {
        let kind = 4 + memory.flags; // input 5, output 6, both 7
        return Ok((kind, memref(memory.buffer, memory.size)));
    }
    let direction = kind & 0x3;
    let end = reference.offset.checked_add(reference.size);
    // OP-TEE refuses an offset at the very end of a memory, even for no bytes at all.
    let inside = end.is_some_and(|end| end <= memory.size) && reference.offset < memory.size;
    if direction & memory.flags != direction || !inside {
        return Err(raw::TEEC_ERROR_BAD_PARAMETERS);
    }
    let start = memory.buffer.wrapping_add(reference.offset);
    Ok((4 + direction, memref(start, reference.size)))
}

/// Tells the client how much was written to each memory that is an output.
///
/// # Safety
/// `params` are what [`mapped`] made of `operation`, and `types` theirs.
unsafe fn tell_sizes(
    operation: &mut raw::TEEC_Operation,
    types: u32,
    params: &Params,
    claimed: Option<(usize, usize)>,
) {
    let kinds = operation.paramTypes;
    for (at, (given, param)) in operation.params.iter_mut().zip(params).enumerate() {
        if !matches!(types >> (4 * at) & 0xf, 6 | 7) {
            continue;
        }
        // SAFETY: this type is a memory reference on both sides.
        let written = unsafe { param.memref.size };
        let size = match (at, claimed) {
            (1, Some((response, _))) => response,
            (3, Some((_, media))) => media,
            _ => written,
        };
        if kinds >> (4 * at) & 0x8 == 0 {
            given.tmpref.size = size;
        } else {
            given.memref.size = size;
        }
    }
}

/// A UUID as people write it, of the four parts that both interfaces have.
fn text_of((low, mid, high, tail): (u32, u16, u16, [u8; 8])) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let (clock, node) = tail.split_at(2);
    format!(
        "{low:08x}-{mid:04x}-{high:04x}-{}-{}",
        hex(clock),
        hex(node)
    )
}

#[cfg(test)]
mod tests;
