//! The licence room's golden vectors, brought into the fuzzed world: what in them names another
//! service, request or key is replaced by what names this one.

use ciborium::Value;
use keybearer_crypto::PublicKey;

use crate::provider::pieces;

/// Claims that bind a message to a world (`registry.rs` in the licence room).
pub(crate) const AUDIENCE: i64 = 3;
/// The verifier's nonce, echoed.
pub(crate) const EAT_NONCE: i64 = 10;
/// Identifier of a request or licence.
pub(crate) const ID: i64 = 7;
/// A device's nonce.
pub(crate) const NONCE: i64 = -65_540;
/// A public key for agreement.
pub(crate) const AGREEMENT_KEY: i64 = -65_539;
/// Digest of the request answered.
pub(crate) const REQUEST: i64 = -65_542;
/// Digest of the device's key.
pub(crate) const KEY_DIGEST: i64 = -65_546;
/// The device's certificate chain.
pub(crate) const DEVICE_CHAIN: i64 = -65_547;
/// Device identifier.
pub(crate) const UEID: i64 = 256;

/// A vector's bytes.
macro_rules! vector {
    ($name:literal) => {
        $crate::golden::unhex(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../crates/license/vectors/",
            $name,
            ".hex"
        )))
    };
}
pub(crate) use vector;

/// Hexadecimal digits, whatever the lines.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).expect("vectors are hexadecimal")
}

/// The payload of a signed message with some of its claims replaced.
pub(crate) fn body(signed: &[u8], claims: &[(i64, Value)]) -> Vec<u8> {
    let payload = pieces(signed).payload;
    let mut value: Value = ciborium::from_reader(&*payload).expect("a vector is CBOR");
    for (key, entry) in value.as_map_mut().expect("a body is a map") {
        let replaced = |(name, _): &&(i64, Value)| Value::from(*name) == *key;
        if let Some((_, new)) = claims.iter().find(replaced) {
            *entry = new.clone();
        }
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).expect("a vector takes everything");
    bytes
}

/// A byte string claim.
pub(crate) fn claim_of(body: &[u8], key: i64) -> Option<Value> {
    let value: Value = ciborium::from_reader(body).ok()?;
    let entries = value.into_map().ok()?;
    let found = entries
        .into_iter()
        .find(|(name, _)| *name == Value::from(key));
    found.map(|(_, value)| value)
}

/// A value as its bytes.
pub(crate) fn written(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a vector takes everything");
    bytes
}

/// A public key as a COSE_Key.
pub(crate) fn cose_key(key: &PublicKey) -> Value {
    let bytes = keybearer_license::cose_key(key).expect("a key is written");
    ciborium::from_reader(&*bytes).expect("it is CBOR")
}
