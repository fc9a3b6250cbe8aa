//! COSE_Sign1 (RFC 9052 section 4.2), untagged, ESP256, every header parameter protected.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, decode, encode_secret};
use keybearer_crypto::{Crypto, Digest, PublicKey, Signature, Signer};
use zeroize::Zeroizing;

use super::key::{decode_cnf, decode_key, encode_cnf, encode_key};
use crate::chain::CertificateChain;
use crate::error::LicenseError;
use crate::limits::{MAX_CERTIFICATE, MAX_CHAIN_BYTES, MAX_ISSUERS};
use crate::message::MessageType;
use crate::registry::{alg, claim, header};

/// The one protocol version. Version 2 will be the hybrid suite.
pub const PROTOCOL_VERSION: u64 = 1;

/// Bytes the structure adds around a payload and a chain: heads, type, signature.
const OVERHEAD: usize = 512;
/// Longest media type read.
const MAX_TYP: usize = 64;

/// How a message names the key that signed it.
pub(crate) enum SignedBy<'a> {
    /// A certificate: by the digest of its issuer's key.
    Issuer(&'a Digest),
    /// A message under a chain.
    Chain(&'a CertificateChain),
    /// A message under a key nobody certified yet.
    BareKey(&'a PublicKey),
}

/// A received protected header.
pub(crate) struct Protected<'a> {
    /// What the message says it is.
    pub(crate) kind: MessageType,
    /// Digest of the issuer's key (certificates).
    pub(crate) issuer: Option<Digest>,
    /// The signer's chain, as received.
    pub(crate) chain: Option<RawChain<'a>>,
    /// The signer's bare key (provision requests).
    pub(crate) bare_key: Option<PublicKey>,
    /// The anchor's key (service info).
    pub(crate) root: Option<PublicKey>,
}

/// A chain as it lies in a message.
pub(crate) struct RawChain<'a> {
    /// The signer's own certificate.
    pub(crate) leaf: &'a [u8],
    /// Its issuers, nearest first.
    pub(crate) issuers: Vec<&'a [u8]>,
}

/// A received message whose signature is not verified yet.
pub(crate) struct Sign1<'a> {
    /// What the protected header says.
    pub(crate) header: Protected<'a>,
    protected: &'a [u8],
    payload: &'a [u8],
    signature: Signature,
}

impl<'a> Sign1<'a> {
    /// Reads the structure and the protected header, not the payload.
    pub(crate) fn parse(bytes: &'a [u8], cap: usize) -> Result<Self, LicenseError> {
        if bytes.len() > cap {
            return Err(LicenseError::Size);
        }
        let (protected, payload, signature) = decode(bytes, cap, |d| {
            d.array(4..=4, |a| {
                let protected = a.item(|d| d.bytes(cap))?;
                // Unprotected parameters would be data that nobody signed: there are none.
                a.item(|d| d.map(|_| Ok(())))?;
                let payload = a.item(|d| d.bytes(cap))?;
                Ok((
                    protected,
                    payload,
                    Signature(*a.item(Decoder::bytes_fixed)?),
                ))
            })
        })?;
        Ok(Self {
            header: parse_protected(protected)?,
            protected,
            payload,
            signature,
        })
    }

    /// Verifies the signature over the bytes as received and only then shows the payload.
    pub(crate) fn verified_by<C: Crypto + ?Sized>(
        &self,
        crypto: &C,
        key: &PublicKey,
    ) -> Result<&'a [u8], LicenseError> {
        let signed = to_be_signed(self.protected, self.payload)?;
        crypto
            .verify(key, &signed, &self.signature)
            .map_err(|error| LicenseError::from_crypto(error, LicenseError::Signature))?;
        Ok(self.payload)
    }

    /// The payload of a message nobody verified: for inspection only.
    pub(crate) fn unverified_payload(&self) -> &'a [u8] {
        self.payload
    }
}

fn parse_protected(bytes: &[u8]) -> Result<Protected<'_>, LicenseError> {
    // The version is read before anything is judged by it: a message of another version may
    // rightly use another algorithm.
    let mut version = PROTOCOL_VERSION;
    let mut algorithm = alg::ESP256;
    let parsed = decode(bytes, bytes.len(), |d| {
        d.map(|m| {
            algorithm = m.required(header::ALG, Decoder::int)?;
            let issuer = m
                .optional(header::KID, Decoder::bytes_fixed)?
                .map(|d| Digest(*d));
            let leaf = m.optional(header::KCWT, Decoder::raw)?;
            let bare_key = m.optional(header::KCCS, |d| {
                d.map(|m| m.required(claim::CNF, decode_cnf))
            })?;
            let kind = m.required(header::TYP, |d| d.text(MAX_TYP))?;
            version = m.required(header::VERSION, Decoder::uint)?;
            let issuers = m.optional(header::ISSUERS, read_issuers)?;
            let root = m.optional(header::ROOT, decode_key)?;
            let chain = match (leaf, issuers) {
                (Some(leaf), issuers) => Some(RawChain {
                    leaf,
                    issuers: issuers.unwrap_or_default(),
                }),
                (None, None) => None,
                (None, Some(_)) => return Err(Cbor::MissingKey(header::KCWT)),
            };
            Ok((kind, issuer, chain, bare_key, root))
        })
    });
    if version != PROTOCOL_VERSION {
        return Err(LicenseError::Version);
    }
    if algorithm != alg::ESP256 {
        return Err(LicenseError::Algorithm);
    }
    let (kind, issuer, chain, bare_key, root) = parsed?;
    let kind = MessageType::from_media_type(kind).ok_or(LicenseError::MessageType)?;
    Ok(Protected {
        kind,
        issuer,
        chain,
        bare_key,
        root,
    })
}

/// Reads one certificate too many, so that a long chain is named as such by its verifier.
fn read_issuers<'a>(d: &mut Decoder<'a>) -> Result<Vec<&'a [u8]>, Cbor> {
    let longest = MAX_ISSUERS.saturating_add(1);
    let issuers = d.list(longest, |d| match d.raw()? {
        certificate if certificate.len() <= MAX_CERTIFICATE => Ok(certificate),
        _ => Err(Cbor::SizeCap),
    })?;
    // An empty list says the same as none, and one thing is said in one way.
    if issuers.is_empty() {
        Err(Cbor::Count)
    } else {
        Ok(issuers)
    }
}

/// Signs `payload`.
///
/// `root` travels only in service info.
pub(crate) fn sign(
    signer: &mut dyn Signer,
    kind: MessageType,
    by: &SignedBy<'_>,
    root: Option<&PublicKey>,
    payload: &[u8],
) -> Result<Zeroizing<Vec<u8>>, LicenseError> {
    let protected = encode_protected(kind, by, root)?;
    let message = to_be_signed(&protected, payload)?;
    let signature = signer.sign(&message).map_err(signing_failed)?;
    // The payload may hold keys: it is written once, into memory that does not move.
    let size = protected
        .len()
        .saturating_add(payload.len())
        .saturating_add(OVERHEAD);
    Ok(encode_secret(size, |e| {
        e.array(|e| {
            e.bytes(&protected)?;
            e.map(|_| Ok(()))?;
            e.bytes(payload)?;
            e.bytes(&signature.0)
        })
    })?)
}

fn signing_failed(error: keybearer_crypto::CryptoError) -> LicenseError {
    LicenseError::from_crypto(error, LicenseError::Key)
}

fn encode_protected(
    kind: MessageType,
    by: &SignedBy<'_>,
    root: Option<&PublicKey>,
) -> Result<Vec<u8>, LicenseError> {
    let (issuer, chain, bare_key) = match by {
        SignedBy::Issuer(digest) => (Some(*digest), None, None),
        SignedBy::Chain(chain) => (None, Some(*chain), None),
        SignedBy::BareKey(key) => (None, None, Some(*key)),
    };
    let size = MAX_CHAIN_BYTES.saturating_add(OVERHEAD);
    Ok(keybearer_cbor::encode(size, |e| {
        e.map(|m| {
            m.entry(header::ALG, |e| e.int(alg::ESP256))?;
            m.optional(header::KID, issuer, |e, digest| e.bytes(&digest.0))?;
            m.optional(header::KCWT, chain, |e, chain| e.raw(&chain.leaf))?;
            m.optional(header::KCCS, bare_key, |e, key| {
                e.map(|m| m.entry(claim::CNF, |e| encode_cnf(e, key)))
            })?;
            m.entry(header::TYP, |e| e.text(kind.media_type()))?;
            m.entry(header::VERSION, |e| e.uint(PROTOCOL_VERSION))?;
            let issuers = chain
                .map(|chain| &chain.issuers)
                .filter(|issuers| !issuers.is_empty());
            m.optional(header::ISSUERS, issuers, |e, issuers| {
                e.list(issuers, |e: &mut Encoder, issuer| e.raw(issuer))
            })?;
            m.optional(header::ROOT, root, encode_key)
        })
    })?)
}

/// Sig_structure (RFC 9052 section 4.4) with empty external data.
///
/// Wiped when dropped: a licence's payload holds keys.
pub(crate) fn to_be_signed(
    protected: &[u8],
    payload: &[u8],
) -> Result<Zeroizing<Vec<u8>>, LicenseError> {
    let size = protected
        .len()
        .saturating_add(payload.len())
        .saturating_add(OVERHEAD);
    Ok(encode_secret(size, |e| {
        e.array(|e| {
            e.text("Signature1")?;
            e.bytes(protected)?;
            e.bytes(&[])?;
            e.bytes(payload)
        })
    })?)
}

impl<'a> Protected<'a> {
    /// Refuses any other message than `kind`.
    pub(crate) fn expect(&self, kind: MessageType) -> Result<(), LicenseError> {
        if self.kind == kind {
            Ok(())
        } else {
            Err(LicenseError::MessageType)
        }
    }

    /// The chain, without which nothing under an anchor can be verified.
    pub(crate) fn require_chain(&self) -> Result<&RawChain<'a>, LicenseError> {
        self.chain
            .as_ref()
            .ok_or(LicenseError::Malformed(Cbor::MissingKey(header::KCWT)))
    }
}
