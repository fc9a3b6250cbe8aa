//! A libteec for the tests of this crate: what a call gives back is scripted, and the shape of
//! every call is checked against what the key TA accepts. State is per thread, because tests are.

use super::raw;
use std::cell::RefCell;

/// What the next calls return, and what is still open.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) initialize: u32,
    pub(crate) open: u32,
    pub(crate) allocate: u32,
    pub(crate) invoke: Option<Invoke>,
    /// Contexts, sessions and shared memories opened and not yet closed, in the order of opening.
    pub(crate) alive: Vec<&'static str>,
    /// Sizes of the shared memories allocated so far.
    pub(crate) arenas: Vec<usize>,
    /// Commands that arrived.
    pub(crate) commands: Vec<u32>,
}

/// The trusted application: command, request, media; answers with a result code, the bytes of the
/// response and of the media, and the sizes that it claims.
pub(crate) type Invoke = fn(&[u8], &[u8]) -> Answer;

pub(crate) struct Answer {
    pub(crate) code: u32,
    pub(crate) response: Vec<u8>,
    pub(crate) media: Vec<u8>,
    pub(crate) claimed: Option<(usize, usize)>,
}

thread_local! {
    static SCRIPT: RefCell<Script> = RefCell::default();
}

/// Reads or changes this thread's script.
pub(crate) fn script<T>(with: impl FnOnce(&mut Script) -> T) -> T {
    SCRIPT.with_borrow_mut(with)
}

fn opened(kind: &'static str, code: u32) -> u32 {
    if code == raw::TEEC_SUCCESS {
        script(|s| s.alive.push(kind));
    }
    code
}

fn closed(kind: &'static str) {
    script(|s| {
        let at = s
            .alive
            .iter()
            .rposition(|k| *k == kind)
            .expect("closed without being open");
        s.alive.remove(at);
        assert!(
            kind != "context" || s.alive.is_empty(),
            "a context goes last"
        );
    });
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_InitializeContext(
    _name: *const core::ffi::c_char,
    _context: *mut raw::TEEC_Context,
) -> u32 {
    opened("context", script(|s| s.initialize))
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_FinalizeContext(_context: *mut raw::TEEC_Context) {
    closed("context");
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_OpenSession(
    _context: *mut raw::TEEC_Context,
    _session: *mut raw::TEEC_Session,
    destination: *const raw::TEEC_UUID,
    login: u32,
    _data: *const core::ffi::c_void,
    operation: *mut raw::TEEC_Operation,
    _origin: *mut u32,
) -> u32 {
    // SAFETY: the caller passes a valid UUID.
    let uuid = unsafe { &*destination };
    assert_eq!((uuid.timeLow, uuid.timeMid), (0x609b_2559, 0xaca2));
    assert_eq!(login, raw::TEEC_LOGIN_PUBLIC);
    assert!(operation.is_null());
    opened("session", script(|s| s.open))
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_CloseSession(_session: *mut raw::TEEC_Session) {
    closed("session");
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_AllocateSharedMemory(
    _context: *mut raw::TEEC_Context,
    memory: *mut raw::TEEC_SharedMemory,
) -> u32 {
    let code = script(|s| s.allocate);
    if code == raw::TEEC_SUCCESS {
        // SAFETY: the caller passes a whole structure; the buffer is freed in the release below.
        unsafe {
            let size = (*memory).size;
            script(|s| s.arenas.push(size));
            (*memory).buffer = Box::into_raw(vec![0u8; size].into_boxed_slice()).cast();
        }
    }
    opened("memory", code)
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_ReleaseSharedMemory(memory: *mut raw::TEEC_SharedMemory) {
    // SAFETY: made by the allocation above, with this size.
    unsafe {
        let bytes =
            std::ptr::slice_from_raw_parts_mut((*memory).buffer.cast::<u8>(), (*memory).size);
        drop(Box::from_raw(bytes));
    }
    closed("memory");
}

#[unsafe(no_mangle)]
extern "C" fn TEEC_InvokeCommand(
    _session: *mut raw::TEEC_Session,
    command: u32,
    operation: *mut raw::TEEC_Operation,
    _origin: *mut u32,
) -> u32 {
    // SAFETY: the caller passes a whole operation of four partial references into its arena.
    unsafe {
        let operation = &mut *operation;
        assert_eq!(
            operation.paramTypes, 0xeded,
            "request in, response out, media in, media out"
        );
        let slot = |i: usize| {
            let memref = operation.params[i].memref;
            assert!(memref.offset < (*memref.parent).size, "as OP-TEE wants it");
            assert!(
                memref.offset + memref.size <= (*memref.parent).size,
                "slot outside the arena"
            );
            (
                (*memref.parent).buffer.cast::<u8>().add(memref.offset),
                memref.size,
            )
        };
        let read = |i: usize| std::slice::from_raw_parts(slot(i).0, slot(i).1).to_vec();
        let invoke = script(|s| {
            s.commands.push(command);
            s.invoke.expect("a script for the call")
        });
        let answer = invoke(&read(0), &read(2));
        for (i, bytes) in [(1, &answer.response), (3, &answer.media)] {
            let (at, room) = slot(i);
            assert!(bytes.len() <= room, "the fake writes within its room");
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
        }
        let (response, media) = answer
            .claimed
            .unwrap_or((answer.response.len(), answer.media.len()));
        operation.params[1].memref.size = response;
        operation.params[3].memref.size = media;
        answer.code
    }
}
