//! Monotonic time.

use keybearer_core::{Clock, Moment, PlatformError};
use keybearer_crypto::{CryptoError, Rng};
use optee_utee::{
    Time,
    property::{PropertyKey, TeeSystemTimeProtectionLevel},
};

/// `gpd.tee.systemTime.protectionLevel` of a clock that the normal world cannot set (TEE Internal
/// Core API 1.3.1, section 4.7); 100 would be the normal world's own.
const TEE_CONTROLLED: u32 = 1000;

/// The TEE's system time, where the normal world cannot set it.
///
/// GlobalPlatform promises of it only that it never goes back during the life of one instance of a
/// trusted application (section 7.2.1); its origin is anyone's guess. So an instance is the honest
/// boundary of this clock, and its boot identity is random per instance: whatever was known of the
/// time before an instance ended (a reboot, a panic) does not carry over by the clock. With
/// keep-alive the instance lives as long as OP-TEE does, and nothing is lost by it.
#[derive(Debug)]
pub struct SystemClock {
    boot: [u8; 16],
}

impl SystemClock {
    /// The clock of this instance; `None` where the normal world can set it.
    ///
    /// # Errors
    /// [`CryptoError::Rng`] without randomness for the boot identity.
    pub fn of_this_instance(rng: &mut impl Rng) -> Result<Option<Self>, CryptoError> {
        // A TEE that cannot say who controls its clock is not believed to control it.
        if !TeeSystemTimeProtectionLevel
            .get()
            .is_ok_and(|level| level == TEE_CONTROLLED)
        {
            return Ok(None);
        }
        let mut boot = [0; 16];
        rng.fill(&mut boot)?;
        Ok(Some(Self { boot }))
    }
}

impl Clock for SystemClock {
    fn now(&mut self) -> Result<Moment, PlatformError> {
        let mut time = Time::new();
        time.system_time();
        let millis = u64::from(time.seconds) * 1000 + u64::from(time.millis);
        Ok(Moment {
            boot: self.boot,
            millis,
        })
    }
}

#[cfg(test)]
mod tests;
