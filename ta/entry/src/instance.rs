//! The state of the one instance that serves all sessions.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// A value that the entry points share.
///
/// The TEE runs one call at a time in a single-instance trusted application. That is its promise,
/// not ours, so a second user at the same time is refused instead of believed to be impossible.
pub struct Instance<T> {
    entered: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

// SAFETY: `with` hands the value to one user at a time, whichever thread it is on; hence `T: Send`.
unsafe impl<T: Send> Sync for Instance<T> {}

impl<T> Default for Instance<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Instance<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entered: AtomicBool::new(false),
            value: UnsafeCell::new(None),
        }
    }

    /// Runs `f` with the value; `None` when somebody is already at it.
    ///
    /// A panic in `f` leaves the value out of reach for ever, which is right: the TEE ends the
    /// whole instance then.
    pub fn with<R>(&self, f: impl FnOnce(&mut Option<T>) -> R) -> Option<R> {
        if self.entered.swap(true, Ordering::Acquire) {
            return None;
        }
        // SAFETY: the flag went from false to true in this call, and goes back only below, so this
        // is the only reference.
        let result = f(unsafe { &mut *self.value.get() });
        self.entered.store(false, Ordering::Release);
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::Instance;

    #[test]
    fn keeps_its_value_from_call_to_call() {
        let instance = Instance::new();
        assert_eq!(instance.with(|value| value.replace(1)), Some(None));
        assert_eq!(instance.with(|value| value.take()), Some(Some(1)));
    }

    #[test]
    fn refuses_a_second_user() {
        let instance = Instance::new();
        let inner = instance.with(|value| {
            *value = Some(1);
            instance.with(|_| unreachable!())
        });
        assert_eq!(inner, Some(None::<()>));
        assert_eq!(
            instance.with(|value| *value),
            Some(Some(1)),
            "free again afterwards"
        );
    }
}
