//! What the suite is run against.

use std::sync::Arc;
use std::time::Duration;

use keybearer_tee::Tee;

use crate::Need;

/// A backend, as something that the suite can have devices of.
pub trait Subject: Sync {
    /// Its name in the report.
    fn name(&self) -> &str;

    /// A device that has never been used; where there is only one, that one, in whatever state.
    ///
    /// # Errors
    /// Why there is none.
    fn device(&self) -> Result<Box<dyn Device>, String>;

    /// True when [`Self::device`] gives the same device every time.
    fn only_one(&self) -> bool {
        false
    }

    /// Whether the one device may lose its identity and be told a wrong time. A device made for
    /// the occasion always may.
    fn disposable(&self) -> bool {
        !self.only_one()
    }

    /// The root key of the operator whose anchor is built into the trusted side.
    fn operator(&self) -> Option<[u8; 32]> {
        None
    }

    /// Whether its devices can do what [`Device`] offers for [`Need::Restart`], [`Need::Kill`] and
    /// [`Need::MovableClock`].
    fn can(&self, _: Need) -> bool {
        false
    }
}

/// A device, with what a test can do to it from outside. A method that [`Subject::can`] denies is
/// never called.
pub trait Device {
    /// The host's way to its trusted side.
    fn tee(&self) -> Arc<dyn Tee>;

    /// Ends the trusted side in good order, after its last connection has gone, and starts it again
    /// over what it has stored.
    ///
    /// # Errors
    /// Why it did not start again.
    fn restart(&mut self) -> Result<(), String> {
        Err("this device cannot be restarted".into())
    }

    /// Kills the trusted side under its connections; the next connection finds it started again.
    fn kill(&self) {}

    /// Lets this much time pass at once.
    fn advance(&self, _: Duration) {}
}
