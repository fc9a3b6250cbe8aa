//! The trusted core in a process of its own, locked in: level Low, isolation `worker`.
//!
//! What it promises: content keys and the device's identity live in this process only. It is not
//! dumpable and leaves no core file; it has no environment, no descriptors but its own, and no
//! privileges to gain; once its core is made it can open nothing, connect to nothing and execute
//! nothing, and the kernel kills it if it tries. It ends when its host does.
//!
//! What it does not promise: resistance to root, or to whoever could trace the process while it
//! starts. It is a process of the same operating system; that is why its level is Low.
//!
//! Whom it distrusts: the host. Each message must have exactly the form of its kind, every place in
//! shared memory is checked before it is touched, requests are copied once before they are read, and
//! media is reached by copies only. The first message out of form ends the worker, and its keys with
//! it. All connections come from one host process, so they are not protected from each other beyond
//! what the core does for its clients.

#![deny(unsafe_code)]

mod confine;
mod media;
pub mod sandbox;
mod serve;
#[allow(
    unsafe_code,
    reason = "maps shared memory and closes descriptors; the only place of this crate that may"
)]
mod sys;

use std::path::Path;
use std::process::ExitCode;

use keybearer_license::Isolation;
use keybearer_tee_soft::SoftError;
use keybearer_tee_soft::channel::{FromHost, FromWorker, Hello, Locked, MAX_MESSAGE, VERSION};
use keybearer_tee_soft::platform;
use keybearer_tee_soft::socket::Socket;
use keybearer_wire::limits::ABI_VERSION;

use serve::Server;

/// First argument by which a program that contains a worker is asked to become one; see
/// [`keybearer_tee_soft::WorkerProgram::this`].
pub const ARGUMENT: &str = "--become-keybearer-worker";

/// The whole life of a worker. To be called before anything else of a program, from its only thread.
#[must_use]
pub fn run() -> ExitCode {
    let control = match confine::begin() {
        Ok(control) => control,
        Err(_) => {
            eprintln!(
                "keybearer-worker is started by programs that use Keybearer; by hand it does nothing"
            );
            return ExitCode::from(2);
        }
    };
    // The host is gone, or out of its mind, if this fails: nobody is left to tell.
    match start(&control).and_then(|server| server.map_or(Ok(()), Server::run)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Says who it is, makes the core, locks itself in. `None` when it could not, which it has said.
fn start(control: &Socket) -> std::io::Result<Option<Server<'_>>> {
    let hello = Hello {
        version: VERSION,
        abi: ABI_VERSION,
    };
    control.send(&hello.encode())?;
    let mut room = [0; MAX_MESSAGE];
    let Some(message) = control.receive(&mut room)? else {
        return Ok(None);
    };
    let Ok(FromHost::Start {
        state_dir,
        internal_panel,
    }) = FromHost::decode(message)
    else {
        return Err(std::io::ErrorKind::InvalidData.into());
    };
    match prepare(control, &state_dir, internal_panel) {
        Ok((server, locked)) => {
            control.send(&FromWorker::Ready { locked }.encode())?;
            Ok(Some(server))
        }
        Err(error) => {
            control.send(&FromWorker::Failed(error.report()).encode())?;
            Ok(None)
        }
    }
}

fn prepare<'c>(
    control: &'c Socket,
    state_dir: &Path,
    internal_panel: bool,
) -> Result<(Server<'c>, Locked), SoftError> {
    // Before the first secret is read.
    let locked = confine::lock_memory();
    let core = platform::core(state_dir, internal_panel, Isolation::Worker)?;
    let server = Server::new(control, core);
    sandbox::close().map_err(|error| SoftError::Sandbox(error.to_string()))?;
    Ok((server, locked))
}
