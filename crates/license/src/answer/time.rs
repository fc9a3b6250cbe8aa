//! The time answer: a nonce returned; the time itself is in every answer's head.

use keybearer_cbor::{Error as Cbor, MapDecoder, MapEncoder};

use super::{Body, BoundHead};
use crate::error::LicenseError;
use crate::ids::{LicenseId, Nonce};
use crate::limits::MAX_TIME_ANSWER;
use crate::message::MessageType;
use crate::registry::claim;
use crate::time::UnixTime;

/// What a time answer says besides the time.
pub(crate) struct TimeBody {
    /// The request's nonce.
    pub(crate) nonce: Nonce,
}

impl Body for TimeBody {
    const KIND: MessageType = MessageType::TimeAnswer;
    const CAP: usize = MAX_TIME_ANSWER;

    fn license_id(&self) -> Option<LicenseId> {
        None
    }

    fn check(&self) -> Result<(), LicenseError> {
        Ok(())
    }

    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::EAT_NONCE, |e| self.nonce.encode(e))
    }

    fn encode_private(&self, _: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        Ok(())
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(BoundHead, Self), Cbor> {
        let server_time = m.required(claim::IAT, UnixTime::decode)?;
        let nonce = m.required(claim::EAT_NONCE, Nonce::decode)?;
        Ok((BoundHead::decode_private(m, server_time)?, Self { nonce }))
    }
}
