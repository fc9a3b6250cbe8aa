//! Requests: signed by the device, sealed to the service, on both ends.
//!
//! The device keeps what it needs to recognise the one answer in a pending value; the service
//! keeps nothing between opening a request and answering it but an [`Exchange`].

pub(crate) mod attestation;
mod build;
pub(crate) mod capabilities;
pub(crate) mod evidence;
pub(crate) mod license;
mod open;
pub(crate) mod provision;
pub(crate) mod time;
pub(crate) mod usage;

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, MapEncoder, encode};
use keybearer_crypto::{Digest, PublicKey, Secret, Signer};

use crate::chain::CertificateChain;
use crate::challenge::Challenge;
use crate::cose::key::{decode_key, encode_key};
use crate::error::LicenseError;
use crate::ids::{LicenseId, Nonce, RequestId, Ueid};
use crate::message::MessageType;
use crate::registry::claim;
use crate::service::Service;
use attestation::Attestation;

pub use build::{build_license_request, build_provision_request, build_time_request};
pub use open::{
    OpenedLicense, OpenedProvision, OpenedTime, ServiceKeys, open_license_request,
    open_provision_request, open_time_request,
};

/// What every request says besides its own claims.
pub(crate) struct Head {
    /// Digest of the certificate of the service it is sealed to.
    pub(crate) audience: Digest,
    /// 128 random bits.
    pub(crate) request_id: RequestId,
    /// The key for the answer, made for this request alone.
    pub(crate) agreement_key: PublicKey,
    /// The device's nonce, where the answer echoes one.
    pub(crate) nonce: Option<Nonce>,
    /// The platform's attestation.
    pub(crate) attestation: Option<Attestation>,
}

/// The half of a [`Head`] that has registered claim numbers and so comes first in the map.
pub(crate) struct RegisteredHead {
    audience: Digest,
    request_id: RequestId,
    challenge: Challenge,
}

impl Head {
    fn encode_registered(&self, m: &mut MapEncoder<'_>, challenge: &Challenge) -> Result<(), Cbor> {
        m.entry(claim::AUD, |e| e.bytes(&self.audience.0))?;
        m.entry(claim::CTI, |e| self.request_id.encode(e))?;
        m.entry(claim::EAT_NONCE, |e| challenge.encode(e))
    }

    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::AGREEMENT_KEY, |e| encode_key(e, &self.agreement_key))?;
        m.optional(claim::NONCE, self.nonce, |e, nonce| nonce.encode(e))
    }

    /// The last claim of all, whatever the request.
    fn encode_last(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        let attestation = self.attestation.as_ref();
        m.optional(claim::ATTESTATION, attestation, |e, attestation| {
            attestation.encode(e)
        })
    }

    pub(crate) fn decode_registered(m: &mut MapDecoder<'_, '_>) -> Result<RegisteredHead, Cbor> {
        Ok(RegisteredHead {
            audience: Digest(*m.required(claim::AUD, Decoder::bytes_fixed)?),
            request_id: m.required(claim::CTI, RequestId::decode)?,
            challenge: m.required(claim::EAT_NONCE, Challenge::decode)?,
        })
    }
}

impl RegisteredHead {
    pub(crate) fn decode_private(
        self,
        m: &mut MapDecoder<'_, '_>,
        with_nonce: bool,
    ) -> Result<(Head, Challenge), Cbor> {
        let agreement_key = m.required(claim::AGREEMENT_KEY, decode_key)?;
        let nonce = if with_nonce {
            Some(m.required(claim::NONCE, Nonce::decode)?)
        } else {
            None
        };
        let Self {
            audience,
            request_id,
            challenge,
        } = self;
        Ok((
            Head {
                audience,
                request_id,
                agreement_key,
                nonce,
                attestation: None,
            },
            challenge,
        ))
    }
}

/// The claims of one kind of request. They surround the head's, because a map's keys are sorted.
pub(crate) trait Body: Sized {
    /// The type in the protected header.
    const KIND: MessageType;
    /// Largest message in bytes.
    const CAP: usize;
    /// Whether the request carries a nonce for the answer to echo.
    const NONCE: bool;
    /// Whether the platform's attestation belongs to it.
    const ATTESTED: bool;

    /// The challenge.
    fn challenge(&self) -> &Challenge;
    /// Refuses claims that contradict each other.
    fn check(&self) -> Result<(), LicenseError>;
    /// Writes the claims with registered numbers above the head's.
    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor>;
    /// Writes the private claims below the head's.
    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor>;
    /// Reads everything but what may stand last, the attestation.
    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(Head, Self), Cbor>;
}

/// Writes a whole request body.
pub(crate) fn encode_body<B: Body>(head: &Head, body: &B) -> Result<Vec<u8>, LicenseError> {
    Ok(encode(B::CAP, |e| {
        e.map(|m| {
            head.encode_registered(m, body.challenge())?;
            body.encode_registered(m)?;
            head.encode_private(m)?;
            body.encode_private(m)?;
            head.encode_last(m)
        })
    })?)
}

/// Reads a whole request body.
pub(crate) fn decode_body<B: Body>(m: &mut MapDecoder<'_, '_>) -> Result<(Head, B), Cbor> {
    let (mut head, body) = B::decode(m)?;
    if B::ATTESTED {
        head.attestation = m.optional(claim::ATTESTATION, Attestation::decode)?;
    }
    Ok((head, body))
}

/// What an answer is bound and sealed to; all that a service keeps of a request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's id.
    pub request_id: RequestId,
    /// SHA-256 of the exact signed request. With the id: what makes a repeat a repeat.
    pub request_digest: Digest,
    pub(crate) agreement_key: PublicKey,
    pub(crate) device: Option<Digest>,
    pub(crate) license_id: Option<LicenseId>,
    pub(crate) nonce: Option<Nonce>,
}

/// A device's identity under one anchor.
pub struct DeviceIdentity<'a> {
    /// Signs with the device's key.
    pub signer: &'a mut dyn Signer,
    /// The chain the provision answer brought.
    pub chain: &'a CertificateChain,
}

/// What a device remembers of a request until its answer was accepted.
pub(crate) struct Pending {
    pub(crate) exchange: Exchange,
    pub(crate) agreement: Secret<32>,
    pub(crate) service: Service,
}

/// Defines the pending value of one kind of request.
macro_rules! pending {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        ///
        /// Holds the private agreement key of its one request. A wrong answer leaves it as it is;
        /// drop it when an answer was accepted or the request is given up.
        pub struct $name {
            pub(crate) common: Pending,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        impl $name {
            /// The request's id.
            #[must_use]
            pub const fn request_id(&self) -> RequestId {
                self.common.exchange.request_id
            }

            /// SHA-256 of the exact signed request.
            #[must_use]
            pub const fn request_digest(&self) -> Digest {
                self.common.exchange.request_digest
            }

            /// The service it was built to.
            #[must_use]
            pub const fn service(&self) -> &Service {
                &self.common.service
            }
        }
    )+};
}

pending! {
    /// A provision request that waits for its answer.
    PendingProvision {
        /// The new device key.
        device_key: PublicKey,
        /// The identifier asked for.
        ueid: Ueid,
    }
    /// A licence request that waits for its answer.
    PendingLicense {
        /// What was asked.
        asked: Asked,
    }
    /// A time request that waits for its answer.
    PendingTime {}
}

/// What of a licence request its answer must fit.
pub(crate) struct Asked {
    /// A session licence was wanted.
    pub(crate) session_only: bool,
    /// The sequence number a renewal must exceed.
    pub(crate) above: Option<u64>,
    /// Digest of the last usage record of a release; none for other requests.
    pub(crate) release: Option<Digest>,
}
