//! A signing key held in software.

use keybearer_crypto::{CryptoError, PrivateKeys as _, PublicKey, Secret, Signature, Signer};

use crate::SoftCrypto;

/// A private key that signs, with its public half beside it.
///
/// It is what a platform builds its identity on when the key lives in the same memory as the core:
/// level Low, and the trusted application after unsealing.
pub struct SoftSigner {
    private: Secret<32>,
    public: PublicKey,
}

impl SoftSigner {
    /// Takes over a private scalar, big-endian.
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] for zero or a scalar not below the group order.
    pub fn new(private: Secret<32>) -> Result<Self, CryptoError> {
        let public = SoftCrypto.public_key(&private)?;
        Ok(Self { private, public })
    }
}

impl Signer for SoftSigner {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        SoftCrypto.sign(&self.private, message)
    }
}
