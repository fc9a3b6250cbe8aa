//! The worker as a child process: executed, watched, reaped, killed where it must be.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::WorkerProgram;
use crate::socket::Socket;

/// How long to wait for a process that was told to end before it is killed, and for one that was
/// killed before it is left to the system.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// A child process that a thread of its own waits for, so that it never stays behind as a zombie.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// How it ended, once it has. While this is `None` the process is not reaped, so `pid` is its.
    fate: Mutex<Option<String>>,
    ended: Condvar,
}

impl Process {
    /// Executes the program with `socket` as its standard input, no output and no environment.
    pub(crate) fn spawn(program: &WorkerProgram, socket: Socket) -> io::Result<Arc<Self>> {
        let mut command = Command::new(std::path::absolute(&program.path)?);
        command
            .arg0("keybearer-worker")
            .args(&program.arguments)
            .env_clear()
            .current_dir(Path::new("/"))
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at a terminal is for the application, which may still need its keys to end well.
            .process_group(0);
        let (started, result) = mpsc::channel();
        // The kernel ties the worker's life to the thread that executed it (`PR_SET_PDEATHSIG`), so
        // that thread stays until the worker has ended.
        thread::Builder::new()
            .name("keybearer-worker".into())
            .spawn(move || supervise(command, &started))?;
        result.recv().map_err(|_| io::ErrorKind::BrokenPipe)?
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    fn fate(&self) -> MutexGuard<'_, Option<String>> {
        // Nothing is left half done by a panic under this lock.
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the process unless it has ended, and waits until it has.
    ///
    /// One that hangs in the kernel is left behind after [`END_DEADLINE`]; it can run no instruction
    /// of its own any more.
    pub(crate) fn kill(&self) {
        {
            let fate = self.fate();
            if fate.is_some() {
                return;
            }
            // Not reaped, hence still ours to signal.
            let _ = rustix::process::kill_process(self.pid, Signal::KILL);
        }
        self.wait();
    }

    /// Waits until the process has ended, which it does by itself once its sockets are closed; kills
    /// it if it does not.
    pub(crate) fn end(&self) {
        if !self.wait() {
            self.kill();
        }
    }

    /// Time that the process has run on a processor, in nanoseconds; `None` where the system does not
    /// say.
    pub(crate) fn processor_time(&self) -> Option<u64> {
        let times = std::fs::read_to_string(format!("/proc/{}/schedstat", self.id())).ok()?;
        times.split(' ').next()?.parse().ok()
    }

    /// How the process ended, in words.
    pub(crate) fn describe_end(&self) -> Option<String> {
        self.fate().clone()
    }

    /// True if it ended within [`END_DEADLINE`].
    fn wait(&self) -> bool {
        let (fate, _) = self
            .ended
            .wait_timeout_while(self.fate(), END_DEADLINE, |fate| fate.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        fate.is_some()
    }
}

/// Executes and waits; the whole life of the thread.
fn supervise(mut command: Command, started: &Sender<io::Result<Arc<Process>>>) {
    let spawned = command.spawn();
    // With it goes our copy of the worker's end of the socket: the worker's death must close it.
    drop(command);
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            // Nobody listens only if the caller is gone as well.
            let _ = started.send(Err(error));
            return;
        }
    };
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return;
    };
    let process = Arc::new(Process {
        pid,
        fate: Mutex::new(None),
        ended: Condvar::new(),
    });
    let _ = started.send(Ok(Arc::clone(&process)));
    // Waited for without reaping, so that its number stays its own until nobody signals it any more.
    while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(
        WaitId::Pid(pid),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
    ) {}
    let mut fate = process.fate();
    *fate = Some(reap(&mut child));
    drop(fate);
    process.ended.notify_all();
}

/// An application that ignores `SIGCHLD` lets the kernel reap; then nobody knows how it ended.
fn reap(child: &mut Child) -> String {
    match child.wait() {
        Ok(status) => status.to_string(),
        Err(_) => "in a way that was not reported".to_owned(),
    }
}
