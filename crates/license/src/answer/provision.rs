//! The provision answer: a device's certificate.

use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, MapEncoder};
use keybearer_crypto::{Crypto, Digest};

use super::denial::Denial;
use super::{Body, BoundHead};
use crate::chain::{CertificateChain, Trust, VerifiedDevice, verify_device};
use crate::cose::key::key_digest;
use crate::error::LicenseError;
use crate::ids::{LicenseId, Nonce};
use crate::limits::MAX_PROVISION_ANSWER;
use crate::message::MessageType;
use crate::registry::claim;
use crate::request::PendingProvision;
use crate::time::UnixTime;

/// What a provision request was answered with.
#[derive(Debug)]
pub enum ProvisionOutcome {
    /// A certificate for this device's key.
    Provisioned {
        /// The chain, to be kept and sent with every request.
        chain: CertificateChain,
        /// What its leaf says.
        device: VerifiedDevice,
    },
    /// A refusal.
    Denied(Denial),
}

/// What a provision answer says.
pub(crate) struct ProvisionBody {
    /// The request's nonce.
    pub(crate) nonce: Nonce,
    /// Digest of the key that was certified.
    pub(crate) key_digest: Digest,
    /// The certificate and its issuers.
    pub(crate) chain: CertificateChain,
}

impl ProvisionBody {
    /// Checks that the certificate is this device's and verifies its chain.
    pub(crate) fn accept<C: Crypto + ?Sized>(
        self,
        crypto: &C,
        pending: &PendingProvision,
        trust: &Trust<'_>,
    ) -> Result<ProvisionOutcome, LicenseError> {
        if Some(self.nonce) != pending.common.exchange.nonce {
            return Err(LicenseError::WrongNonce);
        }
        if self.key_digest != key_digest(crypto, &pending.device_key)? {
            return Err(LicenseError::WrongDevice);
        }
        let device = verify_device(crypto, trust, &self.chain)?;
        if device.claims.signing_key != pending.device_key || device.claims.ueid != pending.ueid {
            return Err(LicenseError::WrongDevice);
        }
        Ok(ProvisionOutcome::Provisioned {
            chain: self.chain,
            device,
        })
    }
}

impl Body for ProvisionBody {
    const KIND: MessageType = MessageType::ProvisionAnswer;
    const CAP: usize = MAX_PROVISION_ANSWER;

    fn license_id(&self) -> Option<LicenseId> {
        None
    }

    fn check(&self) -> Result<(), LicenseError> {
        Ok(())
    }

    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::EAT_NONCE, |e| self.nonce.encode(e))
    }

    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::KEY_DIGEST, |e| e.bytes(&self.key_digest.0))?;
        m.entry(claim::DEVICE_CHAIN, |e| self.chain.encode(e))
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(BoundHead, Self), Cbor> {
        let server_time = m.required(claim::IAT, UnixTime::decode)?;
        let nonce = m.required(claim::EAT_NONCE, Nonce::decode)?;
        let head = BoundHead::decode_private(m, server_time)?;
        let key_digest = Digest(*m.required(claim::KEY_DIGEST, Decoder::bytes_fixed)?);
        let chain = m.required(claim::DEVICE_CHAIN, CertificateChain::decode)?;
        Ok((
            head,
            Self {
                nonce,
                key_digest,
                chain,
            },
        ))
    }
}
