//! The device's end: requests are built, signed and sealed.

use alloc::vec::Vec;

use keybearer_crypto::{Crypto, Digest, Label, PrivateKeys, Rng, Signer};

use super::attestation::{self, Attest, unattested};
use super::license::{LicenseRequest, RequestKind};
use super::provision::ProvisionRequest;
use super::time::TimeRequest;
use super::{
    Asked, Body, DeviceIdentity, Exchange, Head, Pending, PendingLicense, PendingProvision,
    PendingTime, encode_body,
};
use crate::codes::LicenseKind;
use crate::cose::encrypt::{SealContext, Shown, seal};
use crate::cose::sign::{SignedBy, sign};
use crate::error::LicenseError;
use crate::ids::{LicenseId, Nonce, RequestId};
use crate::service::Service;

/// Builds a provision request, signed with the new device key itself, with what `attest` says of the
/// code.
///
/// # Errors
/// [`LicenseError::Malformed`] and [`LicenseError::Size`] over a cap, [`LicenseError::Random`],
/// [`LicenseError::Key`], [`LicenseError::Memory`], and those of `attest`.
pub fn build_provision_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    signer: &mut dyn Signer,
    service: &Service,
    request: &ProvisionRequest,
    attest: &mut Attest<'_>,
) -> Result<(Vec<u8>, PendingProvision), LicenseError> {
    let device_key = signer.public_key();
    let by = SignedBy::BareKey(&device_key);
    let binding = Binding {
        device: None,
        license_id: None,
        attest,
    };
    let (bytes, common) = build(crypto, rng, signer, &by, service, binding, request)?;
    Ok((
        bytes,
        PendingProvision {
            common,
            device_key,
            ueid: request.ueid,
        },
    ))
}

/// Builds a licence request, with what `attest` says of the code.
///
/// # Errors
/// As [`build_provision_request`]; [`LicenseError::Invalid`] for a key id named twice, a request
/// that asks for nothing, a release without a usage record, or usage records of another licence.
pub fn build_license_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    device: &mut DeviceIdentity<'_>,
    service: &Service,
    request: &LicenseRequest,
    attest: &mut Attest<'_>,
) -> Result<(Vec<u8>, PendingLicense), LicenseError> {
    let by = SignedBy::Chain(device.chain);
    let binding = Binding {
        device: Some(crypto.sha256(&[&device.chain.leaf])),
        license_id: request.license_id(),
        attest,
    };
    let asked = Asked::of(crypto, request)?;
    let (bytes, common) = build(crypto, rng, device.signer, &by, service, binding, request)?;
    Ok((bytes, PendingLicense { common, asked }))
}

impl Asked {
    fn of<C: Crypto + ?Sized>(crypto: &C, request: &LicenseRequest) -> Result<Self, LicenseError> {
        let session_only = request.wanted == LicenseKind::Session;
        let (above, release) = match &request.kind {
            RequestKind::Acquire => (None, None),
            RequestKind::Renew(license) => (Some(license.sequence), None),
            RequestKind::Release(license) => {
                let record = license.usage.last().ok_or(LicenseError::Invalid)?;
                (None, Some(record.digest(crypto)?))
            }
        };
        Ok(Self {
            session_only,
            above,
            release,
        })
    }
}

/// Builds a time request.
///
/// # Errors
/// As [`build_provision_request`].
pub fn build_time_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    device: &mut DeviceIdentity<'_>,
    service: &Service,
    request: &TimeRequest,
) -> Result<(Vec<u8>, PendingTime), LicenseError> {
    let by = SignedBy::Chain(device.chain);
    let binding = Binding {
        device: Some(crypto.sha256(&[&device.chain.leaf])),
        license_id: None,
        attest: &mut unattested,
    };
    let (bytes, common) = build(crypto, rng, device.signer, &by, service, binding, request)?;
    Ok((bytes, PendingTime { common }))
}

/// What a request is tied to besides its service.
struct Binding<'a, 'b> {
    /// The device and the licence that the answer's key schedule will name.
    device: Option<Digest>,
    license_id: Option<LicenseId>,
    /// The platform, which says what runs.
    attest: &'a mut Attest<'b>,
}

fn build<B: Body, C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    signer: &mut dyn Signer,
    by: &SignedBy<'_>,
    service: &Service,
    binding: Binding<'_, '_>,
    request: &B,
) -> Result<(Vec<u8>, Pending), LicenseError> {
    request.check()?;
    let (agreement, agreement_key) = crypto
        .generate(rng)
        .map_err(|error| LicenseError::from_crypto(error, LicenseError::Random))?;
    let mut head = Head {
        audience: service.digest,
        request_id: RequestId::random(rng)?,
        agreement_key,
        nonce: if B::NONCE {
            Some(Nonce::random(rng)?)
        } else {
            None
        },
        attestation: None,
    };
    if B::ATTESTED {
        let key = signer.public_key();
        let nonce = attestation::nonce(crypto, &head, request.challenge(), &key);
        head.attestation = (binding.attest)(&nonce)?;
    }
    let payload = encode_body(&head, request)?;
    let signed = sign(signer, B::KIND, by, None, &payload)?;
    let context = SealContext {
        label: Label::Request,
        request_id: &head.request_id,
        license_id: None,
        request: None,
        device: None,
    };
    let shown = Shown {
        request_id: true,
        license_id: false,
    };
    let recipient = &service.claims.agreement_key;
    let bytes = seal(crypto, rng, recipient, &context, &shown, &signed, B::CAP)?;
    let exchange = Exchange {
        request_id: head.request_id,
        request_digest: crypto.sha256(&[&signed]),
        agreement_key,
        device: binding.device,
        license_id: binding.license_id,
        nonce: head.nonce,
    };
    Ok((
        bytes,
        Pending {
            exchange,
            agreement,
            service: service.copied()?,
        },
    ))
}
