//! COSE_Encrypt (RFC 9052 section 5.1) with one direct ECDH-ES recipient, and its key schedule.
//!
//! The content key is HKDF-SHA-256 of the agreed secret, salted with the request digest where
//! there is one, over a COSE_KDF_Context (RFC 9053 section 5.2) whose nonces and
//! `SuppPubInfo.other` name everything the message depends on. A message opened with any other
//! label, request, licence, key or device does not open.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, decode, encode};
use keybearer_crypto::{Crypto, Digest, Label, Nonce as Iv, PrivateKeys, PublicKey, Rng, Secret};
use zeroize::Zeroizing;

use super::key::{decode_key, encode_key};
use crate::error::LicenseError;
use crate::ids::{LicenseId, RequestId, random_bytes};
use crate::registry::{alg, header};

/// Bytes of an AES-GCM tag.
const TAG: usize = 16;
/// Bytes the structure adds around a ciphertext.
const OVERHEAD: usize = 512;

/// What both ends of a sealed message must agree on before it opens.
pub(crate) struct SealContext<'a> {
    /// The direction.
    pub(crate) label: Label,
    /// PartyU nonce.
    pub(crate) request_id: &'a RequestId,
    /// PartyV nonce, where the message is about one licence.
    pub(crate) license_id: Option<&'a LicenseId>,
    /// Salt, and part of the context: digest of the signed request (answers).
    pub(crate) request: Option<&'a Digest>,
    /// Digest of the device's certificate (answers to a device that has one).
    pub(crate) device: Option<&'a Digest>,
}

/// Which of the context's values travel; what the other end knows is not sent, so that nobody
/// can link messages by it.
pub(crate) struct Shown {
    /// PartyU nonce: in requests.
    pub(crate) request_id: bool,
    /// PartyV nonce: in the answer that first names a licence.
    pub(crate) license_id: bool,
}

/// A received sealed message, not opened yet.
pub(crate) struct Sealed<'a> {
    /// PartyU nonce, if it travels.
    pub(crate) request_id: Option<RequestId>,
    /// PartyV nonce, if it travels.
    pub(crate) license_id: Option<LicenseId>,
    /// Salt, if it travels.
    pub(crate) request: Option<Digest>,
    /// The sender's key.
    pub(crate) ephemeral: PublicKey,
    pub(crate) ciphertext: &'a [u8],
    protected: &'a [u8],
    recipient_protected: &'a [u8],
    iv: Iv,
}

impl<'a> Sealed<'a> {
    /// Reads the structure.
    pub(crate) fn parse(bytes: &'a [u8], cap: usize) -> Result<Self, LicenseError> {
        if bytes.len() > cap {
            return Err(LicenseError::Size);
        }
        let sealed = decode(bytes, cap, |d| {
            d.array(4..=4, |a| {
                let protected = a.item(|d| d.bytes(cap))?;
                let iv = a.item(|d| d.map(|m| m.required(header::IV, Decoder::bytes_fixed)))?;
                let ciphertext = a.item(|d| d.bytes(cap))?;
                let recipient = |d: &mut Decoder<'a>| {
                    d.array(3..=3, |a| {
                        let recipient_protected = a.item(|d| d.bytes(cap))?;
                        let sealed = a.item(|d| {
                            d.map(|m| {
                                let ephemeral = m.required(header::EPHEMERAL_KEY, decode_key)?;
                                let request = m.optional(header::SALT, Decoder::bytes_fixed)?;
                                let request_id =
                                    m.optional(header::PARTY_U_NONCE, RequestId::decode)?;
                                let license_id =
                                    m.optional(header::PARTY_V_NONCE, LicenseId::decode)?;
                                Ok(Self {
                                    request_id,
                                    license_id,
                                    request: request.map(|digest| Digest(*digest)),
                                    ephemeral,
                                    ciphertext,
                                    protected,
                                    recipient_protected,
                                    iv: Iv(*iv),
                                })
                            })
                        })?;
                        // Direct agreement wraps no key (RFC 9052 section 8.5.4).
                        a.item(|d| d.bytes(0))?;
                        Ok(sealed)
                    })
                };
                a.item(|d| d.array(1..=1, |a| a.item(recipient)))
            })
        })?;
        expect_algorithm(sealed.protected, alg::A256GCM)?;
        expect_algorithm(sealed.recipient_protected, alg::ECDH_ES_HKDF_256)?;
        Ok(sealed)
    }

    /// Opens the message with the recipient's private key.
    ///
    /// # Errors
    /// [`LicenseError::Sealed`] whatever does not fit: the cipher cannot say.
    pub(crate) fn open<C: PrivateKeys + ?Sized>(
        &self,
        crypto: &C,
        private: &Secret<32>,
        public: &PublicKey,
        context: &SealContext<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, LicenseError> {
        let sealed = |error| LicenseError::from_crypto(error, LicenseError::Sealed);
        let shared = crypto.agree(private, &self.ephemeral).map_err(sealed)?;
        let key = derive(
            crypto,
            &shared,
            context,
            self.recipient_protected,
            &self.ephemeral,
            public,
        )?;
        let mut data = Zeroizing::new(Vec::new());
        data.try_reserve_exact(self.ciphertext.len())
            .map_err(|_| LicenseError::Memory)?;
        data.extend_from_slice(self.ciphertext);
        crypto
            .open(&key, &self.iv, &enc_structure(self.protected)?, &mut data)
            .map_err(sealed)?;
        Ok(data)
    }
}

/// Seals `plaintext` to `recipient` under a fresh ephemeral key.
pub(crate) fn seal<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    recipient: &PublicKey,
    context: &SealContext<'_>,
    shown: &Shown,
    plaintext: &[u8],
    cap: usize,
) -> Result<Vec<u8>, LicenseError> {
    let (ephemeral, shared) = crypto
        .agree_ephemeral(rng, recipient)
        .map_err(|error| LicenseError::from_crypto(error, LicenseError::Sealed))?;
    let protected = only_algorithm(alg::A256GCM)?;
    let recipient_protected = only_algorithm(alg::ECDH_ES_HKDF_256)?;
    let key = derive(
        crypto,
        &shared,
        context,
        &recipient_protected,
        &ephemeral,
        recipient,
    )?;
    let iv = Iv(random_bytes(rng)?);

    // Room for the tag is reserved first, so that growth leaves no copy of the plaintext behind.
    let mut data = Zeroizing::new(Vec::new());
    data.try_reserve_exact(plaintext.len().saturating_add(TAG))
        .map_err(|_| LicenseError::Memory)?;
    data.extend_from_slice(plaintext);
    crypto
        .seal(&key, &iv, &enc_structure(&protected)?, &mut data)
        .map_err(|error| LicenseError::from_crypto(error, LicenseError::Size))?;

    let size = data.len().saturating_add(OVERHEAD);
    let message = encode(size, |e| {
        e.array(|e| {
            e.bytes(&protected)?;
            e.map(|m| m.entry(header::IV, |e| e.bytes(&iv.0)))?;
            e.bytes(&data)?;
            e.list([()], |e, ()| {
                e.array(|e| {
                    e.bytes(&recipient_protected)?;
                    e.map(|m| {
                        m.entry(header::EPHEMERAL_KEY, |e| encode_key(e, &ephemeral))?;
                        m.optional(header::SALT, context.request, |e, digest| {
                            e.bytes(&digest.0)
                        })?;
                        let request_id = shown.request_id.then_some(context.request_id);
                        m.optional(header::PARTY_U_NONCE, request_id, |e, id| id.encode(e))?;
                        let license_id = context.license_id.filter(|_| shown.license_id);
                        m.optional(header::PARTY_V_NONCE, license_id, |e, id| id.encode(e))
                    })?;
                    e.bytes(&[])
                })
            })
        })
    })?;
    if message.len() > cap {
        Err(LicenseError::Size)
    } else {
        Ok(message)
    }
}

fn only_algorithm(algorithm: i64) -> Result<Vec<u8>, LicenseError> {
    Ok(encode(16, |e| {
        e.map(|m| m.entry(header::ALG, |e| e.int(algorithm)))
    })?)
}

fn expect_algorithm(protected: &[u8], algorithm: i64) -> Result<(), LicenseError> {
    let found = decode(protected, protected.len(), |d| {
        d.map(|m| m.required(header::ALG, Decoder::int))
    })?;
    if found == algorithm {
        Ok(())
    } else {
        Err(LicenseError::Algorithm)
    }
}

/// Enc_structure (RFC 9052 section 5.3) with empty external data.
pub(crate) fn enc_structure(protected: &[u8]) -> Result<Vec<u8>, LicenseError> {
    Ok(encode(protected.len().saturating_add(32), |e| {
        e.array(|e| {
            e.text("Encrypt")?;
            e.bytes(protected)?;
            e.bytes(&[])
        })
    })?)
}

/// The content key.
fn derive<C: Crypto + ?Sized>(
    crypto: &C,
    shared: &Secret<32>,
    context: &SealContext<'_>,
    recipient_protected: &[u8],
    ephemeral: &PublicKey,
    recipient: &PublicKey,
) -> Result<Secret<32>, LicenseError> {
    let other = bound_values(crypto, context, ephemeral, recipient)?;
    let info = kdf_context(context, recipient_protected, &other)?;
    let salt: &[u8] = context.request.map_or(&[], |digest| &digest.0);
    Ok(crypto.hkdf_sha256(salt, shared, &[&info]))
}

/// COSE_KDF_Context (RFC 9053 section 5.2).
pub(crate) fn kdf_context(
    context: &SealContext<'_>,
    recipient_protected: &[u8],
    other: &Digest,
) -> Result<Vec<u8>, LicenseError> {
    Ok(encode(256, |e| {
        e.array(|e| {
            e.int(alg::A256GCM)?;
            party(e, Some(&context.request_id.0))?;
            party(e, context.license_id.map(|id| &id.0))?;
            e.array(|e| {
                e.uint(alg::A256GCM_KEY_BITS)?;
                e.bytes(recipient_protected)?;
                e.bytes(&other.0)
            })
        })
    })?)
}

/// PartyInfo: no identity, a nonce or none, nothing else.
fn party(e: &mut Encoder, nonce: Option<&[u8; 16]>) -> Result<(), keybearer_cbor::Error> {
    e.array(|e| {
        e.null()?;
        match nonce {
            Some(nonce) => e.bytes(nonce)?,
            None => e.null()?,
        }
        e.null()
    })
}

/// `SuppPubInfo.other`: SHA-256 over a CBOR array, so that no two lists of values give the same
/// bytes.
pub(crate) fn bound_values<C: Crypto + ?Sized>(
    crypto: &C,
    context: &SealContext<'_>,
    ephemeral: &PublicKey,
    recipient: &PublicKey,
) -> Result<Digest, LicenseError> {
    let optional = |e: &mut Encoder, digest: Option<&Digest>| match digest {
        Some(digest) => e.bytes(&digest.0),
        None => e.null(),
    };
    let bytes = encode(512, |e| {
        e.array(|e| {
            e.bytes(context.label.bytes())?;
            optional(e, context.request)?;
            encode_key(e, ephemeral)?;
            encode_key(e, recipient)?;
            optional(e, context.device)
        })
    })?;
    Ok(crypto.sha256(&[&bytes]))
}
