//! COSE_Key for P-256 (RFC 9053 section 7.1.1), both coordinates in full.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, decode, encode};
use keybearer_crypto::{Crypto, Digest, PublicKey};

use crate::error::LicenseError;
use crate::registry::CNF_COSE_KEY;

/// COSE_Key parameters (RFC 9052 section 7.1, RFC 9053 section 7.1.1).
const KTY: i64 = 1;
const KTY_EC2: u64 = 2;
const CRV: i64 = -1;
const CRV_P256: u64 = 1;
const X: i64 = -2;
const Y: i64 = -3;

/// Bytes of an encoded key: 75, fixed by the curve.
const MAX_COSE_KEY: usize = 80;

pub(crate) fn encode_key(e: &mut Encoder, key: &PublicKey) -> Result<(), Cbor> {
    e.map(|m| {
        m.entry(KTY, |e| e.uint(KTY_EC2))?;
        m.entry(CRV, |e| e.uint(CRV_P256))?;
        m.entry(X, |e| e.bytes(&key.x))?;
        m.entry(Y, |e| e.bytes(&key.y))
    })
}

pub(crate) fn decode_key(d: &mut Decoder<'_>) -> Result<PublicKey, Cbor> {
    d.map(|m| {
        m.required(KTY, |d| exactly(d, KTY_EC2))?;
        m.required(CRV, |d| exactly(d, CRV_P256))?;
        Ok(PublicKey {
            x: *m.required(X, Decoder::bytes_fixed)?,
            y: *m.required(Y, Decoder::bytes_fixed)?,
        })
    })
}

fn exactly(d: &mut Decoder<'_>, value: u64) -> Result<(), Cbor> {
    if d.uint()? == value {
        Ok(())
    } else {
        Err(Cbor::Value)
    }
}

/// The `cnf` claim with a bare key (RFC 8747 section 3.2).
pub(crate) fn encode_cnf(e: &mut Encoder, key: &PublicKey) -> Result<(), Cbor> {
    e.map(|m| m.entry(CNF_COSE_KEY, |e| encode_key(e, key)))
}

pub(crate) fn decode_cnf(d: &mut Decoder<'_>) -> Result<PublicKey, Cbor> {
    d.map(|m| m.required(CNF_COSE_KEY, decode_key))
}

/// A public key as a deterministic COSE_Key, 75 bytes.
///
/// # Errors
/// [`LicenseError::Memory`].
pub fn cose_key(key: &PublicKey) -> Result<Vec<u8>, LicenseError> {
    Ok(encode(MAX_COSE_KEY, |e| encode_key(e, key))?)
}

/// Reads what [`cose_key`] writes. The point is not checked to lie on the curve.
///
/// # Errors
/// [`LicenseError::Malformed`].
pub fn public_key_from_cose(bytes: &[u8]) -> Result<PublicKey, LicenseError> {
    Ok(decode(bytes, MAX_COSE_KEY, decode_key)?)
}

/// SHA-256 of a key's deterministic COSE_Key: how the protocol names a key.
///
/// # Errors
/// [`LicenseError::Memory`].
pub fn key_digest<C: Crypto + ?Sized>(crypto: &C, key: &PublicKey) -> Result<Digest, LicenseError> {
    Ok(crypto.sha256(&[&cose_key(key)?]))
}

/// The digest by which a build or an enrolment file names its trust anchor.
///
/// # Errors
/// [`LicenseError::Memory`].
pub fn anchor_digest<C: Crypto + ?Sized>(
    crypto: &C,
    anchor: &PublicKey,
) -> Result<Digest, LicenseError> {
    key_digest(crypto, anchor)
}
