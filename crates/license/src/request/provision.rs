//! The provision request: a new device key asks to be certified.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, MapDecoder, MapEncoder};

use super::evidence::Evidence;
use super::{Body, Head};
use crate::chain::copied;
use crate::challenge::Challenge;
use crate::error::LicenseError;
use crate::ids::{HardwareModel, OemId, Ueid};
use crate::limits::{MAX_PROVISION_REQUEST, MAX_PROVISION_TOKEN};
use crate::message::MessageType;
use crate::registry::claim;

/// What entitles a device to be certified; opaque to the device, 1 to
/// [`MAX_PROVISION_TOKEN`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProvisionToken {
    /// A one-use token from an enrolment bundle: at most Low.
    Enrolment(Vec<u8>),
    /// A factory's statement that names the digest of this device's key.
    Factory(Vec<u8>),
}

impl ProvisionToken {
    const ENROLMENT: u64 = 1;
    const FACTORY: u64 = 2;

    fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        let (kind, token) = match self {
            Self::Enrolment(token) => (Self::ENROLMENT, token),
            Self::Factory(token) => (Self::FACTORY, token),
        };
        if token.is_empty() || token.len() > MAX_PROVISION_TOKEN {
            return Err(Cbor::SizeCap);
        }
        e.array(|e| {
            e.uint(kind)?;
            e.bytes(token)
        })
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.array(2..=2, |a| {
            let kind = a.item(Decoder::uint)?;
            let token = a.item(|d| copied(d.bytes(MAX_PROVISION_TOKEN)?))?;
            match kind {
                _ if token.is_empty() => Err(Cbor::Value),
                Self::ENROLMENT => Ok(Self::Enrolment(token)),
                Self::FACTORY => Ok(Self::Factory(token)),
                _ => Err(Cbor::Value),
            }
        })
    }
}

/// The claims of a provision request, besides those that every request has. The device's new key
/// stands in the protected header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionRequest {
    /// The service's challenge.
    pub challenge: Challenge,
    /// The device's identifier under this anchor.
    pub ueid: Ueid,
    /// Its manufacturer.
    pub oem: Option<OemId>,
    /// Its model.
    pub model: HardwareModel,
    /// Evidence; the level in it is a claim until the token or attestation proves it.
    pub evidence: Evidence,
    /// Enrolment or factory token.
    pub token: ProvisionToken,
}

impl Body for ProvisionRequest {
    const KIND: MessageType = MessageType::ProvisionRequest;
    const CAP: usize = MAX_PROVISION_REQUEST;
    const NONCE: bool = true;
    const ATTESTED: bool = true;

    fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    fn check(&self) -> Result<(), LicenseError> {
        Ok(())
    }

    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::UEID, |e| self.ueid.encode(e))?;
        m.optional(claim::OEMID, self.oem, |e, oem| oem.encode(e))?;
        m.entry(claim::HWMODEL, |e| self.model.encode(e))
    }

    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::EVIDENCE, |e| self.evidence.encode(e))?;
        m.entry(claim::PROVISION_TOKEN, |e| self.token.encode(e))
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(Head, Self), Cbor> {
        let registered = Head::decode_registered(m)?;
        let ueid = m.required(claim::UEID, Ueid::decode)?;
        let oem = m.optional(claim::OEMID, OemId::decode)?;
        let model = m.required(claim::HWMODEL, HardwareModel::decode)?;
        let (head, challenge) = registered.decode_private(m, Self::NONCE)?;
        let evidence = m.required(claim::EVIDENCE, Evidence::decode)?;
        let token = m.required(claim::PROVISION_TOKEN, ProvisionToken::decode)?;
        Ok((
            head,
            Self {
                challenge,
                ueid,
                oem,
                model,
                evidence,
                token,
            },
        ))
    }
}
