//! The licence request: acquire, renew, release.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, MapDecoder, MapEncoder};

use super::capabilities::Capabilities;
use super::evidence::Evidence;
use super::usage::LicenseRef;
use super::{Body, Head};
use crate::chain::copied;
use crate::challenge::Challenge;
use crate::codes::LicenseKind;
use crate::error::LicenseError;
use crate::ids::{HardwareModel, KeyId, LicenseId};
use crate::limits::{MAX_INIT_DATA, MAX_INIT_DATA_BYTES, MAX_KEYS, MAX_LICENSE_REQUEST, MAX_TOKEN};
use crate::message::MessageType;
use crate::registry::claim;

/// Initialisation data of the content, as found in a `pssh` box or a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitData {
    /// The system it is for.
    pub system_id: [u8; 16],
    /// Its data, at most [`MAX_INIT_DATA_BYTES`].
    pub data: Vec<u8>,
}

/// What a licence request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A new licence.
    Acquire,
    /// The same licence again.
    Renew(LicenseRef),
    /// To give a licence back; its keys are erased already.
    Release(LicenseRef),
}

impl RequestKind {
    const ACQUIRE: u64 = 1;
    const RENEW: u64 = 2;
    const RELEASE: u64 = 3;

    const fn code(&self) -> u64 {
        match self {
            Self::Acquire => Self::ACQUIRE,
            Self::Renew(_) => Self::RENEW,
            Self::Release(_) => Self::RELEASE,
        }
    }

    /// The licence a renewal or release is about.
    #[must_use]
    pub const fn license(&self) -> Option<&LicenseRef> {
        match self {
            Self::Acquire => None,
            Self::Renew(license) | Self::Release(license) => Some(license),
        }
    }
}

/// The claims of a licence request, besides those that every request has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenseRequest {
    /// The service's challenge, from service info or its last answer.
    pub challenge: Challenge,
    /// Acquire, renew or release.
    pub kind: RequestKind,
    /// Key ids, at most [`MAX_KEYS`], none twice.
    pub keys: Vec<KeyId>,
    /// Initialisation data, at most [`MAX_INIT_DATA`] items.
    pub init_data: Vec<InitData>,
    /// Session or stored.
    pub wanted: LicenseKind,
    /// Evidence.
    pub evidence: Evidence,
    /// What the trusted side knows it can do.
    pub capabilities: Capabilities,
    /// What the host says it can do.
    pub host_stated: Capabilities,
    /// Device model; informative, the certificate's counts.
    pub model: HardwareModel,
    /// Authorisation token, opaque to the device, at most [`MAX_TOKEN`] bytes.
    pub token: Option<Vec<u8>>,
}

impl LicenseRequest {
    /// The licence it names, if any: a part of the key schedule of its answer.
    pub(crate) fn license_id(&self) -> Option<LicenseId> {
        self.kind.license().map(|license| license.license_id)
    }

    fn check(&self) -> Result<(), LicenseError> {
        let twice = self.keys.iter().enumerate().any(|(index, key)| {
            self.keys
                .iter()
                .skip(index.saturating_add(1))
                .any(|other| other == key)
        });
        // A release asks for nothing; anything else must say what it asks for.
        let nothing = self.keys.is_empty() && self.init_data.is_empty();
        let asks = !matches!(self.kind, RequestKind::Release(_));
        // A usage record speaks of the licence it is sent for and of no other.
        let foreign = self.kind.license().is_some_and(|license| {
            license
                .usage
                .iter()
                .any(|record| record.license_id != license.license_id)
        });
        let unreported = match &self.kind {
            RequestKind::Release(license) => license.usage.is_empty(),
            _ => false,
        };
        if twice || (nothing && asks) || foreign || unreported {
            return Err(LicenseError::Invalid);
        }
        Ok(())
    }
}

impl Body for LicenseRequest {
    const KIND: MessageType = MessageType::LicenseRequest;
    const CAP: usize = MAX_LICENSE_REQUEST;
    // The request id is fresh and the digest binds it: a nonce would say the same twice.
    const NONCE: bool = false;
    const ATTESTED: bool = true;

    fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    fn check(&self) -> Result<(), LicenseError> {
        Self::check(self)
    }

    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::HWMODEL, |e| self.model.encode(e))
    }

    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        let over_token = self
            .token
            .as_ref()
            .is_some_and(|token| token.len() > MAX_TOKEN);
        if self.keys.len() > MAX_KEYS || self.init_data.len() > MAX_INIT_DATA || over_token {
            return Err(Cbor::SizeCap);
        }
        m.entry(claim::EVIDENCE, |e| self.evidence.encode(e))?;
        m.entry(claim::KIND, |e| e.uint(self.kind.code()))?;
        m.entry(claim::KEYS, |e| e.list(&self.keys, |e, key| key.encode(e)))?;
        m.entry(claim::INIT_DATA, |e| {
            e.list(&self.init_data, encode_init_data)
        })?;
        m.entry(claim::LICENSE_KIND, |e| self.wanted.encode(e))?;
        m.entry(claim::CAPABILITIES, |e| self.capabilities.encode(e))?;
        m.entry(claim::HOST_STATED, |e| self.host_stated.encode(e))?;
        m.optional(claim::TOKEN, self.token.as_ref(), |e, token| e.bytes(token))?;
        m.optional(claim::LICENSE_REF, self.kind.license(), |e, license| {
            license.encode(e)
        })
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(Head, Self), Cbor> {
        let registered = Head::decode_registered(m)?;
        let model = m.required(claim::HWMODEL, HardwareModel::decode)?;
        let (head, challenge) = registered.decode_private(m, Self::NONCE)?;
        let evidence = m.required(claim::EVIDENCE, Evidence::decode)?;
        let kind = m.required(claim::KIND, Decoder::uint)?;
        let keys = m.required(claim::KEYS, |d| d.list(MAX_KEYS, KeyId::decode))?;
        let init_data = m.required(claim::INIT_DATA, |d| {
            d.list(MAX_INIT_DATA, decode_init_data)
        })?;
        let wanted = m.required(claim::LICENSE_KIND, LicenseKind::decode)?;
        let capabilities = m.required(claim::CAPABILITIES, Capabilities::decode)?;
        let host_stated = m.required(claim::HOST_STATED, Capabilities::decode)?;
        let token = m.optional(claim::TOKEN, |d| copied(d.bytes(MAX_TOKEN)?))?;
        let license = m.optional(claim::LICENSE_REF, LicenseRef::decode)?;
        let kind = match (kind, license) {
            (RequestKind::ACQUIRE, None) => RequestKind::Acquire,
            (RequestKind::RENEW, Some(license)) => RequestKind::Renew(license),
            (RequestKind::RELEASE, Some(license)) => RequestKind::Release(license),
            _ => return Err(Cbor::Value),
        };
        let request = Self {
            challenge,
            kind,
            keys,
            init_data,
            wanted,
            evidence,
            capabilities,
            host_stated,
            model,
            token,
        };
        Ok((head, request))
    }
}

fn encode_init_data(e: &mut Encoder, item: &InitData) -> Result<(), Cbor> {
    if item.data.len() > MAX_INIT_DATA_BYTES {
        return Err(Cbor::SizeCap);
    }
    e.array(|e| {
        e.bytes(&item.system_id)?;
        e.bytes(&item.data)
    })
}

fn decode_init_data(d: &mut Decoder<'_>) -> Result<InitData, Cbor> {
    d.array(2..=2, |a| {
        Ok(InitData {
            system_id: *a.item(Decoder::bytes_fixed)?,
            data: a.item(|d| copied(d.bytes(MAX_INIT_DATA_BYTES)?))?,
        })
    })
}
