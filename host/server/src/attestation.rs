//! What a tenant demands of the code on its devices: that the platform under it, by a key that is
//! listed, measured it as one of those that are listed.
//!
//! Distrusts every word of an attestation until its signature, over the nonce of the very request it
//! stands in, has been verified with a listed key. What runs outside a TEE is never asked for one.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keybearer_crypto::{Crypto, Digest};
use keybearer_crypto_ring::{RingCrypto, verify_rsa_pss};
use keybearer_license::{AttestationFormat, Attested, Denial, DenialReason};
use serde::Deserialize;

use crate::config::ConfigError;
use crate::config::text::Text;
use crate::denial::{Because, refusal};

/// Shortest and longest modulus in bytes: RSA of 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// The public key of a device's platform: RSA, as OP-TEE's attestation PTA has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    /// SHA-256 of the modulus, by which an attestation names it.
    digest: Digest,
}

impl PlatformKey {
    /// A key of 2048 to 8192 bits, both numbers big-endian; none where it is another.
    #[must_use]
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        // Without leading zeros, as the platform has it when it makes the digest.
        let significant = |bytes: &[u8]| {
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            bytes[zeros..].to_vec()
        };
        let (modulus, exponent) = (significant(modulus), significant(exponent));
        let is_key = MODULUS.contains(&modulus.len()) && (1..=5).contains(&exponent.len());
        is_key.then(|| Self {
            digest: RingCrypto.sha256(&[&modulus]),
            modulus,
            exponent,
        })
    }
}

/// What a tenant demands of the code on devices that are served at Medium or High.
#[derive(Clone, Debug, Default)]
pub struct AttestationSpec {
    /// The file with the platforms' keys, a JSON Web Key Set (RFC 7517 section 5).
    pub keys_file: Option<PathBuf>,
    /// The keys, with those of the file once it was read.
    pub keys: Vec<PlatformKey>,
    /// Measurements of the trusted applications that are accepted.
    pub measurements: Vec<Digest>,
}

/// The demand as it stands in the configuration file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttestationForm {
    keys_file: PathBuf,
    measurements: Vec<Text<Digest>>,
}

/// A JSON Web Key Set; what else stands in it is not for us (RFC 7517 section 4).
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<KeyForm>,
}

#[derive(Deserialize)]
struct KeyForm {
    kty: String,
    n: Option<String>,
    e: Option<String>,
}

impl AttestationForm {
    pub(crate) fn spec(self, base: &Path) -> AttestationSpec {
        AttestationSpec {
            keys_file: Some(base.join(self.keys_file)),
            measurements: self.measurements.into_iter().map(|text| text.0).collect(),
            keys: Vec::new(),
        }
    }
}

impl AttestationSpec {
    /// Reads the file.
    pub(crate) fn read_keys(&mut self) -> Result<(), ConfigError> {
        if let Some(path) = &self.keys_file {
            let bytes = std::fs::read(path).map_err(|source| ConfigError::Io {
                path: path.clone(),
                source,
            })?;
            self.keys
                .extend(read_set(&bytes).map_err(|what| ConfigError::Invalid {
                    what: format!("{}: {what}", path.display()),
                })?);
        }
        Ok(())
    }

    /// Whether this is what a listed platform says of listed code, for this request.
    pub(crate) fn check(&self, attested: Option<&Attested>) -> Result<(), Denial> {
        let refused = |rule: &str, wanted: &str, found: &dyn Display| {
            Err(refusal(DenialReason::PlatformNotVerified, rule).because(wanted, found))
        };
        let Some(Attested { attestation, nonce }) = attested else {
            return refused("attestation", "an attestation", &"none");
        };
        let AttestationFormat::Optee = attestation.format;
        let Some(key) = self.keys.iter().find(|key| key.digest == attestation.key) else {
            let found = hex::encode(attestation.key.0);
            return refused("attestation.key", "a listed platform", &found);
        };
        let measurement = &attestation.measurement;
        let said = [nonce.0, measurement.0].concat();
        if verify_rsa_pss(&key.modulus, &key.exponent, &said, &attestation.proof).is_err() {
            return refused(
                "attestation.proof",
                "the platform's signature for this request",
                &"another",
            );
        }
        if !self.measurements.contains(measurement) {
            let found = hex::encode(measurement.0);
            return refused("attestation.measurement", "a listed measurement", &found);
        }
        Ok(())
    }
}

/// Reads a key set of RSA keys.
fn read_set(bytes: &[u8]) -> Result<Vec<PlatformKey>, String> {
    let set: KeySet = serde_json::from_slice(bytes)
        .map_err(|error| format!("this is no JSON Web Key Set: {error}"))?;
    let number = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
    let read = |(at, form): (usize, &KeyForm)| {
        let key = match (form.kty.as_str(), number(&form.n), number(&form.e)) {
            ("RSA", Some(modulus), Some(exponent)) => PlatformKey::rsa(&modulus, &exponent),
            _ => None,
        };
        key.ok_or_else(|| {
            format!("key {at} is not an RSA key of 2048 to 8192 bits with n and e in base64url")
        })
    };
    set.keys.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests;
