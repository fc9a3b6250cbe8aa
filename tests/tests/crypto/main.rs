//! Both crypto providers against the same published vectors, and against each other.
//!
//! Every body is generic over the provider, so that nothing is tested on one only. The trait's
//! fixed sizes keep some vectors out; each test counts those and says why, and holds the number it
//! did run against a floor.

#![allow(
    clippy::unwrap_used,
    reason = "a vector that cannot be read is a failed test"
)]

mod differential;
mod keys;
mod published;
mod wycheproof;

use keybearer_crypto::{Crypto, PublicKey, Secret};

/// The tests that every provider has to pass.
macro_rules! provider {
    ($name:ident, $provider:expr) => {
        mod $name {
            provider!(@tests $provider, wycheproof: aes_gcm, hmac, hkdf, ecdh, ecdsa);
            provider!(@tests $provider, published: sha256, hmac, hkdf, aes_gcm, verify);
            provider!(@tests $provider, keys: points_off_the_curve, short_ciphertext, equality);
        }
    };
    (@tests $provider:expr, $module:ident: $($test:ident),+) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    crate::$module::$test(&$provider);
                }
            )+
        }
    };
}

provider!(soft, keybearer_crypto_soft::SoftCrypto);
provider!(ring, keybearer_crypto_ring::RingCrypto);

/// Bytes from hexadecimal.
fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// 32 bytes from hexadecimal.
fn hex32(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

/// A secret from hexadecimal.
fn secret(text: &str) -> Secret<32> {
    Secret::copied_from(&hex32(text))
}

/// The coordinates of an uncompressed point (SEC 1 section 2.3.3); other forms have no type here.
fn uncompressed(point: &[u8]) -> Option<PublicKey> {
    let coordinates: &[u8; 64] = point.strip_prefix(&[4])?.try_into().ok()?;
    let (x, y) = coordinates.split_at(32);
    Some(PublicKey {
        x: x.try_into().unwrap(),
        y: y.try_into().unwrap(),
    })
}

/// An HMAC key of another length as one of 32 bytes with the same meaning.
///
/// RFC 2104 fills short keys with zeros up to 64 bytes and hashes longer ones to 32; between 33 and 64
/// bytes there is no such key.
fn hmac_key(crypto: &impl Crypto, key: &[u8]) -> Option<Secret<32>> {
    match key.len() {
        0..=32 => {
            let mut padded = [0; 32];
            padded[..key.len()].copy_from_slice(key);
            Some(Secret::copied_from(&padded))
        }
        33..=64 => None,
        _ => Some(Secret::copied_from(&crypto.sha256(&[key]).0)),
    }
}

/// HKDF of any size from a provider's HMAC (RFC 5869 sections 2.2 and 2.3): the pseudorandom key and
/// `size` bytes of output.
fn hkdf_from_hmac(
    crypto: &impl Crypto,
    salt: &[u8],
    ikm: &[u8],
    info: &[u8],
    size: usize,
) -> Option<([u8; 32], Vec<u8>)> {
    let pseudorandom = crypto.hmac_sha256(&hmac_key(crypto, salt)?, &[ikm]);
    let key = Secret::copied_from(&pseudorandom);
    let mut output: Vec<u8> = Vec::new();
    let mut block: Vec<u8> = Vec::new();
    for number in 1..=u8::MAX {
        if output.len() >= size {
            break;
        }
        block = crypto.hmac_sha256(&key, &[&block, info, &[number]]).into();
        output.extend(&block);
    }
    output.truncate(size);
    Some((pseudorandom, output))
}
