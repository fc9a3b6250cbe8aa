//! Content keys at rest: sealed under the key directory's store key.
//!
//! Each record has a key of its own, derived from the store key with a random salt, so that no
//! nonce is ever used twice under one key. The key id is bound in, so that two records cannot be
//! exchanged. Whoever has the store's file without `store.key` has no content key.

use keybearer_crypto::{Crypto, Nonce, Rng, Secret};
use keybearer_license::KeyId;
use zeroize::Zeroizing;

use super::StoreError;
use crate::crypto::ServiceCrypto;

/// Sets this use of the store key apart from any other.
const PURPOSE: &[u8] = b"keybearer server v1 content key at rest";
const SALT: usize = 32;
const KEY: usize = 16;
const TAG: usize = 16;

/// Length of a sealed content key: salt, key, tag.
pub(super) const SEALED: usize = SALT + KEY + TAG;

/// Each derived key seals one record, so its nonce may be constant.
const NONCE: Nonce = Nonce([0; 12]);

pub(super) fn seal(
    store_key: &Secret<32>,
    kid: &KeyId,
    key: &Secret<16>,
) -> Result<Vec<u8>, StoreError> {
    let crypto = ServiceCrypto::new();
    let mut salt = [0; SALT];
    crypto
        .rng()
        .fill(&mut salt)
        .map_err(|_| StoreError::Random)?;
    let record_key = crypto.hkdf_sha256(&salt, store_key, &[PURPOSE, &kid.0]);
    // Encrypted in place: the clear key is gone once it is sealed.
    let mut body = Vec::with_capacity(KEY + TAG);
    body.extend_from_slice(key.expose());
    crypto
        .seal(&record_key, &NONCE, &kid.0, &mut body)
        .map_err(|_| StoreError::Sealed)?;
    let mut sealed = Vec::with_capacity(SEALED);
    sealed.extend_from_slice(&salt);
    sealed.append(&mut body);
    Ok(sealed)
}

pub(super) fn open(
    store_key: &Secret<32>,
    kid: &KeyId,
    sealed: &[u8],
) -> Result<Secret<16>, StoreError> {
    let crypto = ServiceCrypto::new();
    let (salt, body) = sealed.split_at_checked(SALT).ok_or(StoreError::Sealed)?;
    let record_key = crypto.hkdf_sha256(salt, store_key, &[PURPOSE, &kid.0]);
    let mut body = Zeroizing::new(body.to_vec());
    crypto
        .open(&record_key, &NONCE, &kid.0, &mut body)
        .map_err(|_| StoreError::Sealed)?;
    <&[u8; KEY]>::try_from(body.as_slice())
        .map(Secret::copied_from)
        .map_err(|_| StoreError::Sealed)
}
