//! ring provider for licence servers and host-side checks.
//!
//! The same suite as the software provider on other code, which makes each the other's oracle.
//! Nothing a caller passes in is trusted; whatever fails a check is [`CryptoError::Rejected`].
//!
//! What ring does not offer is absent here too: private keys that agree more than once, which a
//! service's long-lived agreement key needs, stay with the software provider. ring keeps its own
//! copies of keys in contexts that it does not wipe, so this provider is for the server and
//! for tests, not for the trusted side.

#![forbid(unsafe_code)]

mod point;
mod random;
mod rsa;
mod signer;

pub use random::SystemRng;
pub use rsa::verify_rsa_pss;
pub use signer::RingSigner;

use keybearer_crypto::{Crypto, CryptoError, Digest, Nonce, PublicKey, Rng, Secret, Signature};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey};
use ring::rand::SystemRandom;
use ring::{aead, agreement, digest, hkdf, hmac, signature};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// The provider. It holds nothing; every call brings its keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingCrypto;

impl Crypto for RingCrypto {
    fn sha256(&self, parts: &[&[u8]]) -> Digest {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        Digest(fixed(context.finish().as_ref()))
    }

    fn hmac_sha256(&self, key: &Secret<32>, parts: &[&[u8]]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(part);
        }
        fixed(context.sign().as_ref())
    }

    fn hkdf_sha256(&self, salt: &[u8], ikm: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
        let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(ikm.expose());
        Secret::try_filled(|output| {
            pseudorandom
                .expand(info, hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(output))
        })
        .expect("32 bytes are one block, far below the limit of 255 (RFC 5869 section 2.3)")
    }

    fn seal(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let tag = aead_key(key)
            .seal_in_place_separate_tag(
                aead::Nonce::assume_unique_for_key(nonce.0),
                Aad::from(aad),
                data,
            )
            .map_err(|_| CryptoError::Length)?;
        // Only now, because growing the vector may leave a copy of it behind: by now it is sealed.
        data.try_reserve_exact(AES_256_GCM.tag_len())
            .map_err(|_| CryptoError::Memory)?;
        data.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn open(
        &self,
        key: &Secret<32>,
        nonce: &Nonce,
        aad: &[u8],
        data: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let opened = aead_key(key)
            .open_in_place(
                aead::Nonce::assume_unique_for_key(nonce.0),
                Aad::from(aad),
                data,
            )
            .map(|message| message.len())
            .map_err(|_| CryptoError::Rejected);
        match opened {
            Ok(length) => data.truncate(length),
            // ring decrypts while it checks, so what it leaves behind is not for anyone.
            Err(_) => data.zeroize(),
        }
        opened.map(drop)
    }

    fn verify(
        &self,
        key: &PublicKey,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), CryptoError> {
        signature::UnparsedPublicKey::new(
            &signature::ECDSA_P256_SHA256_FIXED,
            point::uncompressed(key),
        )
        .verify(message, &signature.0)
        .map_err(|_| CryptoError::Rejected)
    }

    /// Draws from the operating system's generator, because ring takes no other.
    fn agree_ephemeral(
        &self,
        _rng: &mut dyn Rng,
        peer: &PublicKey,
    ) -> Result<(PublicKey, Secret<32>), CryptoError> {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new())
            .map_err(|_| CryptoError::Rng)?;
        let public = private
            .compute_public_key()
            .map_err(|_| CryptoError::Rejected)?;
        let peer = UnparsedPublicKey::new(&ECDH_P256, point::uncompressed(peer));
        let shared =
            agreement::agree_ephemeral(private, &peer, |x| Secret::taken_from(&mut fixed(x)))
                .map_err(|_| CryptoError::Rejected)?;
        Ok((point::coordinates(public.as_ref())?, shared))
    }

    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        a.ct_eq(b).into()
    }
}

fn aead_key(key: &Secret<32>) -> LessSafeKey {
    // "Less safe" because the nonce is the caller's: the protocol draws or derives it per message.
    LessSafeKey::new(
        UnboundKey::new(&AES_256_GCM, key.expose()).expect("an AES-256 key has 32 bytes"),
    )
}

/// ring's results have their algorithm's size but the type of a slice.
fn fixed(bytes: &[u8]) -> [u8; 32] {
    bytes
        .try_into()
        .expect("SHA-256 and a P-256 coordinate have 32 bytes")
}
