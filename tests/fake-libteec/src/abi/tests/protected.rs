//! Whose memory a call's is, as the trusted application's glue is told.

use std::os::fd::AsRawFd;

use super::*;
use keybearer_ta_entry::params::{COMMAND_TYPES, CommandSlots};

/// A protected buffer of 64 bytes, registered.
fn buffer(client: &mut Client) -> Box<raw::TEEC_SharedMemory> {
    let fd = client.board.protected_buffer(64);
    let mut buffer = Box::new(memory(ptr::null_mut(), 0, 3));
    let code = TEEC_RegisterSharedMemoryFileDescriptor(
        &raw mut *client.context,
        &raw mut *buffer,
        fd.as_raw_fd(),
    );
    assert_eq!((code, buffer.size), (0, 64));
    assert!(buffer.buffer.is_null());
    buffer
}

/// The status of a call of `Describe` with this media.
fn described(
    client: &mut Client,
    input: raw::TEEC_Parameter,
    output: raw::TEEC_Parameter,
) -> Status {
    let (mut request, mut response) = (describe(), vec![0; MAX_RESPONSE]);
    let mut params = [
        temporary(&mut request),
        temporary(&mut response),
        input,
        output,
    ];
    let kind = |param: &raw::TEEC_Parameter| {
        // SAFETY: references of both kinds begin with a pointer.
        let named = unsafe { !param.memref.parent.is_null() };
        if named { 8 } else { 0 }
    };
    let types = RIGHT | kind(&input) << 8 | kind(&output) << 12;
    assert_eq!(client.invoke(types, &mut params).0, 0);
    // SAFETY: written as a temporary reference above.
    let len = unsafe { params[1].tmpref.size };
    match decode_response::<keybearer_wire::body::Description<'_>>(&response[..len]).unwrap() {
        Ok(_) => Status::Ok,
        Err(status) => status,
    }
}

#[test]
fn nothing_comes_out_of_a_protected_buffer() {
    let mut client = Client::new();
    let mut buffer = buffer(&mut client);
    let nothing = raw::TEEC_Parameter {
        tmpref: raw::TEEC_TempMemoryReference {
            buffer: ptr::null_mut(),
            size: 0,
        },
    };
    let (whole, part) = (range(&mut buffer, 0, 64), range(&mut buffer, 63, 1));
    assert_eq!(described(&mut client, nothing, nothing), Status::Ok);
    assert_eq!(described(&mut client, nothing, whole), Status::Ok);
    for input in [whole, part] {
        for output in [nothing, whole] {
            let status = described(&mut client, input, output);
            assert_eq!(status, Status::ProtectedInput);
        }
    }
    TEEC_ReleaseSharedMemory(&raw mut *buffer);
}

#[test]
fn a_buffer_is_protected_and_what_a_client_shares_is_not() {
    let mut client = Client::new();
    let mut buffer = buffer(&mut client);
    let mut bytes = [0; 16];
    let kinds = |slots: [raw::TEEC_Parameter; 4], types| {
        let operation = raw::TEEC_Operation {
            started: 0,
            paramTypes: types,
            params: slots,
            imp: raw::TEEC_Operation__Imp {
                session: ptr::null_mut(),
            },
        };
        // SAFETY: the references above are whole, and what they lead to lives.
        unsafe {
            let (_, mut params) = mapped(&operation).unwrap();
            let slots = CommandSlots::from_raw(COMMAND_TYPES, &mut params).unwrap();
            [
                slots.request.is_protected(),
                slots.response.is_protected(),
                slots.media_in.is_protected(),
                slots.media_out.is_protected(),
            ]
        }
    };
    let shared = temporary(&mut bytes);
    assert_eq!(kinds([shared; 4], RIGHT), [false; 4]);
    let protected = [(); 4].map(|()| range(&mut buffer, 8, 56));
    assert_eq!(kinds(protected, RIGHT | 0x8888), [true; 4]);
    TEEC_ReleaseSharedMemory(&raw mut *buffer);
}
