//! Cryptography at the grain of the licence protocol.
//!
//! This room holds what every provider offers and every caller needs: fixed-size newtypes,
//! [`Secret`], the domain-separation [`Label`]s, and two traits. It holds no algorithm. Nothing
//! here trusts its input: a public key or a signature is bytes until a provider has checked it,
//! and every failure of a check is the same [`CryptoError::Rejected`], so that an error tells an
//! attacker nothing about which check failed.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod label;
mod secret;

pub use label::Label;
pub use secret::Secret;

use alloc::vec::Vec;

/// Why a cryptographic operation gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// A signature, tag, key or point did not verify.
    #[error("cryptographic check rejected its input")]
    Rejected,
    /// The random number generator gave nothing.
    #[error("random number generator failed")]
    Rng,
    /// A length is outside what the algorithm takes.
    #[error("length outside the algorithm's range")]
    Length,
    /// Memory for the result could not be had.
    #[error("out of memory")]
    Memory,
}

/// A SHA-256 digest (FIPS 180-4), 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// A P-256 public key as affine coordinates (SEC 1 section 2.3), 32 bytes each.
///
/// A value of this type is not known to lie on the curve: the provider checks at each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// Affine x, big-endian.
    pub x: [u8; 32],
    /// Affine y, big-endian.
    pub y: [u8; 32],
}

/// An ECDSA signature in fixed form r || s (RFC 9053 section 2.1), 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A 96-bit AES-GCM nonce (NIST SP 800-38D section 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce(pub [u8; 12]);

/// A fallible source of random bytes fit for keys.
pub trait Rng {
    /// Fills `out` or fails; on failure `out` must not be used.
    ///
    /// # Errors
    /// [`CryptoError::Rng`] when the source has failed.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError>;
}

/// What a provider must do: one suite (P-256, SHA-256, AES-256-GCM), no negotiation.
pub trait Crypto {
    /// SHA-256 over the concatenation of `parts` (FIPS 180-4).
    fn sha256(&self, parts: &[&[u8]]) -> Digest;

    /// HMAC-SHA-256 over the concatenation of `parts` (RFC 2104).
    fn hmac_sha256(&self, key: &Secret<32>, parts: &[&[u8]]) -> [u8; 32];

    /// HKDF-SHA-256 extract and expand to 32 bytes (RFC 5869).
    ///
    /// `info` is the concatenation of its parts.
    fn hkdf_sha256(&self, salt: &[u8], ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32>;

    /// AES-256-GCM: encrypts `data` in place and appends the 16-byte tag (NIST SP 800-38D).
    ///
    /// # Errors
    /// [`CryptoError::Length`] beyond the algorithm's limits, [`CryptoError::Memory`] when the tag
    /// has no room; `data` is then encrypted, so that growing it leaves no plaintext behind.
    fn seal(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError>;

    /// AES-256-GCM: verifies the tag at the end of `data`, decrypts in place and drops the tag.
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] when the tag does not verify; `data` is then emptied.
    fn open(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError>;

    /// Verifies an ECDSA P-256 SHA-256 signature (FIPS 186-5; COSE ESP256, RFC 9864).
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] for a bad key and a bad signature alike.
    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError>;

    /// Makes a fresh key pair, agrees with `peer` once (SP 800-56A ECC CDH), forgets the private
    /// half and returns the public one with the shared x coordinate.
    ///
    /// A provider with a generator of its own does not use `rng`.
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] for a peer that is not on the curve, [`CryptoError::Rng`].
    fn agree_ephemeral(
        &self,
        rng: &mut dyn Rng,
        peer: &PublicKey,
    ) -> Result<(PublicKey, Secret<32>), CryptoError>;

    /// Compares without a data-dependent branch; unequal lengths are unequal.
    fn equal(&self, a: &[u8], b: &[u8]) -> bool;
}

/// What a provider that can hold long-lived private keys does besides.
///
/// Kept apart from [`Crypto`] because ring's agreement keys serve once and cannot be loaded.
pub trait PrivateKeys: Crypto {
    /// Makes a P-256 key pair, for signing or for agreement but never for both.
    ///
    /// # Errors
    /// [`CryptoError::Rng`].
    fn generate(&self, rng: &mut dyn Rng) -> Result<(Secret<32>, PublicKey), CryptoError>;

    /// The public half of a private scalar.
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] for zero or a scalar not below the group order.
    fn public_key(&self, private: &Secret<32>) -> Result<PublicKey, CryptoError>;

    /// ECDSA P-256 SHA-256 with a deterministic nonce (RFC 6979).
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] for a scalar out of range.
    fn sign(&self, private: &Secret<32>, message: &[u8]) -> Result<Signature, CryptoError>;

    /// Static agreement: the shared x coordinate (SP 800-56A section 5.7.1.2).
    ///
    /// # Errors
    /// [`CryptoError::Rejected`] for a peer off the curve or a scalar out of range.
    fn agree(&self, private: &Secret<32>, peer: &PublicKey) -> Result<Secret<32>, CryptoError>;
}

/// Something that signs with one key and never shows it (a TEE identity, a server's key file).
pub trait Signer {
    /// The public half of the key that signs.
    fn public_key(&self) -> PublicKey;

    /// Signs `message` as COSE ESP256.
    ///
    /// # Errors
    /// Whatever the key's home reports, as [`CryptoError`].
    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError>;
}
