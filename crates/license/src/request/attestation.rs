//! What a platform says, by a key of its own, of the code that made a request.
//!
//! The device's own key proves which device asks, not which code asks with it: another version of
//! the trusted application would find the same key in the same storage. So the platform, which loaded
//! the code, measures it and signs the measurement together with a nonce. The nonce is made of what is
//! this one request's own: its id, its agreement key, the service and its challenge, the device's
//! key. An attestation taken from any other request is none for this one, and an answer goes to the
//! agreement key that the measured code made.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};
use keybearer_crypto::{Crypto, Digest, Label, PublicKey};

use super::Head;
use crate::chain::copied;
use crate::challenge::Challenge;
use crate::codes::AttestationFormat;
use crate::error::LicenseError;
use crate::limits::MAX_ATTESTATION;

/// A measurement, signed by the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// How `proof` is to be read.
    pub format: AttestationFormat,
    /// Which of the platform's keys signed: a digest that the format defines.
    pub key: Digest,
    /// What the platform measured.
    pub measurement: Digest,
    /// The signature, 1 to [`MAX_ATTESTATION`] bytes.
    pub proof: Vec<u8>,
}

/// An attestation as a service finds it in a request, with the nonce it has to be over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// What the platform says. Nothing of it has been verified.
    pub attestation: Attestation,
    /// The nonce of the request that it stands in.
    pub nonce: Digest,
}

/// Asks the platform for an attestation over a nonce; `None` where it has none to give.
pub type Attest<'a> = dyn FnMut(&Digest) -> Result<Option<Attestation>, LicenseError> + 'a;

/// [`Attest`] on a platform that gives no attestation.
///
/// # Errors
/// None; the signature is the one of those that can fail.
pub fn unattested(_: &Digest) -> Result<Option<Attestation>, LicenseError> {
    Ok(None)
}

mod field {
    pub(super) const FORMAT: i64 = 1;
    pub(super) const KEY: i64 = 2;
    pub(super) const MEASUREMENT: i64 = 3;
    pub(super) const PROOF: i64 = 4;
}

impl Attestation {
    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        if self.proof.is_empty() || self.proof.len() > MAX_ATTESTATION {
            return Err(Cbor::SizeCap);
        }
        e.map(|m| {
            m.entry(field::FORMAT, |e| self.format.encode(e))?;
            m.entry(field::KEY, |e| e.bytes(&self.key.0))?;
            m.entry(field::MEASUREMENT, |e| e.bytes(&self.measurement.0))?;
            m.entry(field::PROOF, |e| e.bytes(&self.proof))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        let digest = |d: &mut Decoder<'_>| Ok(Digest(*d.bytes_fixed()?));
        d.map(|m| {
            let attestation = Self {
                format: m.required(field::FORMAT, AttestationFormat::decode)?,
                key: m.required(field::KEY, digest)?,
                measurement: m.required(field::MEASUREMENT, digest)?,
                proof: m.required(field::PROOF, |d| copied(d.bytes(MAX_ATTESTATION)?))?,
            };
            if attestation.proof.is_empty() {
                return Err(Cbor::Value);
            }
            Ok(attestation)
        })
    }
}

/// The nonce of one request: SHA-256 over the label and, each of fixed length, the digest of the
/// service's certificate, the request's id, the challenge, the agreement key and the device's key.
pub(crate) fn nonce<C: Crypto + ?Sized>(
    crypto: &C,
    head: &Head,
    challenge: &Challenge,
    device_key: &PublicKey,
) -> Digest {
    crypto.sha256(&[
        Label::Attestation.bytes(),
        &head.audience.0,
        &head.request_id.0,
        &challenge.0,
        &head.agreement_key.x,
        &head.agreement_key.y,
        &device_key.x,
        &device_key.y,
    ])
}
