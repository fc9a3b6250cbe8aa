//! One running worker as the host sees it: its control socket and its calls.
//!
//! A worker is condemned at the first sign that it is not itself: no answer in time, an answer
//! outside the channel's form, a closed socket. It is then killed, and gone before the caller hears of
//! it, so that nothing of it can still write to shared memory, and its state directory is free.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keybearer_tee::TeeError;
use keybearer_wire::limits::ABI_VERSION;

use crate::channel::{ARENA, FromHost, FromWorker, Hello, Locked, MAX_MESSAGE, VERSION};
use crate::memory::{Region, memory_file};
use crate::process::Process;
use crate::socket::Socket;
use crate::sys::Mapping;
use crate::{SoftError, WorkerConfig};

/// Looks at a silent worker before the deadline.
const LOOKS: u32 = 4;

/// Deadlines that a worker may let pass in silence if it runs on a processor meanwhile: on a machine
/// that has too much to do, everything takes its time.
const PATIENCE: u32 = 12;

/// A worker and the control socket to it. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Tells the workers of one program apart; never 0.
    pub(crate) number: u64,
    pub(crate) locked: Locked,
    control: Mutex<Socket>,
    process: Arc<Process>,
    deadline: Duration,
    begin: Instant,
    /// When it last answered anybody, in milliseconds since `begin`.
    last_answer: AtomicU64,
    /// It did not even close a connection in time: the next is not waited for.
    slow: AtomicBool,
}

impl Worker {
    /// Executes the worker program and waits until its core serves.
    pub(crate) fn start(config: &WorkerConfig) -> Result<Self, SoftError> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let not_executed = |source| SoftError::Spawn {
            path: config.program.path.clone(),
            source,
        };
        let (control, theirs) = Socket::pair().map_err(not_executed)?;
        let process = Process::spawn(&config.program, theirs).map_err(not_executed)?;
        let greeted = greet(&control, config).and_then(|locked| {
            control
                .set_deadline(Some(config.deadline / LOOKS))
                .map_err(not_executed)?;
            Ok(locked)
        });
        let locked = match greeted {
            Ok(locked) => locked,
            Err(error) => {
                process.kill();
                return Err(match (error, process.describe_end()) {
                    (SoftError::NotAWorker { path, why }, Some(end)) => SoftError::NotAWorker {
                        path,
                        why: format!("{why}; it ended: {end}"),
                    },
                    (error, _) => error,
                });
            }
        };
        Ok(Self {
            number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            locked,
            control: Mutex::new(control),
            process,
            deadline: config.deadline,
            begin: Instant::now(),
            last_answer: AtomicU64::new(0),
            slow: AtomicBool::new(false),
        })
    }

    /// A connection: its socket and its memory; `None` when all are in use.
    pub(crate) fn connect(&self) -> Result<Option<(Socket, Mapping)>, TeeError> {
        let (socket, theirs) = Socket::pair().map_err(failed("make a socket"))?;
        socket
            .set_deadline(Some(self.deadline / LOOKS))
            .map_err(failed("set a deadline"))?;
        let file = memory_file(ARENA).map_err(failed("make shared memory"))?;
        let arena = Mapping::new(file.as_fd(), ARENA).map_err(failed("map shared memory"))?;
        let descriptors = [theirs.as_fd(), file.as_fd()];
        let done = self.request(&self.control(), &FromHost::Connect, &descriptors)?;
        Ok(done.then_some((socket, arena)))
    }

    /// Sees to it that the worker knows `region`.
    pub(crate) fn share(&self, region: &Region) -> Result<(), TeeError> {
        if region.is_known_to(self.number) {
            return Ok(());
        }
        let control = self.control();
        // Another thread may have told it while this one waited.
        if region.is_known_to(self.number) {
            return Ok(());
        }
        let message = FromHost::Share {
            region: region.name,
            // A length of this machine's memory.
            len: region.len() as u64,
        };
        if self.request(&control, &message, &[region.file.as_fd()])? {
            region.set_known_to(self.number);
            Ok(())
        } else {
            Err(failed("map shared memory in the worker")(
                io::ErrorKind::OutOfMemory.into(),
            ))
        }
    }

    /// Tells the worker to forget memory. Gives the names back if another thread is speaking with it.
    pub(crate) fn release(&self, names: Vec<u64>) -> Result<(), Vec<u64>> {
        let Ok(control) = self.control.try_lock() else {
            return Err(names);
        };
        for region in names {
            // A dead worker has forgotten everything already, and one that takes no messages is as
            // good as dead.
            if control
                .send(&FromHost::Release { region }.encode())
                .is_err()
            {
                break;
            }
        }
        Ok(())
    }

    /// Receives a message from `socket`, or condemns the worker.
    pub(crate) fn receive<'r>(
        &self,
        socket: &Socket,
        room: &'r mut [u8],
    ) -> Result<&'r [u8], TeeError> {
        let begin = self.now();
        let (mut looks, mut ran) = (0, None);
        loop {
            let received = socket.receive(room).map(|message| message.map(<[u8]>::len));
            match received {
                Ok(Some(len)) => {
                    self.last_answer.store(self.now(), Ordering::Relaxed);
                    self.slow.store(false, Ordering::Relaxed);
                    return Ok(&room[..len]);
                }
                // It may be busy with others' calls. Silent to all of them, and not even running since
                // the last look, it hangs.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    looks += 1;
                    let before = std::mem::replace(&mut ran, self.process.processor_time());
                    let hangs = self.silent_too_long(begin) && ran == before;
                    if hangs || looks == LOOKS * PATIENCE {
                        return Err(self.condemn());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(self.distrust("a message longer than any"));
                }
                Ok(None) | Err(_) => return Err(self.condemn()),
            }
        }
    }

    /// Closes a connection and waits until the worker has freed what belongs to it.
    pub(crate) fn disconnect(&self, socket: &Socket) {
        if socket.finish().is_err() || self.slow.load(Ordering::Relaxed) {
            return;
        }
        // Its end, or that of the worker; nothing can be done about either.
        let mut room = [0; 1];
        if let Err(error) = socket.receive(&mut room)
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.slow.store(true, Ordering::Relaxed);
        }
    }

    /// Kills a worker that cannot be used any more.
    pub(crate) fn condemn(&self) -> TeeError {
        self.process.kill();
        TeeError::Dead
    }

    /// Kills a worker that answered wrongly.
    pub(crate) fn distrust(&self, what: &'static str) -> TeeError {
        self.process.kill();
        TeeError::BadAnswer(what)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// True once it has ended.
    pub(crate) fn is_dead(&self) -> bool {
        self.process.describe_end().is_some()
    }

    fn control(&self) -> MutexGuard<'_, Socket> {
        // Messages are whole or not sent: nothing is left half done by a panic under this lock.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request on the control socket; `false` when the worker has no room.
    fn request(
        &self,
        control: &Socket,
        message: &FromHost,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<bool, TeeError> {
        control
            .send_with(&message.encode(), descriptors)
            .map_err(|_| self.condemn())?;
        let mut room = [0; MAX_MESSAGE];
        match FromWorker::decode(self.receive(control, &mut room)?) {
            Ok(FromWorker::Done) => Ok(true),
            Ok(FromWorker::Refused) => Ok(false),
            Ok(_) | Err(_) => Err(self.distrust("a control message that does not fit")),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// True when nobody has had an answer for a whole deadline since `begin`.
    fn silent_too_long(&self, begin: u64) -> bool {
        let last = self.last_answer.load(Ordering::Relaxed).max(begin);
        u128::from(self.now().saturating_sub(last)) >= self.deadline.as_millis()
    }
}

impl Drop for Worker {
    /// Its state directory is free when this returns.
    fn drop(&mut self) {
        // Nothing to send any more: the worker ends when it reads that.
        let _ = self.control().finish();
        self.process.end();
    }
}

/// Asks who it is and tells it what to serve.
fn greet(control: &Socket, config: &WorkerConfig) -> Result<Locked, SoftError> {
    let path = &config.program.path;
    let not_a_worker = |why: &str| SoftError::NotAWorker {
        path: path.clone(),
        why: why.to_owned(),
    };
    let silent = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => not_a_worker("it said nothing in time"),
        _ => not_a_worker(&error.to_string()),
    };
    control
        .set_deadline(Some(config.deadline))
        .map_err(silent)?;

    let mut room = [0; MAX_MESSAGE];
    let hello = control
        .receive(&mut room)
        .map_err(silent)?
        .ok_or_else(|| not_a_worker("it said nothing"))?;
    let hello = Hello::decode(hello).map_err(|_| not_a_worker("it said something else"))?;
    if (hello.version, hello.abi) != (VERSION, ABI_VERSION) {
        return Err(SoftError::Version {
            path: path.clone(),
            found: format!("{}.{}", hello.version, hello.abi),
            expected: format!("{VERSION}.{ABI_VERSION}"),
        });
    }

    let start = FromHost::Start {
        state_dir: config.state_dir.clone(),
        internal_panel: config.internal_panel,
    };
    control.send(&start.encode()).map_err(silent)?;
    let answer = control
        .receive(&mut room)
        .map_err(silent)?
        .ok_or_else(|| not_a_worker("it ended while starting"))?;
    match FromWorker::decode(answer) {
        Ok(FromWorker::Ready { locked }) => Ok(locked),
        Ok(FromWorker::Failed(failure)) => Err(SoftError::reported(failure, &config.state_dir)),
        Ok(_) | Err(_) => Err(not_a_worker("it answered something else")),
    }
}

/// A failure of this side's own system.
pub(crate) fn failed(what: &'static str) -> impl Fn(io::Error) -> TeeError {
    move |error| TeeError::Io {
        what,
        code: error
            .raw_os_error()
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(0),
    }
}
