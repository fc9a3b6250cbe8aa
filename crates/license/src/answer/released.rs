//! The release answer.

use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, MapEncoder};
use keybearer_crypto::Digest;

use super::{Body, BoundHead};
use crate::error::LicenseError;
use crate::ids::LicenseId;
use crate::limits::MAX_LICENSE_ANSWER;
use crate::message::MessageType;
use crate::registry::claim;
use crate::time::UnixTime;

/// A release was accepted: the device may forget the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// The licence given back.
    pub license_id: LicenseId,
    /// Digest of the last usage record accepted.
    pub record: Digest,
}

impl Body for Released {
    const KIND: MessageType = MessageType::Released;
    const CAP: usize = MAX_LICENSE_ANSWER;

    fn license_id(&self) -> Option<LicenseId> {
        Some(self.license_id)
    }

    fn check(&self) -> Result<(), LicenseError> {
        Ok(())
    }

    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::CTI, |e| self.license_id.encode(e))
    }

    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::RECORD, |e| e.bytes(&self.record.0))
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(BoundHead, Self), Cbor> {
        let server_time = m.required(claim::IAT, UnixTime::decode)?;
        let license_id = m.required(claim::CTI, LicenseId::decode)?;
        let head = BoundHead::decode_private(m, server_time)?;
        let record = Digest(*m.required(claim::RECORD, Decoder::bytes_fixed)?);
        Ok((head, Self { license_id, record }))
    }
}
