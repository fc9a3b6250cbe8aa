//! The service's end: answers are signed and sealed.

use alloc::vec::Vec;

use keybearer_crypto::{Crypto, Rng};

use super::denial::Denial;
use super::provision::ProvisionBody;
use super::released::Released;
use super::time::TimeBody;
use super::{AnswerHead, Body, BoundHead, answer_context, encode_body};
use crate::chain::CertificateChain;
use crate::cose::encrypt::{Shown, seal};
use crate::cose::key::key_digest;
use crate::cose::sign::{SignedBy, sign};
use crate::error::LicenseError;
use crate::license::License;
use crate::request::{Exchange, OpenedProvision};
use crate::service::ServiceIdentity;

/// Seals a licence.
///
/// # Errors
/// [`LicenseError::Invalid`] for a licence that contradicts itself, [`LicenseError::WrongLicense`]
/// for a renewal under another id, [`LicenseError::Malformed`] and [`LicenseError::Size`] over a
/// cap, [`LicenseError::Random`], [`LicenseError::Key`], [`LicenseError::Memory`].
pub fn seal_license<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    service: &mut ServiceIdentity<'_>,
    exchange: &Exchange,
    head: &AnswerHead,
    license: &License,
) -> Result<Vec<u8>, LicenseError> {
    seal_answer(crypto, rng, service, exchange, head, license)
}

/// Seals a refusal of any request.
///
/// # Errors
/// As [`seal_license`].
pub fn seal_denial<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    service: &mut ServiceIdentity<'_>,
    exchange: &Exchange,
    head: &AnswerHead,
    denial: &Denial,
) -> Result<Vec<u8>, LicenseError> {
    seal_answer(crypto, rng, service, exchange, head, denial)
}

/// Seals the acceptance of a release.
///
/// # Errors
/// As [`seal_license`]; [`LicenseError::WrongLicense`] where the request named another licence.
pub fn seal_released<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    service: &mut ServiceIdentity<'_>,
    exchange: &Exchange,
    head: &AnswerHead,
    released: &Released,
) -> Result<Vec<u8>, LicenseError> {
    if exchange.license_id != Some(released.license_id) {
        return Err(LicenseError::WrongLicense);
    }
    seal_answer(crypto, rng, service, exchange, head, released)
}

/// Seals the time.
///
/// # Errors
/// As [`seal_license`]; [`LicenseError::WrongNonce`] for the exchange of another request.
pub fn seal_time_answer<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    service: &mut ServiceIdentity<'_>,
    exchange: &Exchange,
    head: &AnswerHead,
) -> Result<Vec<u8>, LicenseError> {
    let nonce = exchange.nonce.ok_or(LicenseError::WrongNonce)?;
    seal_answer(crypto, rng, service, exchange, head, &TimeBody { nonce })
}

/// Seals a device's certificate chain.
///
/// # Errors
/// As [`seal_license`].
pub fn seal_provision_answer<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    service: &mut ServiceIdentity<'_>,
    opened: &OpenedProvision,
    head: &AnswerHead,
    chain: &CertificateChain,
) -> Result<Vec<u8>, LicenseError> {
    let body = ProvisionBody {
        nonce: opened.exchange.nonce.ok_or(LicenseError::WrongNonce)?,
        key_digest: key_digest(crypto, &opened.device_key)?,
        chain: chain.clone(),
    };
    seal_answer(crypto, rng, service, &opened.exchange, head, &body)
}

fn seal_answer<B: Body, C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    service: &mut ServiceIdentity<'_>,
    exchange: &Exchange,
    head: &AnswerHead,
    body: &B,
) -> Result<Vec<u8>, LicenseError> {
    body.check()?;
    // A renewal keeps the licence's id; only the first answer about a licence brings one.
    let license_id = match (exchange.license_id, body.license_id()) {
        (Some(asked), Some(answered)) if asked != answered => {
            return Err(LicenseError::WrongLicense);
        }
        (asked, answered) => asked.or(answered),
    };
    let bound = BoundHead {
        head: *head,
        request: exchange.request_digest,
    };
    let payload = encode_body(&bound, body)?;
    let by = SignedBy::Chain(service.chain);
    let signed = sign(service.signer, B::KIND, &by, None, &payload)?;
    let context = answer_context(exchange, license_id.as_ref());
    let shown = Shown {
        request_id: false,
        license_id: exchange.license_id.is_none(),
    };
    seal(
        crypto,
        rng,
        &exchange.agreement_key,
        &context,
        &shown,
        &signed,
        B::CAP,
    )
}
