//! The functions of the TEE's internal interface that the applications' glue is written against: how
//! it copies, and how one application calls another.

use std::ffi::c_void;
use std::ptr;

use keybearer_core::Caller;
use keybearer_ta_entry::params::GivenSlots;
use optee_utee::{FromRawParameters, raw};

use super::{KEY_TA, shared, text_of};
use crate::decoder::Place;

#[cfg(test)]
thread_local! {
    /// Where each copy of this thread comes from and how many bytes it has, while a test wants to know.
    pub(super) static COPIED: std::cell::RefCell<Option<Vec<(usize, usize)>>> =
        const { std::cell::RefCell::new(None) };
}

/// The only way in which the applications' glue reaches memory that it shares with a caller.
#[unsafe(no_mangle)]
pub(super) extern "C" fn TEE_MemMove(to: *mut c_void, from: *const c_void, len: usize) {
    #[cfg(test)]
    COPIED.with_borrow_mut(|copied| {
        copied
            .iter_mut()
            .for_each(|all| all.push((from.addr(), len)))
    });
    // SAFETY: the glue proved both ranges, one its own and one of a slot; they may overlap.
    unsafe { ptr::copy(from.cast::<u8>(), to.cast::<u8>(), len) };
}

/// OP-TEE's rights beside the standard's: memory that the normal world can reach, and that it cannot.
const NONSECURE: u32 = 0x1000_0000;
const SECURE: u32 = 0x2000_0000;

/// Every slot that a caller may hand over is memory of this process, whole. Protected are the board's
/// buffers, and what an application that runs here has of its own.
#[unsafe(no_mangle)]
pub(super) extern "C" fn TEE_CheckMemoryAccessRights(
    access: u32,
    buffer: *mut c_void,
    _size: usize,
) -> u32 {
    let secure = shared(buffer.cast()).unwrap_or_else(|| Place::of_this_thread().is_some());
    let denied =
        buffer.is_null() || access & SECURE != 0 && !secure || access & NONSECURE != 0 && secure;
    if denied {
        raw::TEE_ERROR_ACCESS_DENIED
    } else {
        raw::TEE_SUCCESS
    }
}

/// Opens a session of the key TA for the decoder that runs on this thread: OP-TEE, not a message, says
/// who calls.
#[unsafe(no_mangle)]
extern "C" fn TEE_OpenTASession(
    destination: *const raw::TEE_UUID,
    _timeout: u32,
    types: u32,
    _params: *mut raw::TEE_Param,
    session: *mut raw::TEE_TASessionHandle,
    origin: *mut u32,
) -> u32 {
    // SAFETY: null or whole values of the calling application's.
    let (uuid, session, origin) =
        unsafe { (destination.as_ref(), session.as_mut(), origin.as_mut()) };
    if let Some(origin) = origin {
        *origin = raw::TEE_ORIGIN_TEE;
    }
    let (Some(uuid), Some(session), 0) = (uuid, session, types) else {
        return raw::TEE_ERROR_BAD_PARAMETERS;
    };
    let id = (
        uuid.timeLow,
        uuid.timeMid,
        uuid.timeHiAndVersion,
        uuid.clockSeqAndNode,
    );
    let Some(place) = Place::of_this_thread().filter(|_| text_of(id) == KEY_TA) else {
        return raw::TEE_ERROR_ITEM_NOT_FOUND;
    };
    match place.board().open_session(Caller::Decoder) {
        Ok(number) => {
            place.opened(number);
            *session = ptr::without_provenance_mut(number as usize);
            raw::TEE_SUCCESS
        }
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
extern "C" fn TEE_CloseTASession(session: raw::TEE_TASessionHandle) {
    if let (Some(place), Some(number)) = (Place::of_this_thread(), number_of(session)) {
        place.closed(number);
        place.board().close_session(number);
    }
}

#[unsafe(no_mangle)]
extern "C" fn TEE_InvokeTACommand(
    session: raw::TEE_TASessionHandle,
    _timeout: u32,
    command: u32,
    types: u32,
    params: *mut raw::TEE_Param,
    origin: *mut u32,
) -> u32 {
    // SAFETY: null or whole values of the calling application's.
    let (params, origin) = unsafe {
        (
            params.cast::<[raw::TEE_Param; 4]>().as_mut(),
            origin.as_mut(),
        )
    };
    if let Some(origin) = origin {
        *origin = raw::TEE_ORIGIN_TRUSTED_APP;
    }
    let (Some(params), Some(number)) = (params, number_of(session)) else {
        return raw::TEE_ERROR_BAD_PARAMETERS;
    };
    let Some(place) = Place::of_this_thread() else {
        return raw::TEE_ERROR_TARGET_DEAD;
    };
    // SAFETY: the caller's type word says what the parameters hold, and it lends them for the call.
    match unsafe { GivenSlots::from_raw(types, params) } {
        Ok(slots) => place.board().serve(number, command, slots).code,
        Err(error) => error.raw_code(),
    }
}

/// The number that [`TEE_OpenTASession`] gave out as a handle.
fn number_of(session: raw::TEE_TASessionHandle) -> Option<u32> {
    u32::try_from(session.addr()).ok()
}
