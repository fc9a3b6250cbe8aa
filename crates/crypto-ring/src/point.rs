//! Public keys between the protocol's coordinates and the form that ring reads.

use keybearer_crypto::{CryptoError, PublicKey};

/// The first byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// An uncompressed point: 0x04, x, y.
pub(crate) fn uncompressed(key: &PublicKey) -> [u8; 65] {
    let mut point = [UNCOMPRESSED; 65];
    point[1..33].copy_from_slice(&key.x);
    point[33..].copy_from_slice(&key.y);
    point
}

/// The coordinates of an uncompressed point.
pub(crate) fn coordinates(point: &[u8]) -> Result<PublicKey, CryptoError> {
    match point.split_first_chunk() {
        Some(([UNCOMPRESSED], coordinates)) if coordinates.len() == 64 => {
            let (mut x, mut y) = ([0; 32], [0; 32]);
            x.copy_from_slice(&coordinates[..32]);
            y.copy_from_slice(&coordinates[32..]);
            Ok(PublicKey { x, y })
        }
        _ => Err(CryptoError::Rejected),
    }
}
