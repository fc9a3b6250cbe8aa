//! Random bytes.

use keybearer_crypto::{CryptoError, Rng};
use optee_utee::Random;

/// The TEE's generator (TEE Internal Core API 1.3.1, section 6.9).
///
/// It has no way to report a failure: the TEE ends the trusted application instead, so no caller
/// ever goes on with bytes that are not random.
#[derive(Clone, Copy, Debug, Default)]
pub struct TeeRng;

impl Rng for TeeRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        Random::generate(out);
        Ok(())
    }
}
