//! Entry points of the test monitor.

#![no_std]
#![no_main]
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    reason = "what the entry point macros write is theirs"
)]

extern crate alloc;

use keybearer_ta_entry::{
    caller::is_application,
    debug::DEBUG,
    instance::Instance,
    params::{CommandSlots, NoSlots},
    serve::serve,
};
use keybearer_ta_monitor::{Asker, KEY_TA, Monitor};
use keybearer_wire::monitor::MAX_MONITOR_RESPONSE;
use optee_utee::{
    ErrorKind, Result, ta_close_session, ta_create, ta_destroy, ta_invoke_command, ta_open_session,
};

const _: () = assert!(
    DEBUG,
    "the test monitor is for debug builds only: set KEYBEARER_TA_DEBUG=1"
);

/// One for all sessions.
static MONITOR: Instance<Monitor> = Instance::new();

/// Who is at the other end of a session.
struct Connection(Asker);

impl Default for Connection {
    fn default() -> Self {
        Self(Asker::Host)
    }
}

#[ta_create]
fn create() -> Result<()> {
    MONITOR
        .with(|slot| *slot = Some(Monitor::new()))
        .ok_or(ErrorKind::Busy.into())
}

#[ta_destroy]
fn destroy() {
    MONITOR.with(Option::take);
}

#[ta_open_session]
fn open(_: &mut NoSlots, connection: &mut Connection) -> Result<()> {
    if is_application(KEY_TA) {
        connection.0 = Asker::KeyTa;
    }
    Ok(())
}

#[ta_close_session]
fn close(_: &mut Connection) {}

#[ta_invoke_command]
fn invoke(connection: &mut Connection, command: u32, slots: &mut CommandSlots<'_>) -> Result<()> {
    MONITOR
        .with(|monitor| {
            let monitor = monitor.as_mut().ok_or(ErrorKind::BadState)?;
            serve(slots, MAX_MONITOR_RESPONSE, |request, _| {
                monitor.call(connection.0, command, request)
            })
        })
        .ok_or(ErrorKind::Busy)?
}

// A panic ends the instance, and with it what was shown.
keybearer_ta_entry::image!();
