//! Monotonic time from the kernel.

use std::{fs, io};

use keybearer_core::{Clock, Moment, PlatformError};
use keybearer_crypto::Crypto;
use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_BOOTTIME`, which counts suspended time and which no user can set.
#[derive(Debug)]
pub struct BootClock {
    boot: [u8; 16],
}

impl BootClock {
    /// Reads what identifies the clock's origin: the kernel's boot id, and the time namespace, since
    /// each namespace shifts this clock by its own amount (`time_namespaces(7)`).
    pub(crate) fn new(crypto: &impl Crypto) -> io::Result<Self> {
        let boot_id = fs::read("/proc/sys/kernel/random/boot_id")?;
        // Kernels before 5.6 have no time namespaces, hence one origin a boot.
        let namespace = fs::read_link("/proc/self/ns/time").unwrap_or_default();
        let digest = crypto.sha256(&[
            boot_id.trim_ascii(),
            namespace.as_os_str().as_encoded_bytes(),
        ]);
        let [boot @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest.0;
        Ok(Self { boot })
    }
}

impl Clock for BootClock {
    fn now(&mut self) -> Result<Moment, PlatformError> {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).map_err(|_| PlatformError::Clock)?;
        let nanos = u64::try_from(now.tv_nsec).map_err(|_| PlatformError::Clock)?;
        let millis = seconds
            .checked_mul(1_000)
            .and_then(|millis| millis.checked_add(nanos / 1_000_000))
            .ok_or(PlatformError::Clock)?;
        Ok(Moment {
            boot: self.boot,
            millis,
        })
    }
}

#[cfg(test)]
mod tests;
