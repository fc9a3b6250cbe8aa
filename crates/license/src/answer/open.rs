//! The device's end: answers are opened, verified and believed or not.

use alloc::vec::Vec;

use keybearer_cbor::{Error as Cbor, decode};
use keybearer_crypto::{Crypto, PrivateKeys};
use zeroize::Zeroizing;

use super::provision::{ProvisionBody, ProvisionOutcome};
use super::released::Released;
use super::time::TimeBody;
use super::{Answer, AnswerHead, Body, LicenseOutcome, TimeOutcome, answer_context};
use crate::chain::{Trust, VerifiedService, verify_service_raw};
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
    let opened = open(
        crypto,
        &pending.common,
        trust,
        bytes,
        MAX_LICENSE_ANSWER,
        Roles::LICENSE,
    )?;
    opened.read(crypto, &pending.common, |kind, message| {
        match (kind, asked.release) {
            (MessageType::License, None) => {
                let license = message.body::<License>()?;
                asked.fits(&license)?;
                Ok(LicenseOutcome::License(license))
            }
            (MessageType::Released, Some(record)) => {
                let released = message.body::<Released>()?;
                // Another record was accepted: what this device reported is still owed.
                if released.record != record {
                    return Err(LicenseError::WrongRequest);
                }
                Ok(LicenseOutcome::Released(released))
            }
            (MessageType::Denial, _) => Ok(LicenseOutcome::Denied(message.body()?)),
            _ => Err(LicenseError::MessageType),
        }
    })
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
    let opened = open(
        crypto,
        &pending.common,
        trust,
        bytes,
        MAX_TIME_ANSWER,
        Roles::TIME,
    )?;
    opened.read(crypto, &pending.common, |kind, message| match kind {
        MessageType::TimeAnswer => {
            let body = message.body::<TimeBody>()?;
            if Some(body.nonce) != pending.common.exchange.nonce {
                return Err(LicenseError::WrongNonce);
            }
            Ok(TimeOutcome::Time)
        }
        MessageType::Denial => Ok(TimeOutcome::Denied(message.body()?)),
        _ => Err(LicenseError::MessageType),
    })
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
    let role = Roles::PROVISIONING;
    let opened = open(
        crypto,
        &pending.common,
        trust,
        bytes,
        MAX_PROVISION_ANSWER,
        role,
    )?;
    opened.read(crypto, &pending.common, |kind, message| match kind {
        MessageType::ProvisionAnswer => message
            .body::<ProvisionBody>()?
            .accept(crypto, pending, trust),
        MessageType::Denial => Ok(ProvisionOutcome::Denied(message.body()?)),
        _ => Err(LicenseError::MessageType),
    })
}

/// An answer that opened and whose signer's chain was verified; its signature is not yet.
struct Opened {
    plaintext: Zeroizing<Vec<u8>>,
    cap: usize,
    signer: VerifiedService,
    /// The licence id in the envelope, which the body must repeat.
    shown_license: Option<LicenseId>,
}

fn open<C: PrivateKeys + ?Sized>(
    crypto: &C,
    pending: &Pending,
    trust: &Trust<'_>,
    bytes: &[u8],
    cap: usize,
    role: Roles,
) -> Result<Opened, LicenseError> {
    let exchange = &pending.exchange;
    // The verifier's anchor is the one under which the request's audience was verified.
    if *trust.anchor != pending.service.anchor {
        return Err(LicenseError::WrongAnchor);
    }
    let sealed = Sealed::parse(bytes, cap)?;
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
    let signer = verify_service_raw(crypto, trust, signed.header.require_chain()?, role)?;
    if signer.claims.service != pending.service.claims.service {
        return Err(LicenseError::WrongService);
    }
    Ok(Opened {
        plaintext,
        cap,
        signer,
        shown_license: sealed.license_id,
    })
}

impl Opened {
    /// Verifies the signature, reads the body and checks what every answer must say.
    fn read<T, C: Crypto + ?Sized>(
        self,
        crypto: &C,
        pending: &Pending,
        outcome: impl FnOnce(MessageType, &mut Message<'_>) -> Result<T, LicenseError>,
    ) -> Result<Answer<T>, LicenseError> {
        let signed = Sign1::parse(&self.plaintext, self.cap)?;
        let payload = signed.verified_by(crypto, &self.signer.claims.signing_key)?;
        let mut message = Message {
            payload,
            cap: self.cap,
            exchange: &pending.exchange,
            shown_license: self.shown_license,
            head: None,
        };
        let outcome = outcome(signed.header.kind, &mut message)?;
        let AnswerHead {
            server_time,
            next_challenge,
        } = message.head.ok_or(LicenseError::MessageType)?;
        let time_anchor = if self.signer.claims.roles.contains(Roles::TIME) {
            if !self.signer.validity.contains(server_time) {
                return Err(LicenseError::TimeOutsideChain);
            }
            Some(server_time)
        } else {
            None
        };
        Ok(Answer {
            outcome,
            server_time,
            time_anchor,
            next_challenge,
            signer: self.signer,
        })
    }
}

/// A verified payload that waits for the type it is read as.
struct Message<'a> {
    payload: &'a [u8],
    cap: usize,
    exchange: &'a Exchange,
    shown_license: Option<LicenseId>,
    head: Option<AnswerHead>,
}

impl Message<'_> {
    fn body<B: Body>(&mut self) -> Result<B, LicenseError> {
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
        self.head = Some(bound.head);
        Ok(body)
    }
}
