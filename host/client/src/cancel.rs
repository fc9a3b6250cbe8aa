//! Ending waits from another thread.
//!
//! The client runs no threads of its own to wait for things: whoever calls it waits, and a handle that
//! any other thread triggers ends the wait at once, wherever it stands: in a connection attempt, in an
//! exchange over the network, in a pause between attempts, or waiting for a key.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A handle that ends waits. Clones are the same handle.
///
/// Once triggered it stays so: whoever waits, and whoever begins to wait later, gets
/// [`crate::ClientError::Cancelled`] at once. Calls that do not wait, such as decryption, go on.
#[derive(Clone)]
pub struct Cancel {
    /// Its own flag, and after it those it follows.
    flags: Vec<Arc<Flag>>,
}

/// What to call at the trigger, with a number to find it by.
type Waker = (u64, Arc<dyn Fn() + Send + Sync>);

#[derive(Default)]
struct Flag {
    cancelled: AtomicBool,
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    listed: Vec<Waker>,
    last: u64,
}

impl Flag {
    fn wakers(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

impl Cancel {
    /// A handle that nobody has triggered.
    #[must_use]
    pub fn new() -> Self {
        Self {
            flags: vec![Arc::default()],
        }
    }

    /// A new handle that counts as triggered as soon as it, this one or `other` is.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut joined = Self::new();
        for flag in self.flags.iter().chain(&other.flags) {
            if !joined.flags.iter().any(|listed| Arc::ptr_eq(listed, flag)) {
                joined.flags.push(Arc::clone(flag));
            }
        }
        joined
    }

    /// Triggers this handle and every handle joined with it. Never waits.
    pub fn cancel(&self) {
        let Some(own) = self.flags.first() else {
            return;
        };
        let listed = {
            let wakers = own.wakers();
            // Under the lock: whoever lists a waker later finds the flag set.
            own.cancelled.store(true, Ordering::SeqCst);
            wakers.listed.clone()
        };
        // Outside the lock, so that a waker may do what it likes.
        for (_, wake) in listed {
            wake();
        }
    }

    /// Whether it was triggered.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.flags
            .iter()
            .any(|flag| flag.cancelled.load(Ordering::SeqCst))
    }

    /// Has `wake` called at the trigger, at once where that was before. It may be called more than
    /// once, and once more while the registration is being dropped, so it must be harmless then.
    pub(crate) fn on_cancel(&self, wake: impl Fn() + Send + Sync + 'static) -> Registration<'_> {
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        let numbers = self.flags.iter().map(|flag| {
            let mut wakers = flag.wakers();
            wakers.last += 1;
            let number = wakers.last;
            wakers.listed.push((number, Arc::clone(&wake)));
            number
        });
        let numbers = numbers.collect();
        if self.is_cancelled() {
            wake();
        }
        Registration {
            cancel: self,
            numbers,
        }
    }

    /// Pauses this thread. False when the trigger ended the pause.
    #[must_use]
    pub(crate) fn pause(&self, duration: Duration) -> bool {
        let thread = thread::current();
        let _registration = self.on_cancel(move || thread.unpark());
        let start = Instant::now();
        loop {
            if self.is_cancelled() {
                return false;
            }
            // Woken early for no reason the rest is still to come.
            let Some(left) = duration
                .checked_sub(start.elapsed())
                .filter(|left| !left.is_zero())
            else {
                return true;
            };
            thread::park_timeout(left);
        }
    }
}

/// Keeps a waker listed.
pub(crate) struct Registration<'a> {
    cancel: &'a Cancel,
    numbers: Vec<u64>,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        for (flag, number) in self.cancel.flags.iter().zip(&self.numbers) {
            flag.wakers().listed.retain(|(other, _)| other != number);
        }
    }
}

#[cfg(test)]
mod tests;
