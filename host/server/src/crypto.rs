//! The server's cryptography: ring for everything but the keys that ring cannot hold.
//!
//! ring verifies, hashes, seals and agrees with ephemeral keys. Its agreement keys serve once and
//! cannot be loaded, so the service's long-lived agreement key goes through the software provider.

use std::sync::{Mutex, MutexGuard, PoisonError};

use keybearer_crypto::{
    Crypto, CryptoError, Digest, Nonce, PrivateKeys, PublicKey, Rng, Secret, Signature,
};
use keybearer_crypto_ring::{RingCrypto, RingSigner, SystemRng};
use keybearer_crypto_soft::SoftCrypto;

/// Both providers as one, each doing what the head of this module says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServiceCrypto {
    ring: RingCrypto,
    soft: SoftCrypto,
}

impl ServiceCrypto {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The operating system's random source.
    pub(crate) fn rng(&self) -> SystemRng {
        SystemRng::new()
    }
}

impl Crypto for ServiceCrypto {
    fn sha256(&self, parts: &[&[u8]]) -> Digest {
        self.ring.sha256(parts)
    }

    fn hmac_sha256(&self, key: &Secret<32>, parts: &[&[u8]]) -> [u8; 32] {
        self.ring.hmac_sha256(key, parts)
    }

    fn hkdf_sha256(&self, salt: &[u8], ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
        self.ring.hkdf_sha256(salt, ikm, info)
    }

    fn seal(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.ring.seal(key, nonce, aad, data)
    }

    fn open(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        self.ring.open(key, nonce, aad, data)
    }

    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        self.ring.verify(key, message, signature)
    }

    fn agree_ephemeral(
        &self,
        rng: &mut dyn Rng,
        peer: &PublicKey,
    ) -> Result<(PublicKey, Secret<32>), CryptoError> {
        self.ring.agree_ephemeral(rng, peer)
    }

    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        self.ring.equal(a, b)
    }
}

impl PrivateKeys for ServiceCrypto {
    fn generate(&self, rng: &mut dyn Rng) -> Result<(Secret<32>, PublicKey), CryptoError> {
        self.soft.generate(rng)
    }

    fn public_key(&self, private: &Secret<32>) -> Result<PublicKey, CryptoError> {
        self.soft.public_key(private)
    }

    fn sign(&self, private: &Secret<32>, message: &[u8]) -> Result<Signature, CryptoError> {
        self.soft.sign(private, message)
    }

    fn agree(&self, private: &Secret<32>, peer: &PublicKey) -> Result<Secret<32>, CryptoError> {
        self.soft.agree(private, peer)
    }
}

/// A signing key out of a key file, shared by all requests.
pub(crate) struct FileSigner {
    signer: Mutex<RingSigner>,
    public: PublicKey,
}

impl FileSigner {
    /// Loads the key.
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] for bytes that are no private key.
    pub(crate) fn new(private: &Secret<32>) -> Result<Self, CryptoError> {
        let public = SoftCrypto.public_key(private)?;
        Ok(Self {
            signer: Mutex::new(RingSigner::new(private, &public)?),
            public,
        })
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKey {
        self.public
    }

    /// The signer, for one signature. It keeps no state that a panic could spoil.
    pub(crate) fn signer(&self) -> MutexGuard<'_, RingSigner> {
        self.signer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
