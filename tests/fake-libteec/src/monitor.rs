//! The test monitor of a board, and the board's outputs in its word.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybearer_core::{OutputList, OutputSource, Outputs, PlatformError};
use keybearer_ta_entry::params::CommandSlots;
use keybearer_ta_entry::serve::serve;
use keybearer_ta_monitor::{Asker, Monitor};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::monitor::{Exchange, MAX_MONITOR_RESPONSE, body};
use keybearer_wire::{Body, decode_response};
use optee_teec_sys as raw;

/// What is connected to a board, as its monitor sees it where it has one; clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct BoardOutputs(Arc<Mutex<Installed>>);

#[derive(Default)]
enum Installed {
    /// The board has none.
    #[default]
    Nowhere,
    /// It has one, whose instance runs or does not.
    Here(Option<Monitor>),
}

impl BoardOutputs {
    /// A board that has one, not yet started.
    pub(crate) fn with_monitor() -> Self {
        Self(Arc::new(Mutex::new(Installed::Here(None))))
    }

    fn installed(&self) -> MutexGuard<'_, Installed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command for the host, as `ta/monitor`'s entry point does it.
    pub(crate) fn invoke(&self, command: u32, slots: &mut CommandSlots<'_>) -> u32 {
        let served = self.run(|monitor| {
            serve(slots, MAX_MONITOR_RESPONSE, |request, _| {
                monitor.call(Asker::Host, command, request)
            })
        });
        match served {
            Some(Ok(())) => raw::TEEC_SUCCESS,
            Some(Err(error)) => error.raw_code(),
            None => raw::TEEC_ERROR_TARGET_DEAD,
        }
    }

    /// Runs something in the instance, started where it does not run; `None`: there is no monitor, or
    /// it died of it, with what it was told.
    fn run<T>(&self, what: impl FnOnce(&mut Monitor) -> T) -> Option<T> {
        let mut installed = self.installed();
        let Installed::Here(instance) = &mut *installed else {
            return None;
        };
        let monitor = instance.get_or_insert_default();
        let done = catch_unwind(AssertUnwindSafe(|| what(monitor)));
        if done.is_err() {
            *instance = None;
        }
        done.ok()
    }
}

impl Outputs for BoardOutputs {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        None
    }

    fn has_monitor(&self) -> bool {
        matches!(*self.installed(), Installed::Here(_))
    }

    fn monitor(&mut self, seen: &mut OutputList) -> Result<(), PlatformError> {
        let request = body::Look {}
            .encode(MAX_REQUEST)
            .map_err(|_| PlatformError::Monitor)?;
        let command = body::Look::COMMAND.code();
        let answered = self.run(|monitor| monitor.call(Asker::KeyTa, command, &request));
        let response = answered.ok_or(PlatformError::Monitor)?;
        let Ok(Ok(answer)) = decode_response::<body::Seen>(&response) else {
            return Err(PlatformError::Monitor);
        };
        for output in &answer.outputs.0 {
            seen.push_stated(output);
        }
        Ok(())
    }
}
