//! A server's signing key.

use keybearer_crypto::{CryptoError, PublicKey, Secret, Signature, Signer};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use crate::point;

/// An ECDSA P-256 key pair that signs with ring.
///
/// Nonces are random, hedged with the key and the message, so that two signatures of one message
/// differ.
pub struct RingSigner {
    pair: EcdsaKeyPair,
    public: PublicKey,
    random: SystemRandom,
}

impl RingSigner {
    /// A signer for a private scalar, big-endian, and the public key that belongs to it.
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] when the scalar is out of range or the two are not a pair: a key
    /// file whose halves disagree would otherwise sign what nobody can verify.
    pub fn new(private: &Secret<32>, public: &PublicKey) -> Result<Self, CryptoError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            private.expose(),
            &point::uncompressed(public),
            &random,
        )
        .map_err(|_| CryptoError::Rejected)?;
        Ok(Self {
            pair,
            public: *public,
            random,
        })
    }
}

impl Signer for RingSigner {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        let signature = self
            .pair
            .sign(&self.random, message)
            .map_err(|_| CryptoError::Rng)?;
        signature
            .as_ref()
            .try_into()
            .map(Signature)
            .map_err(|_| CryptoError::Length)
    }
}
