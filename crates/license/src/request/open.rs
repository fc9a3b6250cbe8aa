//! The service's end: requests are opened, verified and read.

use keybearer_cbor::{Error as Cbor, decode};
use keybearer_crypto::{Crypto, Digest, Label, PrivateKeys, PublicKey, Secret};

use super::attestation::{self, Attested};
use super::license::LicenseRequest;
use super::provision::ProvisionRequest;
use super::time::TimeRequest;
use super::{Body, Exchange, Head, decode_body};
use crate::chain::{Trust, VerifiedDevice, verify_device_raw};
use crate::cose::encrypt::{SealContext, Sealed};
use crate::cose::sign::{Protected, Sign1};
use crate::error::LicenseError;
use crate::ids::LicenseId;
use crate::registry::header;

/// A service's keys for opening requests.
pub struct ServiceKeys<'a> {
    /// SHA-256 of the service's own certificate.
    pub certificate_digest: &'a Digest,
    /// The private agreement key.
    pub agreement: &'a Secret<32>,
    /// Its public half.
    pub agreement_public: &'a PublicKey,
}

/// A provision request, opened and verified to be signed by the key it presents.
#[derive(Debug)]
pub struct OpenedProvision {
    /// Its claims.
    pub request: ProvisionRequest,
    /// The device's new key.
    pub device_key: PublicKey,
    /// What the platform says of the code that made it.
    pub attested: Option<Attested>,
    /// What the answer is bound to.
    pub exchange: Exchange,
}

/// A licence request, opened and verified.
#[derive(Debug)]
pub struct OpenedLicense {
    /// Its claims.
    pub request: LicenseRequest,
    /// Who signed it.
    pub device: VerifiedDevice,
    /// What the platform says of the code that made it.
    pub attested: Option<Attested>,
    /// What the answer is bound to.
    pub exchange: Exchange,
}

/// A time request, opened and verified.
#[derive(Debug)]
pub struct OpenedTime {
    /// Its claims.
    pub request: TimeRequest,
    /// Who signed it.
    pub device: VerifiedDevice,
    /// What the answer is bound to.
    pub exchange: Exchange,
}

/// Opens a provision request. The challenge, the token, the evidence
/// and the attestation are the caller's to check.
///
/// # Errors
/// [`LicenseError::Size`], [`LicenseError::Sealed`], [`LicenseError::MessageType`],
/// [`LicenseError::Signature`], [`LicenseError::WrongAudience`] and those of any malformed message.
pub fn open_provision_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    bytes: &[u8],
) -> Result<OpenedProvision, LicenseError> {
    let signer = |protected: &Protected<'_>| match protected.bare_key {
        Some(key) => Ok((key, ())),
        None => Err(LicenseError::Malformed(Cbor::MissingKey(header::KCCS))),
    };
    let opened = open::<ProvisionRequest, _, _>(crypto, keys, bytes, signer)?;
    let exchange = opened.exchange(None, None);
    Ok(OpenedProvision {
        request: opened.body,
        device_key: opened.key,
        attested: opened.attested,
        exchange,
    })
}

/// Opens a licence request. The challenge and the attestation are the caller's to check, so that it
/// can be denied.
///
/// # Errors
/// As [`open_provision_request`] and [`verify_device`](crate::verify_device).
pub fn open_license_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<OpenedLicense, LicenseError> {
    let opened =
        open::<LicenseRequest, _, _>(crypto, keys, bytes, certified_device(crypto, trust))?;
    let exchange = opened.exchange(Some(opened.signer.digest), opened.body.license_id());
    Ok(OpenedLicense {
        request: opened.body,
        device: opened.signer,
        attested: opened.attested,
        exchange,
    })
}

/// Opens a time request. The challenge is the caller's to check.
///
/// # Errors
/// As [`open_license_request`].
pub fn open_time_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<OpenedTime, LicenseError> {
    let opened = open::<TimeRequest, _, _>(crypto, keys, bytes, certified_device(crypto, trust))?;
    let exchange = opened.exchange(Some(opened.signer.digest), None);
    Ok(OpenedTime {
        request: opened.body,
        device: opened.signer,
        exchange,
    })
}

/// Finds the signing key of a device that has a certificate.
fn certified_device<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
) -> impl FnOnce(&Protected<'_>) -> Result<(PublicKey, VerifiedDevice), LicenseError> {
    move |header| {
        let chain = header.require_chain()?;
        let device = verify_device_raw(crypto, trust, chain)?;
        Ok((device.claims.signing_key, device))
    }
}

/// A request as opened, with whatever its signer was found to be.
struct Opened<B, S> {
    head: Head,
    body: B,
    key: PublicKey,
    signer: S,
    attested: Option<Attested>,
    digest: Digest,
}

impl<B, S> Opened<B, S> {
    fn exchange(&self, device: Option<Digest>, license_id: Option<LicenseId>) -> Exchange {
        Exchange {
            request_id: self.head.request_id,
            request_digest: self.digest,
            agreement_key: self.head.agreement_key,
            device,
            license_id,
            nonce: self.head.nonce,
        }
    }
}

fn open<B: Body, S, C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    bytes: &[u8],
    signer: impl FnOnce(&Protected<'_>) -> Result<(PublicKey, S), LicenseError>,
) -> Result<Opened<B, S>, LicenseError> {
    let sealed = Sealed::parse(bytes, B::CAP)?;
    let request_id = match (sealed.request_id, sealed.license_id, sealed.request) {
        (Some(request_id), None, None) => request_id,
        // An answer shows a salt or a licence; a request shows neither.
        _ => return Err(LicenseError::MessageType),
    };
    let context = SealContext {
        label: Label::Request,
        request_id: &request_id,
        license_id: None,
        request: None,
        device: None,
    };
    let plaintext = sealed.open(crypto, keys.agreement, keys.agreement_public, &context)?;
    let signed = Sign1::parse(&plaintext, B::CAP)?;
    signed.header.expect(B::KIND)?;
    let (key, signer) = signer(&signed.header)?;
    let payload = signed.verified_by(crypto, &key)?;
    let (mut head, body) = decode(payload, B::CAP, |d| d.map(decode_body::<B>))?;
    if head.audience != *keys.certificate_digest {
        return Err(LicenseError::WrongAudience);
    }
    if head.request_id != request_id {
        return Err(LicenseError::WrongRequest);
    }
    body.check()?;
    let attested = head.attestation.take().map(|attestation| Attested {
        attestation,
        nonce: attestation::nonce(crypto, &head, body.challenge(), &key),
    });
    Ok(Opened {
        head,
        body,
        key,
        signer,
        attested,
        digest: crypto.sha256(&[&plaintext]),
    })
}
