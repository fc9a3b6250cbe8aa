//! Answers: signed by the service, sealed to the request's own key, on both ends.
//!
//! The device believes an answer only when it opens under the request's key schedule, its signer's
//! chain ends under the anchor of the service the request was built to, the signer is that service
//! and has the role, and the signed body names the exact request. What kind of answer it is stands
//! in the signed header.

pub(crate) mod denial;
pub(crate) mod provision;
pub(crate) mod released;
pub(crate) mod time;

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, MapEncoder, decode, encode_secret};
use keybearer_crypto::{Crypto, Digest, Label, PrivateKeys, Rng};

use crate::chain::{Trust, VerifiedService, verify_service_raw};
use crate::challenge::Challenge;
use crate::codes::{LicenseKind, Roles};
use crate::cose::encrypt::{SealContext, Sealed, Shown, seal};
use crate::cose::sign::{Sign1, SignedBy, sign};
use crate::error::LicenseError;
use crate::ids::LicenseId;
use crate::license::License;
use crate::limits::{MAX_LICENSE_ANSWER, MAX_PROVISION_ANSWER, MAX_TIME_ANSWER};
use crate::message::MessageType;
use crate::registry::{claim, header};
use crate::request::{
    Asked, Exchange, OpenedProvision, Pending, PendingLicense, PendingProvision, PendingTime,
};
use crate::service::ServiceIdentity;
use crate::time::UnixTime;
use denial::Denial;
use provision::ProvisionBody;
use released::Released;
use time::TimeBody;

pub use provision::ProvisionOutcome;

/// What every answer says besides its own claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerHead {
    /// The service's time.
    pub server_time: UnixTime,
    /// The challenge for the next request.
    pub next_challenge: Challenge,
}

/// An answer as verified.
#[derive(Debug)]
pub struct Answer<T> {
    /// What it says.
    pub outcome: T,
    /// The service's time.
    pub server_time: UnixTime,
    /// The same, if the signer has the time role: then it counts as an anchor, provided that it
    /// came within 30 seconds of the core's own clock, which only the core can tell. It lies
    /// inside the validity of the chain that signed it.
    pub time_anchor: Option<UnixTime>,
    /// The challenge for the next request.
    pub next_challenge: Challenge,
    /// Who signed it.
    pub signer: VerifiedService,
}

/// What a licence request was answered with.
pub enum LicenseOutcome {
    /// A licence.
    License(License),
    /// A refusal.
    Denied(Denial),
    /// A release was accepted.
    Released(Released),
}

/// What a time request was answered with.
#[derive(Debug)]
pub enum TimeOutcome {
    /// The time, in the answer's own fields.
    Time,
    /// A refusal.
    Denied(Denial),
}

/// The claims of one kind of answer. They surround the head's, because a map's keys are sorted.
pub(crate) trait Body: Sized {
    /// The type in the protected header.
    const KIND: MessageType;
    /// Largest message in bytes.
    const CAP: usize;

    /// The licence it is about, for the key schedule.
    fn license_id(&self) -> Option<LicenseId>;
    /// Refuses claims that contradict each other.
    fn check(&self) -> Result<(), LicenseError>;
    /// Writes the claims with registered numbers above the head's.
    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor>;
    /// Writes the private claims below the head's.
    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor>;
    /// Reads everything; `head` reads the head's private claims when its turn comes.
    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(BoundHead, Self), Cbor>;
}

/// The head as it lies in a body: with the request it answers.
pub(crate) struct BoundHead {
    head: AnswerHead,
    request: Digest,
}

impl BoundHead {
    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::REQUEST, |e| e.bytes(&self.request.0))?;
        m.entry(claim::NEXT_CHALLENGE, |e| {
            self.head.next_challenge.encode(e)
        })
    }

    pub(crate) fn decode_private(
        m: &mut MapDecoder<'_, '_>,
        server_time: UnixTime,
    ) -> Result<Self, Cbor> {
        let request = Digest(*m.required(claim::REQUEST, Decoder::bytes_fixed)?);
        let next_challenge = m.required(claim::NEXT_CHALLENGE, Challenge::decode)?;
        Ok(Self {
            head: AnswerHead {
                server_time,
                next_challenge,
            },
            request,
        })
    }
}

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
    chain: &crate::chain::CertificateChain,
) -> Result<Vec<u8>, LicenseError> {
    let body = ProvisionBody {
        nonce: opened.exchange.nonce.ok_or(LicenseError::WrongNonce)?,
        key_digest: crate::cose::key::key_digest(crypto, &opened.device_key)?,
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
    // The body may hold keys: it is written into memory that does not move and is wiped.
    let payload = encode_secret(B::CAP, |e| {
        e.map(|m| {
            m.entry(claim::IAT, |e| head.server_time.encode(e))?;
            body.encode_registered(m)?;
            bound.encode_private(m)?;
            body.encode_private(m)
        })
    })?;
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

fn answer_context<'a>(
    exchange: &'a Exchange,
    license_id: Option<&'a LicenseId>,
) -> SealContext<'a> {
    SealContext {
        label: Label::Answer,
        request_id: &exchange.request_id,
        license_id,
        request: Some(&exchange.request_digest),
        device: exchange.device.as_ref(),
    }
}

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
    plaintext: zeroize::Zeroizing<Vec<u8>>,
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
