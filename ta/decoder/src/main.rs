//! Entry points of the decoder TA.

#![no_std]
#![no_main]
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    reason = "what the entry point macros write is theirs"
)]

extern crate alloc;

use keybearer_ta_decoder::{
    Session,
    clock::system_time,
    output::{PlatformOutput, of_this_platform},
    sys::KeyTa,
};
use keybearer_ta_entry::{
    params::{CommandSlots, NoSlots},
    serve::serve,
};
use keybearer_wire::decoder::MAX_DECODER_RESPONSE;
use optee_utee::{
    ErrorKind, Result, ta_close_session, ta_create, ta_destroy, ta_invoke_command, ta_open_session,
};

/// The one session of this instance; the TEE gives a further one an instance of its own.
#[derive(Default)]
struct Connection(Option<Session<KeyTa, PlatformOutput>>);

#[ta_create]
fn create() -> Result<()> {
    Ok(())
}

#[ta_destroy]
fn destroy() {}

#[ta_open_session]
fn open(_: &mut NoSlots, connection: &mut Connection) -> Result<()> {
    connection.0 = Some(Session::new(KeyTa, of_this_platform(), system_time));
    Ok(())
}

#[ta_close_session]
fn close(connection: &mut Connection) {
    // Its channel is given up in order.
    connection.0 = None;
}

#[ta_invoke_command]
fn invoke(connection: &mut Connection, command: u32, slots: &mut CommandSlots<'_>) -> Result<()> {
    let session = connection.0.as_mut().ok_or(ErrorKind::BadState)?;
    serve(slots, MAX_DECODER_RESPONSE, |request, media| {
        session.call(command, request, media.input())
    })
}

// A panic ends this instance, and no other.
keybearer_ta_entry::image!();
