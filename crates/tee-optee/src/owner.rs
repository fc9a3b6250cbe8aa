//! The one thread that a connection's libteec objects are used on.
//!
//! A connection is opened by whoever wants it and then belongs to its owner: commands, registration,
//! release and closing happen there, in the order they were asked for, whichever threads ask. Memory
//! that is shared with the trusted application is written and read by the caller itself, so that no
//! byte is copied for the thread's sake. What it costs is changing threads twice a call: 10 to 20
//! microseconds on a busy machine, where a call into a TEE takes hundreds.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{self, JoinHandle};

use crate::sys::{Device, Failure, Step};

type Job = Box<dyn FnOnce(&mut Device) + Send>;

/// A handle of the thread, which ends with the last one, and with it what it owns.
#[derive(Clone)]
pub(crate) struct Owner(Arc<Thread>);

struct Thread {
    /// There until it is dropped.
    jobs: Option<Sender<Job>>,
    handle: Option<JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // Waited for, so that nothing is left open behind the last handle. A panic of its own was told
        // to who asked.
        let _ = self.handle.take().map(JoinHandle::join);
    }
}

/// The thread is gone: it has panicked.
#[derive(Debug)]
pub(crate) struct Gone;

impl Owner {
    /// Starts the thread that owns `device` from now on.
    pub(crate) fn of(mut device: Device) -> Result<Self, Failure> {
        let (sender, jobs): (_, Receiver<Job>) = mpsc::channel();
        let handle = thread::Builder::new()
            .name("tee-optee".into())
            .spawn(move || {
                while let Ok(job) = jobs.recv() {
                    job(&mut device);
                }
            })
            .map_err(|error| Failure {
                step: Step::Thread,
                code: error.raw_os_error().unwrap_or(0).unsigned_abs(),
            })?;
        Ok(Self(Arc::new(Thread {
            jobs: Some(sender),
            handle: Some(handle),
        })))
    }

    /// Has it do something, and waits for what comes of it.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Device) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (done, result): (SyncSender<T>, _) = mpsc::sync_channel(1);
        let job = move |device: &mut Device| {
            // Who asked is waiting below.
            let _ = done.send(what(device));
        };
        let jobs = self.0.jobs.as_ref().ok_or(Gone)?;
        jobs.send(Box::new(job)).map_err(|_| Gone)?;
        result.recv().map_err(|_| Gone)
    }
}

/// Something of libteec's that lives elsewhere, but is dropped by the thread.
pub(crate) struct Kept<T: Send + 'static> {
    /// There until it is dropped.
    value: Option<T>,
    owner: Owner,
}

impl<T: Send + 'static> Kept<T> {
    pub(crate) fn new(value: T, owner: &Owner) -> Self {
        Self {
            value: Some(value),
            owner: owner.clone(),
        }
    }
}

impl<T: Send + 'static> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("only `drop` takes it")
    }
}

impl<T: Send + 'static> DerefMut for Kept<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("only `drop` takes it")
    }
}

impl<T: Send + 'static> Drop for Kept<T> {
    fn drop(&mut self) {
        let value = self.value.take();
        // Waited for, so that who drops it can count on the room being free. Where the thread is
        // gone, it is dropped here.
        let _ = self.owner.run(move |_| drop(value));
    }
}
