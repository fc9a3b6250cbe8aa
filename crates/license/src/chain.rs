//! Chains: from a pinned anchor down to the key that signed a message.
//!
//! Distrusts every certificate until the one above it has vouched for it. The anchor is a bare
//! public key that the caller pinned; it is never taken from a message, except service info,
//! where its digest was pinned instead.

use alloc::vec::Vec;

use keybearer_cbor::{Encoder, Error as Cbor, decode, encode};
use keybearer_crypto::{Crypto, Digest, PublicKey};

use crate::certificate::{DeviceClaims, ServiceClaims, read_device, read_issuer, read_service};
use crate::codes::{Issues, Roles};
use crate::cose::key::key_digest;
use crate::cose::sign::{RawChain, Sign1};
use crate::error::LicenseError;
use crate::ids::Serial;
use crate::limits::{MAX_CERTIFICATE, MAX_CHAIN_BYTES, MAX_ISSUERS, MAX_REVOKED};
use crate::message::MessageType;
use crate::time::{TimeView, Validity};

/// A leaf certificate and its issuers, as encoded. Nothing about it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateChain {
    /// The certificate of the key that signs.
    pub leaf: Vec<u8>,
    /// Issuer certificates, the leaf's issuer first, the one the anchor signed last; at most two.
    pub issuers: Vec<Vec<u8>>,
}

impl CertificateChain {
    /// The chain as one CBOR array, leaf first, for storing.
    ///
    /// # Errors
    /// [`LicenseError::ChainLength`], [`LicenseError::Malformed`] where an item is no CBOR.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LicenseError> {
        if self.issuers.len() > MAX_ISSUERS {
            return Err(LicenseError::ChainLength);
        }
        Ok(encode(MAX_CHAIN_BYTES, |e| self.encode(e))?)
    }

    /// Reads what [`Self::to_bytes`] writes.
    ///
    /// # Errors
    /// [`LicenseError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicenseError> {
        Ok(decode(bytes, MAX_CHAIN_BYTES, Self::decode)?)
    }

    /// The certificate that the anchor signed.
    pub(crate) fn top(&self) -> &[u8] {
        self.issuers.last().unwrap_or(&self.leaf)
    }

    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        let all = core::iter::once(&self.leaf).chain(&self.issuers);
        e.list(all, |e, certificate| e.raw(certificate))
    }

    pub(crate) fn decode(d: &mut keybearer_cbor::Decoder<'_>) -> Result<Self, Cbor> {
        d.array(1..=crate::limits::MAX_CHAIN, |a| {
            let leaf = a.item(read_certificate)?;
            let mut issuers = Vec::new();
            issuers
                .try_reserve_exact(a.len())
                .map_err(|_| Cbor::Memory)?;
            while !a.is_empty() {
                issuers.push(a.item(read_certificate)?);
            }
            Ok(Self { leaf, issuers })
        })
    }

    fn as_raw(&self) -> Result<RawChain<'_>, LicenseError> {
        let mut issuers = Vec::new();
        issuers
            .try_reserve_exact(self.issuers.len())
            .map_err(|_| LicenseError::Memory)?;
        issuers.extend(self.issuers.iter().map(Vec::as_slice));
        Ok(RawChain {
            leaf: &self.leaf,
            issuers,
        })
    }
}

fn read_certificate(d: &mut keybearer_cbor::Decoder<'_>) -> Result<Vec<u8>, Cbor> {
    let raw = d.raw()?;
    if raw.len() > MAX_CERTIFICATE {
        return Err(Cbor::SizeCap);
    }
    copied(raw)
}

/// A copy of `bytes` in memory that may not be had.
pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<u8>, Cbor> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Cbor::Memory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// Serials that no longer count, sorted for lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedSerials(Vec<Serial>);

impl RevokedSerials {
    /// Nothing is revoked.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Takes serials in any order; more than [`MAX_REVOKED`] never come from a valid list.
    ///
    /// # Errors
    /// [`LicenseError::Size`].
    pub fn from_serials(mut serials: Vec<Serial>) -> Result<Self, LicenseError> {
        if serials.len() > MAX_REVOKED {
            return Err(LicenseError::Size);
        }
        serials.sort_unstable();
        serials.dedup();
        Ok(Self(serials))
    }

    /// Whether `serial` is revoked.
    #[must_use]
    pub fn contains(&self, serial: &Serial) -> bool {
        self.0.binary_search(serial).is_ok()
    }

    /// The serials, sorted.
    #[must_use]
    pub fn serials(&self) -> &[Serial] {
        &self.0
    }
}

/// Serials of the issuers in a verified chain, the one that the anchor signed first.
///
/// Kept with what the chain vouched for: an issuer that is revoked later takes everything below
/// it along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IssuerSerials([Option<Serial>; MAX_ISSUERS]);

impl IssuerSerials {
    /// Whether one of them is revoked.
    #[must_use]
    pub fn any_revoked(&self, revoked: &RevokedSerials) -> bool {
        let mut serials = self.0.iter().flatten();
        serials.any(|serial| revoked.contains(serial))
    }

    /// With one more below; a chain that was let pass has no more issuers than places.
    fn and(mut self, serial: Serial) -> Self {
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(serial);
        }
        self
    }
}

/// What a verifier goes by.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The operator's root public key, pinned.
    pub anchor: &'a PublicKey,
    /// What is known about now.
    pub time: TimeView,
    /// Serials that no longer count.
    pub revoked: &'a RevokedSerials,
}

/// A service whose chain was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedService {
    /// What its certificate says.
    pub claims: ServiceClaims,
    /// SHA-256 of its certificate as encoded: the audience of requests to it.
    pub digest: Digest,
    /// Who vouched for it.
    pub issuers: IssuerSerials,
    /// When the whole chain counts.
    pub validity: Validity,
}

/// A device whose chain was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDevice {
    /// What its certificate says.
    pub claims: DeviceClaims,
    /// SHA-256 of its certificate as encoded.
    pub digest: Digest,
    /// When the whole chain counts.
    pub validity: Validity,
}

/// Verifies a service's chain and that every link of it allows `role`.
///
/// [`Roles::NONE`] asks for no role.
///
/// # Errors
/// [`LicenseError::ChainLength`], [`LicenseError::CertificateType`], [`LicenseError::WrongAnchor`],
/// [`LicenseError::WrongIssuer`], [`LicenseError::Signature`], [`LicenseError::RoleMissing`],
/// [`LicenseError::Expired`], [`LicenseError::NotYetValid`], [`LicenseError::ValidityTooLong`],
/// [`LicenseError::Revoked`], and those of any malformed certificate.
pub fn verify_service<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
    chain: &CertificateChain,
    role: Roles,
) -> Result<VerifiedService, LicenseError> {
    verify_service_raw(crypto, trust, &chain.as_raw()?, role)
}

pub(crate) fn verify_service_raw<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
    chain: &RawChain<'_>,
    role: Roles,
) -> Result<VerifiedService, LicenseError> {
    let link = descend(crypto, trust, chain, Issues::SERVICES)?;
    let payload = link.open(crypto, chain.leaf, MessageType::ServiceCertificate)?;
    let claims = read_service(payload)?;
    // An issuer cannot hand out a role it was not given, nor can a service use one it lacks.
    if !link.roles.contains(claims.roles) || !claims.roles.contains(role) {
        return Err(LicenseError::RoleMissing);
    }
    let validity = link.accept(trust, claims.validity, &claims.serial)?;
    Ok(VerifiedService {
        claims,
        digest: crypto.sha256(&[chain.leaf]),
        issuers: link.issuers,
        validity,
    })
}

/// Verifies a device's chain.
///
/// # Errors
/// As [`verify_service`]; [`LicenseError::RoleMissing`] where an issuer may not issue device
/// certificates.
pub fn verify_device<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
    chain: &CertificateChain,
) -> Result<VerifiedDevice, LicenseError> {
    verify_device_raw(crypto, trust, &chain.as_raw()?)
}

pub(crate) fn verify_device_raw<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
    chain: &RawChain<'_>,
) -> Result<VerifiedDevice, LicenseError> {
    let link = descend(crypto, trust, chain, Issues::DEVICES)?;
    let payload = link.open(crypto, chain.leaf, MessageType::DeviceCertificate)?;
    let claims = read_device(payload)?;
    let validity = link.accept(trust, claims.validity, &claims.serial)?;
    Ok(VerifiedDevice {
        claims,
        digest: crypto.sha256(&[chain.leaf]),
        validity,
    })
}

/// Where a walk down a chain stands: the key that signs what comes next, and what it may grant.
struct Link {
    key: PublicKey,
    is_anchor: bool,
    roles: Roles,
    validity: Validity,
    issuers: IssuerSerials,
}

/// Walks from the anchor through the issuers.
fn descend<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
    chain: &RawChain<'_>,
    purpose: Issues,
) -> Result<Link, LicenseError> {
    if chain.issuers.len() > MAX_ISSUERS {
        return Err(LicenseError::ChainLength);
    }
    let mut link = Link {
        key: *trust.anchor,
        is_anchor: true,
        roles: Roles::ALL,
        validity: Validity::ALWAYS,
        issuers: IssuerSerials::default(),
    };
    for certificate in chain.issuers.iter().rev() {
        let payload = link.open(crypto, certificate, MessageType::IssuerCertificate)?;
        let claims = read_issuer(payload)?;
        // Each issuer must be allowed the purpose, so no issuer below can widen it.
        if !link.roles.contains(claims.roles) || !claims.issues.contains(purpose) {
            return Err(LicenseError::RoleMissing);
        }
        let validity = link.accept(trust, claims.validity, &claims.serial)?;
        link = Link {
            key: claims.signing_key,
            is_anchor: false,
            roles: claims.roles,
            validity,
            issuers: link.issuers.and(claims.serial),
        };
    }
    Ok(link)
}

impl Link {
    /// The payload of the next certificate, its issuer and signature verified.
    fn open<'a, C: Crypto + ?Sized>(
        &self,
        crypto: &C,
        certificate: &'a [u8],
        kind: MessageType,
    ) -> Result<&'a [u8], LicenseError> {
        let signed = Sign1::parse(certificate, MAX_CERTIFICATE)?;
        if signed.header.kind != kind {
            return Err(LicenseError::CertificateType);
        }
        // The named issuer tells a foreign chain from a forged one; it proves nothing by itself.
        if signed.header.issuer != Some(key_digest(crypto, &self.key)?) {
            return Err(if self.is_anchor {
                LicenseError::WrongAnchor
            } else {
                LicenseError::WrongIssuer
            });
        }
        signed.verified_by(crypto, &self.key)
    }

    /// Tests a certificate's time and serial; gives the validity of the chain down to it.
    fn accept(
        &self,
        trust: &Trust<'_>,
        validity: Validity,
        serial: &Serial,
    ) -> Result<Validity, LicenseError> {
        if trust.revoked.contains(serial) {
            return Err(LicenseError::Revoked);
        }
        trust.time.check(validity)?;
        Ok(self.validity.and(validity))
    }
}
