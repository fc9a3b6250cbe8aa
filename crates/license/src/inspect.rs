//! Looking at messages without believing them, for tools. Nothing here is verified.

use alloc::vec::Vec;

use keybearer_crypto::{Digest, PublicKey};

use crate::cose::encrypt::Sealed;
use crate::cose::sign::Sign1;
use crate::error::LicenseError;
use crate::ids::{LicenseId, RequestId};
use crate::limits::MAX_LICENSE_ANSWER;
use crate::message::MessageType;

/// A signed object as it presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedView {
    /// What it says it is.
    pub kind: MessageType,
    /// Digest of the issuer's key, in certificates.
    pub issuer: Option<Digest>,
    /// The signer's certificate and its issuers, as encoded.
    pub chain: Vec<Vec<u8>>,
    /// The signer's bare key, in provision requests.
    pub bare_key: Option<PublicKey>,
    /// The anchor's key, in service info.
    pub root: Option<PublicKey>,
    /// The payload, as encoded.
    pub payload: Vec<u8>,
}

/// A sealed message's envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedView {
    /// The sender's ephemeral key.
    pub ephemeral: PublicKey,
    /// Digest of the request answered, in answers.
    pub request: Option<Digest>,
    /// Request id, in requests.
    pub request_id: Option<RequestId>,
    /// Licence id, in the answer that first names a licence.
    pub license_id: Option<LicenseId>,
    /// Bytes of ciphertext, tag included.
    pub ciphertext_len: usize,
}

/// Reads a signed object without verifying it.
///
/// # Errors
/// Those of any malformed message.
pub fn peek_sign1(bytes: &[u8]) -> Result<SignedView, LicenseError> {
    let signed = Sign1::parse(bytes, MAX_LICENSE_ANSWER)?;
    let payload = signed.unverified_payload().to_vec();
    let header = signed.header;
    let chain = header.chain.map_or_else(Vec::new, |chain| {
        core::iter::once(chain.leaf)
            .chain(chain.issuers)
            .map(<[u8]>::to_vec)
            .collect()
    });
    Ok(SignedView {
        kind: header.kind,
        issuer: header.issuer,
        chain,
        bare_key: header.bare_key,
        root: header.root,
        payload,
    })
}

/// Reads the envelope of a sealed message.
///
/// # Errors
/// Those of any malformed message.
pub fn peek_encrypt(bytes: &[u8]) -> Result<SealedView, LicenseError> {
    let sealed = Sealed::parse(bytes, MAX_LICENSE_ANSWER)?;
    Ok(SealedView {
        ephemeral: sealed.ephemeral,
        request: sealed.request,
        request_id: sealed.request_id,
        license_id: sealed.license_id,
        ciphertext_len: sealed.ciphertext.len(),
    })
}
