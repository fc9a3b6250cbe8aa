//! The time request.

use keybearer_cbor::{Error as Cbor, MapDecoder, MapEncoder};

use super::{Body, Head};
use crate::challenge::Challenge;
use crate::error::LicenseError;
use crate::limits::MAX_TIME_REQUEST;
use crate::message::MessageType;

/// Asks the time; the nonce to which the answer is bound is made with the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRequest {
    /// The service's challenge.
    pub challenge: Challenge,
}

impl Body for TimeRequest {
    const KIND: MessageType = MessageType::TimeRequest;
    const CAP: usize = MAX_TIME_REQUEST;
    const NONCE: bool = true;
    const ATTESTED: bool = false;

    fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    fn check(&self) -> Result<(), LicenseError> {
        Ok(())
    }

    fn encode_registered(&self, _: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        Ok(())
    }

    fn encode_private(&self, _: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        Ok(())
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(Head, Self), Cbor> {
        let (head, challenge) = Head::decode_registered(m)?.decode_private(m, Self::NONCE)?;
        Ok((head, Self { challenge }))
    }
}
