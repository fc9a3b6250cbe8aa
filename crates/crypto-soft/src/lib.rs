//! RustCrypto provider for trusted applications and software.
//!
//! One suite: SHA-256, HMAC and HKDF over it, AES-256-GCM, ECDSA and ECDH on P-256. Nothing a caller
//! passes in is trusted: a point is checked at each use, a scalar as well, and whatever fails a
//! check is [`CryptoError::Rejected`] without further detail. P-256 and the tag comparison run in
//! constant time, as RustCrypto promises for them; AES does so with the processor's instructions
//! and with the bit-sliced fallback alike.
//!
//! Keys, shared secrets and intermediate values are wiped when they are done with. What the
//! compiler has spilled to the stack inside the libraries is beyond that.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod point;
mod signer;

pub use signer::SoftSigner;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Tag};
use alloc::vec::Vec;
use hmac::{Hmac, Mac};
use keybearer_crypto::{
    Crypto, CryptoError, Digest, Nonce, PrivateKeys, PublicKey, Rng, Secret, Signature,
};
use p256::SecretKey;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{SigningKey, VerifyingKey};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The AES-GCM tag (NIST SP 800-38D), in bytes.
const TAG: usize = 16;

/// How often a scalar is drawn before the generator counts as broken. One draw in 2^32 misses.
const DRAWS: usize = 8;

/// The provider. It holds nothing; every call brings its keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoftCrypto;

impl Crypto for SoftCrypto {
    fn sha256(&self, parts: &[&[u8]]) -> Digest {
        use sha2::Digest as _;
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Digest(hash.finalize().into())
    }

    fn hmac_sha256(&self, key: &Secret<32>, parts: &[&[u8]]) -> [u8; 32] {
        mac(key.expose(), parts, &[])
    }

    /// With one block of output, HKDF is two HMACs (RFC 5869 sections 2.2 and 2.3). Written out,
    /// both results are ours to wipe, which the `hkdf` crate does not do.
    fn hkdf_sha256(&self, salt: &[u8], ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
        let pseudorandom = Zeroizing::new(mac(salt, &[ikm.expose()], &[]));
        Secret::taken_from(&mut mac(&*pseudorandom, info, &[1]))
    }

    fn seal(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let tag = Aes256Gcm::new(key.expose().into())
            .encrypt_inout_detached((&nonce.0).into(), aad, data.as_mut_slice().into())
            .map_err(|_| CryptoError::Length)?;
        // Only now, because growing the vector may leave a copy of it behind: by now it is sealed.
        data.try_reserve_exact(TAG)
            .map_err(|_| CryptoError::Memory)?;
        data.extend_from_slice(&tag);
        Ok(())
    }

    fn open(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let opened = data
            .split_last_chunk_mut::<TAG>()
            .ok_or(CryptoError::Rejected)
            .and_then(|(message, tag)| {
                Aes256Gcm::new(key.expose().into())
                    .decrypt_inout_detached(
                        (&nonce.0).into(),
                        aad,
                        message.into(),
                        &Tag::from(*tag),
                    )
                    .map_err(|_| CryptoError::Rejected)
            });
        match opened {
            Ok(()) => data.truncate(data.len() - TAG),
            Err(_) => data.zeroize(),
        }
        opened
    }

    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        let signature =
            p256::ecdsa::Signature::from_slice(&signature.0).map_err(|_| CryptoError::Rejected)?;
        VerifyingKey::from(point::checked(key)?)
            .verify(message, &signature)
            .map_err(|_| CryptoError::Rejected)
    }

    fn agree_ephemeral(
        &self,
        rng: &mut dyn Rng,
        peer: &PublicKey,
    ) -> Result<(PublicKey, Secret<32>), CryptoError> {
        let (private, public) = self.generate(rng)?;
        Ok((public, self.agree(&private, peer)?))
    }

    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        a.ct_eq(b).into()
    }
}

impl PrivateKeys for SoftCrypto {
    fn generate(&self, rng: &mut dyn Rng) -> Result<(Secret<32>, PublicKey), CryptoError> {
        // Candidates outside the group are thrown away rather than reduced, so that every scalar is
        // equally likely (FIPS 186-5 appendix A.2.2). A generator that is stuck ends the loop.
        for _ in 0..DRAWS {
            let candidate = Secret::try_filled(|bytes| rng.fill(bytes))?;
            if let Ok(public) = self.public_key(&candidate) {
                return Ok((candidate, public));
            }
        }
        Err(CryptoError::Rng)
    }

    fn public_key(&self, private: &Secret<32>) -> Result<PublicKey, CryptoError> {
        Ok(point::coordinates(&scalar(private)?.public_key()))
    }

    fn sign(&self, private: &Secret<32>, message: &[u8]) -> Result<Signature, CryptoError> {
        let signature: p256::ecdsa::Signature = SigningKey::from(scalar(private)?)
            .try_sign(message)
            .map_err(|_| CryptoError::Rejected)?;
        Ok(Signature(signature.to_bytes().into()))
    }

    fn agree(&self, private: &Secret<32>, peer: &PublicKey) -> Result<Secret<32>, CryptoError> {
        let shared = scalar(private)?.diffie_hellman(&point::checked(peer)?);
        Ok(Secret::copied_from(shared.raw_secret_bytes().as_ref()))
    }
}

/// HMAC-SHA-256 of `parts` and then `last`.
fn mac(key: &[u8], parts: &[&[u8]], last: &[u8]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    mac.update(last);
    mac.finalize().into_bytes().into()
}

/// A private key from 1 to one below the group order; it wipes itself.
fn scalar(private: &Secret<32>) -> Result<SecretKey, CryptoError> {
    SecretKey::from_bytes(private.expose().into()).map_err(|_| CryptoError::Rejected)
}
