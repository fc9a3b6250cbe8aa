//! Answers: signed by the service, sealed to the request's own key, on both ends.
//!
//! The device believes an answer only when it opens under the request's key schedule, its signer's
//! chain ends under the anchor of the service the request was built to, the signer is that service
//! and has the role, and the signed body names the exact request. What kind of answer it is stands
//! in the signed header.

pub(crate) mod denial;
mod open;
pub(crate) mod provision;
pub(crate) mod released;
mod seal;
pub(crate) mod time;

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, MapEncoder, encode_secret};
use keybearer_crypto::{Digest, Label};
use zeroize::Zeroizing;

use crate::chain::VerifiedService;
use crate::challenge::Challenge;
use crate::cose::encrypt::SealContext;
use crate::error::LicenseError;
use crate::ids::LicenseId;
use crate::license::License;
use crate::message::MessageType;
use crate::registry::claim;
use crate::request::Exchange;
use crate::time::UnixTime;
use denial::Denial;
use released::Released;

pub use open::{open_license_answer, open_provision_answer, open_time_answer};
pub use provision::ProvisionOutcome;
pub use seal::{seal_denial, seal_license, seal_provision_answer, seal_released, seal_time_answer};

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
    pub(crate) head: AnswerHead,
    pub(crate) request: Digest,
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

/// Writes a whole answer body. It may hold keys: it is written into memory that does not move and
/// is wiped.
pub(crate) fn encode_body<B: Body>(
    bound: &BoundHead,
    body: &B,
) -> Result<Zeroizing<Vec<u8>>, LicenseError> {
    Ok(encode_secret(B::CAP, |e| {
        e.map(|m| {
            m.entry(claim::IAT, |e| bound.head.server_time.encode(e))?;
            body.encode_registered(m)?;
            bound.encode_private(m)?;
            body.encode_private(m)
        })
    })?)
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
