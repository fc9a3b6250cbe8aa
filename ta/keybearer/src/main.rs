//! Entry points of the key TA.

#![no_std]
#![no_main]
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    reason = "what the entry point macros write is theirs"
)]

extern crate alloc;

use keybearer_core::{ClientId, Core};
use keybearer_ta::{
    caller::caller,
    command,
    config::{DECODER, config},
    platform::{GlobalPlatform, parts},
};
use keybearer_ta_entry::{
    instance::Instance,
    params::{GivenSlots, NoSlots},
};
use optee_utee::{
    ErrorKind, Result, ta_close_session, ta_create, ta_destroy, ta_invoke_command, ta_open_session,
};

/// One core for all sessions; it keeps them apart by client.
static CORE: Instance<Core<GlobalPlatform>> = Instance::new();

/// Runs `f` with the core.
fn with_core<R>(f: impl FnOnce(&mut Core<GlobalPlatform>) -> R) -> Result<R> {
    CORE.with(|core| core.as_mut().map(f))
        .ok_or(ErrorKind::Busy)?
        .ok_or(ErrorKind::BadState.into())
}

/// What a session of the TEE is to the core.
#[derive(Default)]
struct Connection(Option<ClientId>);

#[ta_create]
fn create() -> Result<()> {
    let parts = parts().map_err(|_| ErrorKind::Generic)?;
    let core = Core::new(parts, config()).map_err(|_| ErrorKind::OutOfMemory)?;
    CORE.with(|slot| *slot = Some(core))
        .ok_or(ErrorKind::Busy.into())
}

#[ta_destroy]
fn destroy() {
    CORE.with(Option::take);
}

#[ta_open_session]
fn open(_: &mut NoSlots, connection: &mut Connection) -> Result<()> {
    let caller = caller(DECODER).ok_or(ErrorKind::AccessDenied)?;
    let client = with_core(|core| core.connect(caller))?;
    connection.0 = Some(client.ok_or(ErrorKind::Busy)?);
    Ok(())
}

#[ta_close_session]
fn close(connection: &mut Connection) {
    if let Some(client) = connection.0.take() {
        // Without a core there is nothing left to free.
        let _ = with_core(|core| core.disconnect(client));
    }
}

#[ta_invoke_command]
fn invoke(connection: &mut Connection, command: u32, slots: &mut GivenSlots<'_>) -> Result<()> {
    let client = connection.0.ok_or(ErrorKind::BadState)?;
    with_core(|core| command::run(core, client, command, slots))?
}

// A panic ends the instance, and with it every key.
keybearer_ta_entry::image!();
