//! The call that is under way, as seen by who may want to cancel it.

use optee_teec::raw;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The call of a connection that is under way.
#[derive(Default)]
pub(crate) struct UnderWay(Mutex<Call>);

#[derive(Default)]
enum Call {
    #[default]
    None,
    /// On its way to the thread that makes it, or between two attempts.
    Coming { cancelled: bool },
    /// With the trusted application.
    Made {
        operation: NonNull<raw::TEEC_Operation>,
        cancelled: bool,
    },
}

// SAFETY: the operation is used under the lock only, and by the function that libteec has for use
// from another thread.
unsafe impl Send for Call {}

impl UnderWay {
    fn call(&self) -> MutexGuard<'_, Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins.
    pub(crate) fn begin(&self) {
        *self.call() = Call::Coming { cancelled: false };
    }

    /// The call is over.
    pub(crate) fn end(&self) {
        *self.call() = Call::None;
    }

    /// Cancels the call that is under way, if there is one.
    pub(crate) fn cancel(&self) {
        match &mut *self.call() {
            Call::None => {}
            Call::Coming { cancelled } => *cancelled = true,
            Call::Made {
                operation,
                cancelled,
            } => {
                *cancelled = true;
                // SAFETY: the operation lives for as long as it stands here, and who takes it away
                // waits for this lock; libteec reads of it only what was written before it was put
                // here, and its own part under its own lock.
                unsafe { raw::TEEC_RequestCancellation(operation.as_ptr()) };
            }
        }
    }

    /// The call is made now, and lasts until the result is dropped, which must come before the
    /// operation is gone; `None` when it was cancelled before.
    pub(super) fn make(&self, operation: NonNull<raw::TEEC_Operation>) -> Option<Making<'_>> {
        let mut call = self.call();
        if matches!(*call, Call::Coming { cancelled: true }) {
            return None;
        }
        *call = Call::Made {
            operation,
            cancelled: false,
        };
        Some(Making(self))
    }
}

/// A call that is with the trusted application.
pub(super) struct Making<'a>(&'a UnderWay);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let mut call = self.0.call();
        if let Call::Made { cancelled, .. } = *call {
            *call = Call::Coming { cancelled };
        }
    }
}
