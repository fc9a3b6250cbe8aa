//! What OP-TEE says of the trusted application that runs.
//!
//! Its attestation PTA (`pta_attestation.h` of the development kit, built in with
//! `CFG_ATTESTATION_PTA=y`) hashes the caller's code and constants as they lie in memory and signs hash
//! and nonce with an RSA key of the device. Whoever asks gets nothing but their own measurement,
//! so that an application cannot pass for another.

use alloc::vec::Vec;
use keybearer_core::{Attester, PlatformError};
use keybearer_crypto::{Crypto, Digest};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{Attestation, AttestationFormat};
use optee_utee::{ErrorKind, ParamIndex, TaSession, TaSessionBuilder, TeeParams, Uuid, raw};

/// `PTA_ATTESTATION_UUID`: 39800861-182a-4720-9b67-2bcd622bc0b5.
const PTA: [u8; 16] = [
    0x39, 0x80, 0x08, 0x61, 0x18, 0x2a, 0x47, 0x20, 0x9b, 0x67, 0x2b, 0xcd, 0x62, 0x2b, 0xc0, 0xb5,
];
/// `PTA_ATTESTATION_GET_PUBKEY`: exponent and modulus, big-endian, and the algorithm.
const GET_PUBLIC_KEY: u32 = 0;
/// `PTA_ATTESTATION_HASH_TA_MEMORY`: from a nonce to measurement and signature.
const HASH_TA_MEMORY: u32 = 2;

/// Bytes of a measurement.
const MEASUREMENT: usize = 32;
/// Bytes of the longest modulus, RSA-4096; OP-TEE makes one of 3072 bits unless it is told otherwise.
const MAX_MODULUS: usize = 512;
/// Room for a public exponent.
const MAX_EXPONENT: usize = 8;

/// OP-TEE's attestation PTA.
#[derive(Clone, Copy, Debug)]
pub struct AttestationPta;

impl AttestationPta {
    /// The PTA; `None` where OP-TEE was built without it.
    ///
    /// # Errors
    /// [`PlatformError::Attestation`] where OP-TEE does not say, as when the client is killed while it
    /// looks for an application of that name. An instance that took the PTA for there would refuse every
    /// request from then on, so there is none: the next client has OP-TEE asked again.
    pub fn of_this_tee() -> Result<Option<Self>, PlatformError> {
        match session() {
            Ok(_) => Ok(Some(Self)),
            Err(error) if error.kind() == ErrorKind::ItemNotFound => Ok(None),
            Err(_) => Err(PlatformError::Attestation),
        }
    }
}

impl Attester for AttestationPta {
    fn attest(&mut self, nonce: &Digest) -> Result<Attestation, PlatformError> {
        let failed = |error: optee_utee::Error| match error.kind() {
            ErrorKind::OutOfMemory => PlatformError::Memory,
            _ => PlatformError::Attestation,
        };
        let mut pta = session().map_err(failed)?;
        let key = key_digest(&mut pta).map_err(failed)?;
        let mut said = [0; MEASUREMENT + MAX_MODULUS];
        let mut params = TeeParams::new()
            .with_memref_in(ParamIndex::Arg0, &nonce.0)
            .with_memref_out(ParamIndex::Arg1, &mut said);
        pta.invoke_command(HASH_TA_MEMORY, &mut params)
            .map_err(failed)?;
        let said = params[ParamIndex::Arg1].written_slice();
        let (measurement, signature) = said
            .and_then(<[u8]>::split_first_chunk)
            .filter(|(_, signature)| !signature.is_empty())
            .ok_or(PlatformError::Attestation)?;
        let mut proof = Vec::new();
        proof
            .try_reserve_exact(signature.len())
            .map_err(|_| PlatformError::Memory)?;
        proof.extend_from_slice(signature);
        Ok(Attestation {
            format: AttestationFormat::Optee,
            key,
            measurement: Digest(*measurement),
            proof,
        })
    }
}

fn session() -> optee_utee::Result<TaSession> {
    TaSessionBuilder::new(Uuid::from_bytes(PTA)).build()
}

/// SHA-256 of the modulus of the key that signs.
fn key_digest(pta: &mut TaSession) -> optee_utee::Result<Digest> {
    let (mut exponent, mut modulus) = ([0; MAX_EXPONENT], [0; MAX_MODULUS]);
    let mut params = TeeParams::new()
        .with_memref_out(ParamIndex::Arg0, &mut exponent)
        .with_memref_out(ParamIndex::Arg1, &mut modulus)
        .with_value_out(ParamIndex::Arg2, 0, 0);
    pta.invoke_command(GET_PUBLIC_KEY, &mut params)?;
    let algorithm = params[ParamIndex::Arg2].output_value().map(|value| value.0);
    if algorithm != Some(raw::TEE_ALG_RSASSA_PKCS1_PSS_MGF1_SHA256) {
        return Err(ErrorKind::NotSupported.into());
    }
    let modulus = params[ParamIndex::Arg1].written_slice();
    Ok(SoftCrypto.sha256(&[modulus.unwrap_or_default()]))
}

#[cfg(test)]
mod tests;
