//! The operating system's random number generator.

use keybearer_crypto::{CryptoError, Rng};
use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes from the operating system.
#[derive(Clone, Debug)]
pub struct SystemRng(SystemRandom);

impl SystemRng {
    /// The generator; there is nothing to seed.
    #[must_use]
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Default for SystemRng {
    fn default() -> Self {
        Self::new()
    }
}

impl Rng for SystemRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        self.0.fill(out).map_err(|_| CryptoError::Rng)
    }
}
