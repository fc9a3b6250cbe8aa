//! Services: what they say about themselves, and how they sign.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, decode, encode};
use keybearer_crypto::{Crypto, Digest, PublicKey, Signer};

use crate::certificate::ServiceClaims;
use crate::chain::{CertificateChain, IssuerSerials, RevokedSerials, Trust, verify_service_raw};
use crate::challenge::Challenge;
use crate::codes::Roles;
use crate::cose::key::key_digest;
use crate::cose::sign::{Sign1, SignedBy, sign};
use crate::error::LicenseError;
use crate::limits::{MAX_CERTIFICATE, MAX_SERVICE_INFO};
use crate::message::MessageType;
use crate::registry::{claim, header};
use crate::time::{TimeView, UnixTime, Validity};

/// A service's signing key with the chain that vouches for it.
pub struct ServiceIdentity<'a> {
    /// Signs with the service's key.
    pub signer: &'a mut dyn Signer,
    /// From its certificate up to the anchor.
    pub chain: &'a CertificateChain,
}

/// A verified service: what a request is built to and its answer measured by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What its certificate says.
    pub claims: ServiceClaims,
    /// SHA-256 of its certificate.
    pub digest: Digest,
    /// The anchor under which it was verified.
    pub anchor: PublicKey,
    /// When its chain counts.
    pub validity: Validity,
    /// Who vouched for it.
    pub issuers: IssuerSerials,
}

impl Service {
    /// A copy.
    ///
    /// # Errors
    /// [`LicenseError::Memory`].
    pub fn copied(&self) -> Result<Self, LicenseError> {
        Ok(Self {
            claims: ServiceClaims {
                service: self.claims.service.copied()?,
                ..self.claims
            },
            ..*self
        })
    }

    /// Whether its certificate or that of an issuer above it has been revoked.
    #[must_use]
    pub fn is_revoked(&self, revoked: &RevokedSerials) -> bool {
        revoked.contains(&self.claims.serial) || self.issuers.any_revoked(revoked)
    }
}

/// What a service tells a device that asks before its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceInfo {
    /// The service's time. Informative: nothing binds it to a device, so it is never an anchor.
    pub server_time: UnixTime,
    /// A challenge for the first request.
    pub challenge: Challenge,
    /// Number of the newest revocation list it knows.
    pub revocation_number: u64,
}

/// How a device knows its anchor: the key itself, or its digest as compiled into a signed build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorRef<'a> {
    /// The public key.
    Key(&'a PublicKey),
    /// [`anchor_digest`](crate::anchor_digest) of it; the key then comes with the message.
    Digest(&'a Digest),
}

/// Service info as verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedServiceInfo {
    /// What it says.
    pub info: ServiceInfo,
    /// Who says it.
    pub service: Service,
    /// The anchor's public key, as pinned: a device that knew only the digest keeps it.
    pub root: PublicKey,
}

/// Signs service info. `root` is the anchor's public key.
///
/// # Errors
/// [`LicenseError::WrongAnchor`] where the service's chain does not end under `root`,
/// [`LicenseError::Key`] when the service's key does not sign, [`LicenseError::Size`],
/// [`LicenseError::Memory`].
pub fn seal_service_info<C: Crypto + ?Sized>(
    crypto: &C,
    service: &mut ServiceIdentity<'_>,
    root: &PublicKey,
    info: &ServiceInfo,
) -> Result<Vec<u8>, LicenseError> {
    // A service set up with a foreign root would be refused by every device: say so here.
    let top = Sign1::parse(service.chain.top(), MAX_CERTIFICATE)?;
    if top.header.issuer != Some(key_digest(crypto, root)?) {
        return Err(LicenseError::WrongAnchor);
    }
    let payload = encode(MAX_SERVICE_INFO, |e| {
        e.map(|m| {
            m.entry(claim::IAT, |e| info.server_time.encode(e))?;
            m.entry(claim::NEXT_CHALLENGE, |e| info.challenge.encode(e))?;
            m.entry(claim::REVOCATION, |e| e.uint(info.revocation_number))
        })
    })?;
    let by = SignedBy::Chain(service.chain);
    let mut signed = sign(
        service.signer,
        MessageType::ServiceInfo,
        &by,
        Some(root),
        &payload,
    )?;
    if signed.len() > MAX_SERVICE_INFO {
        return Err(LicenseError::Size);
    }
    Ok(core::mem::take(&mut *signed))
}

/// Verifies service info under the anchor that the device pinned.
///
/// # Errors
/// [`LicenseError::WrongAnchor`] where the message's root is not the pinned one, and those of
/// [`verify_service`](crate::verify_service) and of any malformed message.
pub fn open_service_info<C: Crypto + ?Sized>(
    crypto: &C,
    anchor: AnchorRef<'_>,
    time: TimeView,
    revoked: &RevokedSerials,
    bytes: &[u8],
) -> Result<OpenedServiceInfo, LicenseError> {
    let signed = Sign1::parse(bytes, MAX_SERVICE_INFO)?;
    signed.header.expect(MessageType::ServiceInfo)?;
    let missing = LicenseError::Malformed(keybearer_cbor::Error::MissingKey(header::ROOT));
    let root = signed.header.root.ok_or(missing)?;
    let pinned = match anchor {
        AnchorRef::Key(key) => root == *key,
        AnchorRef::Digest(digest) => key_digest(crypto, &root)? == *digest,
    };
    if !pinned {
        return Err(LicenseError::WrongAnchor);
    }
    let trust = Trust {
        anchor: &root,
        time,
        revoked,
    };
    let chain = signed.header.require_chain()?;
    let verified = verify_service_raw(crypto, &trust, chain, Roles::NONE)?;
    let payload = signed.verified_by(crypto, &verified.claims.signing_key)?;
    let info = decode(payload, MAX_SERVICE_INFO, |d| {
        d.map(|m| {
            Ok(ServiceInfo {
                server_time: m.required(claim::IAT, UnixTime::decode)?,
                challenge: m.required(claim::NEXT_CHALLENGE, Challenge::decode)?,
                revocation_number: m.required(claim::REVOCATION, Decoder::uint)?,
            })
        })
    })?;
    let service = Service {
        claims: verified.claims,
        digest: verified.digest,
        anchor: root,
        validity: verified.validity,
        issuers: verified.issuers,
    };
    Ok(OpenedServiceInfo {
        info,
        service,
        root,
    })
}
