#![allow(clippy::unwrap_used)] // a test that cannot go on must stop

mod licensed;
mod moving;
mod protected;
mod unheard;
mod words;

use super::internal::TEE_MemMove;
use super::*;
use crate::Answer;
use keybearer_wire::body::{Describe, Empty};
use keybearer_wire::field::Body;
use keybearer_wire::limits::{MAX_REQUEST, MAX_RESPONSE};
use keybearer_wire::{Command, Status, decode_response};
use raw::{TEEC_ERROR_BAD_PARAMETERS as BAD, TEEC_ERROR_ITEM_NOT_FOUND as ABSENT};

const NONE: raw::TEEC_Parameter = raw::TEEC_Parameter {
    value: raw::TEEC_Value { a: 0, b: 0 },
};
const RIGHT: u32 = 0x6565; // temporary: request in, response out, media in, media out

fn empty_context() -> Box<raw::TEEC_Context> {
    let imp = raw::TEEC_Context__Imp {
        fd: -1,
        reg_mem: false,
        memref_null: false,
    };
    Box::new(raw::TEEC_Context { imp })
}

fn empty_session() -> raw::TEEC_Session {
    let imp = raw::TEEC_Session__Imp {
        ctx: ptr::null_mut(),
        session_id: 0,
    };
    raw::TEEC_Session { imp }
}

fn memory(buffer: *mut u8, size: usize, flags: u32) -> raw::TEEC_SharedMemory {
    let imp = raw::TEEC_SharedMemory__Imp {
        id: -1,
        alloced_size: 0,
        shadow_buffer: ptr::null_mut(),
        registered_fd: -1,
        flags: 0,
    };
    raw::TEEC_SharedMemory {
        buffer: buffer.cast(),
        size,
        flags,
        imp,
    }
}

fn temporary(bytes: &mut [u8]) -> raw::TEEC_Parameter {
    let (buffer, size) = (bytes.as_mut_ptr().cast(), bytes.len());
    raw::TEEC_Parameter {
        tmpref: raw::TEEC_TempMemoryReference { buffer, size },
    }
}

fn range(parent: &mut raw::TEEC_SharedMemory, offset: usize, size: usize) -> raw::TEEC_Parameter {
    raw::TEEC_Parameter {
        memref: raw::TEEC_RegisteredMemoryReference {
            parent,
            size,
            offset,
        },
    }
}

fn uuid() -> raw::TEEC_UUID {
    raw::TEEC_UUID {
        timeLow: 0x609b_2559,
        timeMid: 0xaca2,
        timeHiAndVersion: 0x44ce,
        clockSeqAndNode: [0x88, 0x2b, 0xc9, 0x76, 0x4c, 0xba, 0xd1, 0x39],
    }
}

/// A client with an open session.
struct Client {
    board: Board,
    context: Box<raw::TEEC_Context>,
    session: raw::TEEC_Session,
}

impl Client {
    /// A client of the key TA.
    fn new() -> Self {
        Self::of(&uuid())
    }

    /// A client of the application with this UUID, on a board of its own.
    fn of(application: &raw::TEEC_UUID) -> Self {
        let board = Board::new();
        let _plugged = board.plug();
        let (mut context, mut session) = (empty_context(), empty_session());
        assert_eq!(TEEC_InitializeContext(ptr::null(), &raw mut *context), 0);
        assert_eq!(open(&mut context, &mut session, application, 0), 0);
        Self {
            board,
            context,
            session,
        }
    }

    fn invoke(&mut self, types: u32, params: &mut [raw::TEEC_Parameter; 4]) -> (u32, u32) {
        self.give(Command::Describe.code(), types, params)
    }

    fn give(
        &mut self,
        command: u32,
        types: u32,
        params: &mut [raw::TEEC_Parameter; 4],
    ) -> (u32, u32) {
        let mut operation = raw::TEEC_Operation {
            started: 0,
            paramTypes: types,
            params: *params,
            imp: raw::TEEC_Operation__Imp {
                session: ptr::null_mut(),
            },
        };
        let mut origin = 0;
        let code = TEEC_InvokeCommand(
            &raw mut self.session,
            command,
            &raw mut operation,
            &raw mut origin,
        );
        *params = operation.params;
        (code, origin)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        TEEC_CloseSession(&raw mut self.session);
        TEEC_FinalizeContext(&raw mut *self.context);
        assert!(self.board.open().is_empty());
    }
}

fn open(
    context: &mut raw::TEEC_Context,
    session: &mut raw::TEEC_Session,
    uuid: &raw::TEEC_UUID,
    login: u32,
) -> u32 {
    let none = ptr::null_mut();
    TEEC_OpenSession(
        context,
        session,
        uuid,
        login,
        ptr::null(),
        none,
        none.cast(),
    )
}

fn describe() -> Vec<u8> {
    Describe {}.encode(MAX_REQUEST).unwrap()
}

#[test]
fn sizes_come_back_and_absent_slots_are_empty() {
    let mut client = Client::new();
    let (mut request, mut response) = (describe(), vec![0; MAX_RESPONSE]);
    let absent = raw::TEEC_Parameter {
        tmpref: raw::TEEC_TempMemoryReference {
            buffer: ptr::null_mut(),
            size: 0,
        },
    };
    let mut params = [
        temporary(&mut request),
        temporary(&mut response),
        absent,
        absent,
    ];
    assert_eq!(
        client.invoke(RIGHT, &mut params),
        (0, raw::TEEC_ORIGIN_TRUSTED_APP)
    );
    // SAFETY: written as temporary references above.
    let (len, media) = unsafe { (params[1].tmpref.size, params[3].tmpref.size) };
    assert!(len > 3 && len < 200, "{len}");
    assert_eq!(media, 0);

    let mut params = [absent, temporary(&mut response), absent, absent];
    assert_eq!(client.invoke(RIGHT, &mut params).0, 0);
    // SAFETY: as above.
    let len = unsafe { params[1].tmpref.size };
    assert_eq!(
        decode_response::<Empty>(&response[..len]).unwrap(),
        Err(Status::Malformed)
    );
    // Not even a refusal fits.
    let mut params = [absent; 4];
    let short = (raw::TEEC_ERROR_SHORT_BUFFER, raw::TEEC_ORIGIN_TRUSTED_APP);
    assert_eq!(client.invoke(RIGHT, &mut params), short);
}

#[test]
fn ranges_outside_what_was_shared_are_refused() {
    let mut client = Client::new();
    let mut shared = memory(ptr::null_mut(), MAX_RESPONSE, 3);
    assert_eq!(
        TEEC_AllocateSharedMemory(&raw mut *client.context, &raw mut shared),
        0
    );
    let mut readable = memory(shared.buffer.cast(), 16, raw::TEEC_MEM_INPUT);
    assert_eq!(
        TEEC_RegisterSharedMemory(&raw mut *client.context, &raw mut readable),
        0
    );
    let mut never = memory(shared.buffer.cast(), 16, 3);
    // The structure is the client's: what it says now does not count.
    shared.size = usize::MAX;
    let end = MAX_RESPONSE;
    for (offset, size, right) in [
        (0, end, true),
        (end - 1, 1, true),
        (end, 0, false),
        (end - 1, 2, false),
        (1, usize::MAX, false),
        (usize::MAX, 1, false),
    ] {
        let mut params = [range(&mut shared, offset, size), NONE, NONE, NONE];
        let (code, origin) = client.invoke(0xd, &mut params);
        // Shared as it should be, it is the application that does not take one parameter.
        let expected = if right {
            raw::TEEC_ORIGIN_TRUSTED_APP
        } else {
            raw::TEEC_ORIGIN_COMMS
        };
        assert_eq!((code, origin), (BAD, expected), "{offset} {size}");
    }
    for (kind, parent) in [(0xe, &mut readable), (0xd, &mut never)] {
        let mut params = [range(parent, 0, 16), NONE, NONE, NONE];
        assert_eq!(
            client.invoke(kind, &mut params),
            (BAD, raw::TEEC_ORIGIN_COMMS)
        );
    }
    let orphan = raw::TEEC_RegisteredMemoryReference {
        parent: ptr::null_mut(),
        size: 0,
        offset: 0,
    };
    let mut params = [raw::TEEC_Parameter { memref: orphan }, NONE, NONE, NONE];
    assert_eq!(
        client.invoke(0xd, &mut params),
        (BAD, raw::TEEC_ORIGIN_COMMS)
    );
    for shared in [&mut shared, &mut readable] {
        TEEC_ReleaseSharedMemory(shared);
        let mut params = [range(shared, 0, 1), NONE, NONE, NONE];
        assert_eq!(
            client.invoke(0xd, &mut params),
            (BAD, raw::TEEC_ORIGIN_COMMS)
        );
        TEEC_ReleaseSharedMemory(shared); // twice is once
    }
}

#[test]
fn a_whole_memory_goes_in_the_directions_it_was_shared_for() {
    let mut client = Client::new();
    let (mut request, mut response) = (describe(), vec![0; MAX_RESPONSE]);
    let mut input = memory(request.as_mut_ptr(), request.len(), raw::TEEC_MEM_INPUT);
    let mut output = memory(response.as_mut_ptr(), response.len(), raw::TEEC_MEM_OUTPUT);
    for memory in [&mut input, &mut output] {
        assert_eq!(
            TEEC_RegisterSharedMemory(&raw mut *client.context, memory),
            0
        );
    }
    let mut params = [0, 1, 0, 1].map(|at| match at {
        0 => range(&mut input, 0, 0),
        _ => range(&mut output, 0, 0),
    });
    assert_eq!(client.invoke(0xcccc, &mut params).0, raw::TEEC_SUCCESS);
    let whole = params[1];
    // SAFETY: written as a registered reference above.
    assert!(unsafe { whole.memref.size } > 3);
    TEEC_ReleaseSharedMemory(&raw mut input);
    TEEC_ReleaseSharedMemory(&raw mut output);
}

#[test]
fn null_pointers_and_other_ways_in_are_refused() {
    let client = Client::new();
    let _plugged = client.board.plug();
    assert_eq!(
        TEEC_InitializeContext(ptr::null_mut(), ptr::null_mut()),
        BAD
    );
    let (mut context, mut session) = (empty_context(), empty_session());
    assert_eq!(
        open(&mut context, &mut session, &uuid(), 0),
        BAD,
        "never initialised"
    );
    assert_eq!(
        TEEC_InitializeContext(ptr::null_mut(), &raw mut *context),
        0
    );
    assert_eq!(
        open(&mut context, &mut session, &uuid(), raw::TEEC_LOGIN_USER),
        BAD
    );
    let mut other = uuid();
    other.clockSeqAndNode[7] ^= 1;
    assert_eq!(open(&mut context, &mut session, &other, 0), ABSENT);
    let (to, uuid) = (&raw mut *context, uuid());
    let mut origin = 0;
    let mut with = |context, session, uuid, data, operation| {
        TEEC_OpenSession(context, session, uuid, 0, data, operation, &raw mut origin)
    };
    let mut operation = raw::TEEC_Operation {
        started: 0,
        paramTypes: 0,
        params: [NONE; 4],
        imp: raw::TEEC_Operation__Imp {
            session: ptr::null_mut(),
        },
    };
    assert_eq!(
        with(
            ptr::null_mut(),
            &raw mut session,
            &uuid,
            ptr::null_mut(),
            ptr::null_mut()
        ),
        BAD
    );
    assert_eq!(
        with(to, ptr::null_mut(), &uuid, ptr::null_mut(), ptr::null_mut()),
        BAD
    );
    assert_eq!(
        with(
            to,
            &raw mut session,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut()
        ),
        BAD
    );
    let data = ptr::from_ref(&uuid).cast();
    assert_eq!(
        with(to, &raw mut session, &uuid, data, ptr::null_mut()),
        BAD
    );
    assert_eq!(
        with(
            to,
            &raw mut session,
            &uuid,
            ptr::null_mut(),
            &raw mut operation
        ),
        BAD
    );
    assert_eq!(origin, raw::TEEC_ORIGIN_TEE);

    assert_eq!(
        TEEC_InvokeCommand(ptr::null_mut(), 1, &raw mut operation, ptr::null_mut()),
        BAD
    );
    assert_eq!(
        TEEC_InvokeCommand(&raw mut session, 1, ptr::null_mut(), ptr::null_mut()),
        BAD,
        "never opened"
    );
    for call in [TEEC_AllocateSharedMemory, TEEC_RegisterSharedMemory] {
        assert_eq!(call(to, ptr::null_mut()), BAD);
        assert_eq!(
            call(ptr::null_mut(), &mut memory(ptr::null_mut(), 1, 3)),
            BAD
        );
        assert_eq!(call(to, &mut memory(ptr::null_mut(), 1, 0)), BAD);
        assert_eq!(call(to, &mut memory(ptr::null_mut(), 1, 4)), BAD);
    }
    assert_eq!(
        TEEC_RegisterSharedMemory(to, &mut memory(ptr::null_mut(), 1, 3)),
        BAD
    );
    TEEC_CloseSession(ptr::null_mut());
    TEEC_ReleaseSharedMemory(ptr::null_mut());
    TEEC_RequestCancellation(&raw mut operation);
    TEEC_RequestCancellation(ptr::null_mut());
    TEEC_FinalizeContext(ptr::null_mut());
    TEEC_FinalizeContext(to);
    TEEC_FinalizeContext(to); // twice is once
}

#[test]
fn an_open_session_without_an_operation_has_no_parameters() {
    let mut client = Client::new();
    let none = ptr::null_mut();
    let code = TEEC_InvokeCommand(&raw mut client.session, 1, none, none.cast());
    assert_eq!(code, BAD, "the application takes four, and says so");
}

#[test]
fn a_panic_is_the_applications_death_and_nobody_elses() {
    let mut client = Client::new();
    client
        .board
        .script(|_, _, _| -> Answer { panic!("as if inside the application") });
    let mut response = vec![0; MAX_RESPONSE];
    let mut call = |client: &mut Client| {
        let mut request = describe();
        let [mut a, mut b] = [[0; 0]; 2];
        let (a, b) = (temporary(&mut a), temporary(&mut b));
        let mut params = [temporary(&mut request), temporary(&mut response), a, b];
        client.invoke(RIGHT, &mut params).0
    };
    assert_eq!(call(&mut client), raw::TEEC_ERROR_TARGET_DEAD);
    client.board.unscript();
    assert_eq!(call(&mut client), raw::TEEC_ERROR_TARGET_DEAD);
    TEEC_CloseSession(&raw mut client.session);
    assert_eq!(
        open(&mut client.context, &mut client.session, &uuid(), 0),
        0
    );
    assert_eq!(call(&mut client), raw::TEEC_SUCCESS);
}

#[test]
fn boards_are_devices_of_their_own_and_threads_see_what_they_plugged_in() {
    let (one, other) = (Board::new(), Board::new());
    let find = || {
        let mut context = empty_context();
        let code = TEEC_InitializeContext(ptr::null(), &raw mut *context);
        TEEC_FinalizeContext(&raw mut *context);
        code
    };
    assert_eq!(find(), ABSENT);
    let outer = one.plug();
    {
        let _inner = other.plug();
        other.refuse(Call::InitializeContext, BAD);
        assert_eq!(find(), BAD);
    }
    assert_eq!(find(), 0);
    assert_eq!(std::thread::spawn(find).join().unwrap(), ABSENT);
    drop(outer);
    assert_eq!(find(), ABSENT);
}

#[test]
fn copies_overlap_as_memmove_has_it() {
    let mut bytes = [1_u8, 2, 3, 4, 5];
    let start = bytes.as_mut_ptr();
    TEE_MemMove(start.wrapping_add(1).cast(), start.cast(), 4);
    assert_eq!(bytes, [1, 1, 2, 3, 4]);
}
