//! RSA, for what other systems sign: the protocol's own suite has none.

use keybearer_crypto::CryptoError;
use ring::signature::{RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents};

/// Verifies RSASSA-PSS with SHA-256 and a salt of 32 bytes (RFC 8017 section 8.1.2). `modulus` and
/// `exponent` are big-endian; keys of fewer than 2048 or more than 8192 bits verify nothing.
///
/// # Errors
/// [`CryptoError::Rejected`] for a bad key and a bad signature alike.
pub fn verify_rsa_pss(
    modulus: &[u8],
    exponent: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    RsaPublicKeyComponents {
        n: modulus,
        e: exponent,
    }
    .verify(&RSA_PSS_2048_8192_SHA256, message, signature)
    .map_err(|_| CryptoError::Rejected)
}
