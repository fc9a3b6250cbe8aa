//! Where the server's time comes from.

use std::time::{SystemTime, UNIX_EPOCH};

use keybearer_license::UnixTime;

/// A source of wall-clock time that the operator vouches for.
///
/// Devices never see this clock directly: it reaches them in signed answers only.
pub trait Clock: Send + Sync {
    /// Now, in whole seconds.
    fn now(&self) -> UnixTime;
}

/// The operating system's clock.
///
/// It must be right: certificates, challenges and licences are issued by it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // A clock before 1970 is nobody's time; the epoch then lets every certificate check fail.
        UnixTime(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
        )
    }
}
