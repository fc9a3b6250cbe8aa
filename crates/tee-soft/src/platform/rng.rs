//! The operating system's random source.

use keybearer_crypto::{CryptoError, Rng};

/// The operating system's generator (`getrandom(2)`), which blocks until it is seeded and is never
/// buffered here, so that a forked process repeats nothing.
#[derive(Clone, Copy, Debug)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        getrandom::fill(out).map_err(|_| CryptoError::Rng)
    }
}
