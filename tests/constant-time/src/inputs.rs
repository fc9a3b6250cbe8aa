//! What the cases work on: fixed bytes, so that every run is the same.

use keybearer_crypto::{Crypto, CryptoError, Nonce, Rng, Secret};
use keybearer_crypto_soft::SoftCrypto;

/// Bytes that repeat every 251: neither random nor all alike.
pub struct Fixed(pub u8);

impl Rng for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        for byte in out {
            self.0 = (self.0 + 1) % 251;
            *byte = self.0;
        }
        Ok(())
    }
}

/// The nonce of all messages here; each is sealed once.
const NONCE: Nonce = Nonce([7; 12]);
/// What is authenticated beside them.
const AAD: &[u8] = b"beside the message";

/// `plain` sealed under `key`.
#[must_use]
pub fn sealed_message(key: &Secret<32>, plain: &[u8]) -> Vec<u8> {
    let mut data = plain.to_vec();
    let sealed = SoftCrypto.seal(key, &NONCE, AAD, &mut data);
    assert!(sealed.is_ok(), "a short message can be sealed");
    data
}

/// What [`sealed_message`] sealed, opened in place.
///
/// # Errors
/// [`CryptoError::Rejected`] where the tag does not fit.
pub fn opened_message(key: &Secret<32>, data: &mut Vec<u8>) -> Result<(), CryptoError> {
    SoftCrypto.open(key, &NONCE, AAD, data)
}
