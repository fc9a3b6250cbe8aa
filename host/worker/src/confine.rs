//! What the worker does to itself before it opens or learns anything.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use keybearer_tee_soft::channel::Locked;
use keybearer_tee_soft::socket::Socket;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

use crate::sys;

/// Heap in bytes that is taken and locked at the start: more than the core needs with all its
/// connections, sessions and keys in use.
const HEAP: usize = 4 << 20;

/// Takes the control socket from standard input and gives up everything else.
///
/// # Errors
/// When standard input is no such socket: the program was not started by a host.
pub(crate) fn begin() -> io::Result<Socket> {
    let control = Socket::from_descriptor(rustix::io::dup(rustix::stdio::stdin())?)?;
    // First of all, since until then others of the same user may trace this process.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    // The end of the control socket tells as much, but a worker that is stopped cannot read it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_name(c"keybearer-worker")?;
    // Writing beyond a limit on file sizes is an error like a full disk, not the end.
    sys::ignore_file_size_signal()?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    drop(nowhere);
    let control = OwnedFd::from(control);
    sys::close_all_but(&control)?;
    Socket::from_descriptor(control)
}

/// Keeps heap and stack, all that keys can lie in, from being swapped out, if the limit on locked
/// memory allows.
pub(crate) fn lock_memory() -> Locked {
    match sys::lock_heap_and_stack(HEAP) {
        Ok(()) => Locked::HeapAndStack,
        Err(_) => {
            // Half of it would be worth nothing, and cost memory.
            let _ = rustix::mm::munlockall();
            Locked::Nothing
        }
    }
}
