//! The device's end: answers are opened, verified and believed or not.

use keybearer_cbor::{Error as Cbor, decode};
use keybearer_crypto::PrivateKeys;

use super::provision::{ProvisionBody, ProvisionOutcome};
use super::released::Released;
use super::time::TimeBody;
use super::{Answer, AnswerHead, Body, LicenseOutcome, TimeOutcome, answer_context};
use crate::chain::{Trust, verify_service_raw};
use crate::codes::{LicenseKind, Roles};
use crate::cose::encrypt::Sealed;
use crate::cose::sign::Sign1;
use crate::error::LicenseError;
use crate::ids::LicenseId;
use crate::license::License;
use crate::limits::{MAX_LICENSE_ANSWER, MAX_PROVISION_ANSWER, MAX_TIME_ANSWER};
use crate::message::MessageType;
use crate::registry::header;
use crate::request::{Asked, Exchange, Pending, PendingLicense, PendingProvision, PendingTime};

/// Opens the answer to a licence request.
///
/// # Errors
/// [`LicenseError::Size`], [`LicenseError::WrongRequest`], [`LicenseError::Sealed`],
/// [`LicenseError::MessageType`], [`LicenseError::WrongAnchor`], [`LicenseError::WrongService`],
/// [`LicenseError::Signature`], [`LicenseError::TimeOutsideChain`], [`LicenseError::WrongLicense`],
/// [`LicenseError::StaleSequence`], [`LicenseError::WrongKind`], [`LicenseError::Invalid`], those
/// of [`verify_service`](crate::verify_service) and of any malformed message.
pub fn open_license_answer<C: PrivateKeys + ?Sized>(
    crypto: &C,
    pending: &PendingLicense,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<Answer<LicenseOutcome>, LicenseError> {
    let asked = &pending.asked;
    let incoming = Incoming {
        bytes,
        cap: MAX_LICENSE_ANSWER,
        role: Roles::LICENSE,
    };
    open(
        crypto,
        &pending.common,
        trust,
        &incoming,
        |message| match (message.kind, asked.release) {
            (MessageType::License, None) => {
                let (head, license) = message.body::<License>()?;
                asked.fits(&license)?;
                Ok((head, LicenseOutcome::License(license)))
            }
            (MessageType::Released, Some(record)) => {
                let (head, released) = message.body::<Released>()?;
                // Another record was accepted: what this device reported is still owed.
                if released.record != record {
                    return Err(LicenseError::WrongRequest);
                }
                Ok((head, LicenseOutcome::Released(released)))
            }
            (MessageType::Denial, _) => {
                let (head, denial) = message.body()?;
                Ok((head, LicenseOutcome::Denied(denial)))
            }
            _ => Err(LicenseError::MessageType),
        },
    )
}

impl Asked {
    /// Refuses a licence that is not what was asked for.
    fn fits(&self, license: &License) -> Result<(), LicenseError> {
        if self.session_only && license.kind != LicenseKind::Session {
            return Err(LicenseError::WrongKind);
        }
        match self.above {
            Some(sequence) if license.sequence <= sequence => Err(LicenseError::StaleSequence),
            _ => Ok(()),
        }
    }
}

/// Opens the answer to a time request.
///
/// # Errors
/// As [`open_license_answer`]; [`LicenseError::WrongNonce`].
pub fn open_time_answer<C: PrivateKeys + ?Sized>(
    crypto: &C,
    pending: &PendingTime,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<Answer<TimeOutcome>, LicenseError> {
    let incoming = Incoming {
        bytes,
        cap: MAX_TIME_ANSWER,
        role: Roles::TIME,
    };
    open(
        crypto,
        &pending.common,
        trust,
        &incoming,
        |message| match message.kind {
            MessageType::TimeAnswer => {
                let (head, body) = message.body::<TimeBody>()?;
                if Some(body.nonce) != pending.common.exchange.nonce {
                    return Err(LicenseError::WrongNonce);
                }
                Ok((head, TimeOutcome::Time))
            }
            MessageType::Denial => {
                let (head, denial) = message.body()?;
                Ok((head, TimeOutcome::Denied(denial)))
            }
            _ => Err(LicenseError::MessageType),
        },
    )
}

/// Opens the answer to a provision request and verifies the certificate in it.
///
/// # Errors
/// As [`open_license_answer`]; [`LicenseError::WrongNonce`]; [`LicenseError::WrongDevice`] where
/// the certificate names another key or identifier; those of
/// [`verify_device`](crate::verify_device).
pub fn open_provision_answer<C: PrivateKeys + ?Sized>(
    crypto: &C,
    pending: &PendingProvision,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<Answer<ProvisionOutcome>, LicenseError> {
    let incoming = Incoming {
        bytes,
        cap: MAX_PROVISION_ANSWER,
        role: Roles::PROVISIONING,
    };
    open(
        crypto,
        &pending.common,
        trust,
        &incoming,
        |message| match message.kind {
            MessageType::ProvisionAnswer => {
                let (head, body) = message.body::<ProvisionBody>()?;
                Ok((head, body.accept(crypto, pending, trust)?))
            }
            MessageType::Denial => {
                let (head, denial) = message.body()?;
                Ok((head, ProvisionOutcome::Denied(denial)))
            }
            _ => Err(LicenseError::MessageType),
        },
    )
}

/// An answer as it arrives, and what is asked of it.
struct Incoming<'a> {
    bytes: &'a [u8],
    cap: usize,
    /// The role its signer needs.
    role: Roles,
}

/// Opens an answer, verifies its chain and signature and hands it to `read`.
fn open<T, C: PrivateKeys + ?Sized>(
    crypto: &C,
    pending: &Pending,
    trust: &Trust<'_>,
    incoming: &Incoming<'_>,
    read: impl FnOnce(&Message<'_>) -> Result<(AnswerHead, T), LicenseError>,
) -> Result<Answer<T>, LicenseError> {
    let exchange = &pending.exchange;
    // The verifier's anchor is the one under which the request's audience was verified.
    if *trust.anchor != pending.service.anchor {
        return Err(LicenseError::WrongAnchor);
    }
    let cap = incoming.cap;
    let sealed = Sealed::parse(incoming.bytes, cap)?;
    if sealed.request_id.is_some() {
        // Only requests show a request id.
        return Err(LicenseError::MessageType);
    }
    if sealed.request != Some(exchange.request_digest) {
        return Err(LicenseError::WrongRequest);
    }
    let license_id = match (exchange.license_id, sealed.license_id) {
        (Some(_), Some(_)) => {
            return Err(LicenseError::Malformed(Cbor::UnknownKey(
                header::PARTY_V_NONCE,
            )));
        }
        (known, shown) => known.or(shown),
    };
    let context = answer_context(exchange, license_id.as_ref());
    let plaintext = sealed.open(
        crypto,
        &pending.agreement,
        &exchange.agreement_key,
        &context,
    )?;

    let signed = Sign1::parse(&plaintext, cap)?;
    let chain = signed.header.require_chain()?;
    let signer = verify_service_raw(crypto, trust, chain, incoming.role)?;
    if signer.claims.service != pending.service.claims.service {
        return Err(LicenseError::WrongService);
    }
    let payload = signed.verified_by(crypto, &signer.claims.signing_key)?;
    let shown_license = sealed.license_id;
    let message = Message {
        kind: signed.header.kind,
        payload,
        cap,
        exchange,
        shown_license,
    };
    let (head, outcome) = read(&message)?;
    let time_anchor = if signer.claims.roles.contains(Roles::TIME) {
        if !signer.validity.contains(head.server_time) {
            return Err(LicenseError::TimeOutsideChain);
        }
        Some(head.server_time)
    } else {
        None
    };
    let AnswerHead {
        server_time,
        next_challenge,
    } = head;
    Ok(Answer {
        outcome,
        server_time,
        time_anchor,
        next_challenge,
        signer,
    })
}

/// A verified payload that waits for the type it is read as.
struct Message<'a> {
    kind: MessageType,
    payload: &'a [u8],
    cap: usize,
    exchange: &'a Exchange,
    /// The licence id in the envelope, which the body must repeat.
    shown_license: Option<LicenseId>,
}

impl Message<'_> {
    /// Reads the body and checks what every answer must say.
    fn body<B: Body>(&self) -> Result<(AnswerHead, B), LicenseError> {
        let (bound, body) = decode(self.payload, self.cap, |d| d.map(B::decode))?;
        if bound.request != self.exchange.request_digest {
            return Err(LicenseError::WrongRequest);
        }
        let fits = match (self.exchange.license_id, body.license_id()) {
            // The envelope brought the id of a new licence, and nothing else brings one.
            (None, answered) => answered == self.shown_license,
            (Some(asked), Some(answered)) => asked == answered,
            (Some(_), None) => true,
        };
        if !fits {
            return Err(LicenseError::WrongLicense);
        }
        body.check()?;
        Ok((bound.head, body))
    }
}
