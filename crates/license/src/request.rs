//! Requests: signed by the device, sealed to the service, on both ends.
//!
//! The device keeps what it needs to recognise the one answer in a pending value; the service
//! keeps nothing between opening a request and answering it but an [`Exchange`].

pub(crate) mod capabilities;
pub(crate) mod evidence;
pub(crate) mod license;
pub(crate) mod provision;
pub(crate) mod time;
pub(crate) mod usage;

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, MapEncoder, decode, encode};
use keybearer_crypto::{Crypto, Digest, Label, PrivateKeys, PublicKey, Rng, Secret, Signer};

use crate::chain::{CertificateChain, Trust, VerifiedDevice, verify_device_raw};
use crate::challenge::Challenge;
use crate::codes::LicenseKind;
use crate::cose::encrypt::{SealContext, Sealed, Shown, seal};
use crate::cose::key::{decode_key, encode_key};
use crate::cose::sign::{Protected, Sign1, SignedBy, sign};
use crate::error::LicenseError;
use crate::ids::{LicenseId, Nonce, RequestId, Ueid};
use crate::message::MessageType;
use crate::registry::claim;
use crate::service::Service;
use license::{LicenseRequest, RequestKind};
use provision::ProvisionRequest;
use time::TimeRequest;

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

    /// The challenge.
    fn challenge(&self) -> &Challenge;
    /// Refuses claims that contradict each other.
    fn check(&self) -> Result<(), LicenseError>;
    /// Writes the claims with registered numbers above the head's.
    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor>;
    /// Writes the private claims below the head's.
    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor>;
    /// Reads everything.
    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(Head, Self), Cbor>;
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

/// Builds a provision request, signed with the new device key itself.
///
/// # Errors
/// [`LicenseError::Malformed`] and [`LicenseError::Size`] over a cap, [`LicenseError::Random`],
/// [`LicenseError::Key`], [`LicenseError::Memory`].
pub fn build_provision_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    signer: &mut dyn Signer,
    service: &Service,
    request: &ProvisionRequest,
) -> Result<(Vec<u8>, PendingProvision), LicenseError> {
    let device_key = signer.public_key();
    let by = SignedBy::BareKey(&device_key);
    let binding = Binding {
        device: None,
        license_id: None,
    };
    let (bytes, common) = build(crypto, rng, signer, &by, service, binding, request)?;
    Ok((
        bytes,
        PendingProvision {
            common,
            device_key,
            ueid: request.ueid,
        },
    ))
}

/// Builds a licence request.
///
/// # Errors
/// As [`build_provision_request`]; [`LicenseError::Invalid`] for a key id named twice, a request
/// that asks for nothing, a release without a usage record, or usage records of another licence.
pub fn build_license_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    device: &mut DeviceIdentity<'_>,
    service: &Service,
    request: &LicenseRequest,
) -> Result<(Vec<u8>, PendingLicense), LicenseError> {
    let by = SignedBy::Chain(device.chain);
    let binding = Binding {
        device: Some(crypto.sha256(&[&device.chain.leaf])),
        license_id: request.license_id(),
    };
    let asked = Asked::of(crypto, request)?;
    let (bytes, common) = build(crypto, rng, device.signer, &by, service, binding, request)?;
    Ok((bytes, PendingLicense { common, asked }))
}

impl Asked {
    fn of<C: Crypto + ?Sized>(crypto: &C, request: &LicenseRequest) -> Result<Self, LicenseError> {
        let session_only = request.wanted == LicenseKind::Session;
        let (above, release) = match &request.kind {
            RequestKind::Acquire => (None, None),
            RequestKind::Renew(license) => (Some(license.sequence), None),
            RequestKind::Release(license) => {
                let record = license.usage.last().ok_or(LicenseError::Invalid)?;
                (None, Some(record.digest(crypto)?))
            }
        };
        Ok(Self {
            session_only,
            above,
            release,
        })
    }
}

/// Builds a time request.
///
/// # Errors
/// As [`build_provision_request`].
pub fn build_time_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    device: &mut DeviceIdentity<'_>,
    service: &Service,
    request: &TimeRequest,
) -> Result<(Vec<u8>, PendingTime), LicenseError> {
    let by = SignedBy::Chain(device.chain);
    let binding = Binding {
        device: Some(crypto.sha256(&[&device.chain.leaf])),
        license_id: None,
    };
    let (bytes, common) = build(crypto, rng, device.signer, &by, service, binding, request)?;
    Ok((bytes, PendingTime { common }))
}

/// What the answer's key schedule will name beside the request itself.
struct Binding {
    device: Option<Digest>,
    license_id: Option<LicenseId>,
}

fn build<B: Body, C: PrivateKeys + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    signer: &mut dyn Signer,
    by: &SignedBy<'_>,
    service: &Service,
    binding: Binding,
    request: &B,
) -> Result<(Vec<u8>, Pending), LicenseError> {
    request.check()?;
    let (agreement, agreement_key) = crypto
        .generate(rng)
        .map_err(|error| LicenseError::from_crypto(error, LicenseError::Random))?;
    let head = Head {
        audience: service.digest,
        request_id: RequestId::random(rng)?,
        agreement_key,
        nonce: if B::NONCE {
            Some(Nonce::random(rng)?)
        } else {
            None
        },
    };
    let payload = encode(B::CAP, |e| {
        e.map(|m| {
            head.encode_registered(m, request.challenge())?;
            request.encode_registered(m)?;
            head.encode_private(m)?;
            request.encode_private(m)
        })
    })?;
    let signed = sign(signer, B::KIND, by, None, &payload)?;
    let context = SealContext {
        label: Label::Request,
        request_id: &head.request_id,
        license_id: None,
        request: None,
        device: None,
    };
    let shown = Shown {
        request_id: true,
        license_id: false,
    };
    let recipient = &service.claims.agreement_key;
    let bytes = seal(crypto, rng, recipient, &context, &shown, &signed, B::CAP)?;
    let exchange = Exchange {
        request_id: head.request_id,
        request_digest: crypto.sha256(&[&signed]),
        agreement_key,
        device: binding.device,
        license_id: binding.license_id,
        nonce: head.nonce,
    };
    Ok((
        bytes,
        Pending {
            exchange,
            agreement,
            service: service.clone(),
        },
    ))
}

/// A service's keys for opening requests.
pub struct ServiceKeys<'a> {
    /// SHA-256 of the service's own certificate.
    pub certificate_digest: &'a Digest,
    /// The private agreement key.
    pub agreement: &'a Secret<32>,
    /// Its public half.
    pub agreement_public: &'a PublicKey,
}

/// A provision request, opened and verified to be signed by the key it presents.
#[derive(Debug)]
pub struct OpenedProvision {
    /// Its claims.
    pub request: ProvisionRequest,
    /// The device's new key.
    pub device_key: PublicKey,
    /// What the answer is bound to.
    pub exchange: Exchange,
}

/// A licence request, opened and verified.
#[derive(Debug)]
pub struct OpenedLicense {
    /// Its claims.
    pub request: LicenseRequest,
    /// Who signed it.
    pub device: VerifiedDevice,
    /// What the answer is bound to.
    pub exchange: Exchange,
}

/// A time request, opened and verified.
#[derive(Debug)]
pub struct OpenedTime {
    /// Its claims.
    pub request: TimeRequest,
    /// Who signed it.
    pub device: VerifiedDevice,
    /// What the answer is bound to.
    pub exchange: Exchange,
}

/// Opens a provision request. The challenge, the token and the evidence are the caller's to check.
///
/// # Errors
/// [`LicenseError::Size`], [`LicenseError::Sealed`], [`LicenseError::MessageType`],
/// [`LicenseError::Signature`], [`LicenseError::WrongAudience`] and those of any malformed message.
pub fn open_provision_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    bytes: &[u8],
) -> Result<OpenedProvision, LicenseError> {
    let signer = |header: &Protected<'_>| match header.bare_key {
        Some(key) => Ok((key, ())),
        None => Err(LicenseError::Malformed(Cbor::MissingKey(
            crate::registry::header::KCCS,
        ))),
    };
    let opened = open::<ProvisionRequest, _, _>(crypto, keys, bytes, signer)?;
    let exchange = opened.exchange(None, None);
    Ok(OpenedProvision {
        request: opened.body,
        device_key: opened.key,
        exchange,
    })
}

/// Opens a licence request. The challenge is the caller's to check, so that it can be denied.
///
/// # Errors
/// As [`open_provision_request`] and [`verify_device`](crate::verify_device).
pub fn open_license_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<OpenedLicense, LicenseError> {
    let opened =
        open::<LicenseRequest, _, _>(crypto, keys, bytes, certified_device(crypto, trust))?;
    let exchange = opened.exchange(Some(opened.signer.digest), opened.body.license_id());
    Ok(OpenedLicense {
        request: opened.body,
        device: opened.signer,
        exchange,
    })
}

/// Opens a time request. The challenge is the caller's to check.
///
/// # Errors
/// As [`open_license_request`].
pub fn open_time_request<C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    trust: &Trust<'_>,
    bytes: &[u8],
) -> Result<OpenedTime, LicenseError> {
    let opened = open::<TimeRequest, _, _>(crypto, keys, bytes, certified_device(crypto, trust))?;
    let exchange = opened.exchange(Some(opened.signer.digest), None);
    Ok(OpenedTime {
        request: opened.body,
        device: opened.signer,
        exchange,
    })
}

/// Finds the signing key of a device that has a certificate.
fn certified_device<C: Crypto + ?Sized>(
    crypto: &C,
    trust: &Trust<'_>,
) -> impl FnOnce(&Protected<'_>) -> Result<(PublicKey, VerifiedDevice), LicenseError> {
    move |header| {
        let chain = header.require_chain()?;
        let device = verify_device_raw(crypto, trust, chain)?;
        Ok((device.claims.signing_key, device))
    }
}

/// A request as opened, with whatever its signer was found to be.
struct Opened<B, S> {
    head: Head,
    body: B,
    key: PublicKey,
    signer: S,
    digest: Digest,
}

impl<B, S> Opened<B, S> {
    fn exchange(&self, device: Option<Digest>, license_id: Option<LicenseId>) -> Exchange {
        Exchange {
            request_id: self.head.request_id,
            request_digest: self.digest,
            agreement_key: self.head.agreement_key,
            device,
            license_id,
            nonce: self.head.nonce,
        }
    }
}

fn open<B: Body, S, C: PrivateKeys + ?Sized>(
    crypto: &C,
    keys: &ServiceKeys<'_>,
    bytes: &[u8],
    signer: impl FnOnce(&Protected<'_>) -> Result<(PublicKey, S), LicenseError>,
) -> Result<Opened<B, S>, LicenseError> {
    let sealed = Sealed::parse(bytes, B::CAP)?;
    let request_id = match (sealed.request_id, sealed.license_id, sealed.request) {
        (Some(request_id), None, None) => request_id,
        // An answer shows a salt or a licence; a request shows neither.
        _ => return Err(LicenseError::MessageType),
    };
    let context = SealContext {
        label: Label::Request,
        request_id: &request_id,
        license_id: None,
        request: None,
        device: None,
    };
    let plaintext = sealed.open(crypto, keys.agreement, keys.agreement_public, &context)?;
    let signed = Sign1::parse(&plaintext, B::CAP)?;
    signed.header.expect(B::KIND)?;
    let (key, signer) = signer(&signed.header)?;
    let payload = signed.verified_by(crypto, &key)?;
    let (head, body) = decode(payload, B::CAP, |d| d.map(B::decode))?;
    if head.audience != *keys.certificate_digest {
        return Err(LicenseError::WrongAudience);
    }
    if head.request_id != request_id {
        return Err(LicenseError::WrongRequest);
    }
    body.check()?;
    Ok(Opened {
        head,
        body,
        key,
        signer,
        digest: crypto.sha256(&[&plaintext]),
    })
}
