//! Why a message was refused, one variant a cause, so that the core can give each its status.

use keybearer_cbor::Error as Cbor;
use keybearer_crypto::CryptoError;

/// Why a message could not be made or was refused.
///
/// No variant carries bytes of the message: an error may reach the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LicenseError {
    /// A violation of form or schema.
    #[error("malformed message: {0}")]
    Malformed(Cbor),
    /// A message, or a field of one being made, is over its cap.
    #[error("message over its size cap")]
    Size,
    /// The message names a protocol version this build does not know.
    #[error("unknown protocol version")]
    Version,
    /// The message is signed as another message than the one expected here.
    #[error("another message than the one expected")]
    MessageType,
    /// Another signature, sealing or key algorithm than the suite's.
    #[error("algorithm outside the protocol's suite")]
    Algorithm,
    /// A signature does not verify.
    #[error("signature does not verify")]
    Signature,
    /// The message cannot be opened: sealed to another, under another label, or altered.
    #[error("sealed message does not open")]
    Sealed,
    /// A request is addressed to another service certificate.
    #[error("request addressed to another service certificate")]
    WrongAudience,
    /// An answer belongs to another request.
    #[error("answer belongs to another request")]
    WrongRequest,
    /// A device certificate names another key or device identifier than the one provisioned.
    #[error("certificate belongs to another device")]
    WrongDevice,
    /// An answer is signed by another service than the request was built to.
    #[error("answer signed by another service")]
    WrongService,
    /// A chain ends under another trust anchor.
    #[error("chain ends under another trust anchor")]
    WrongAnchor,
    /// A certificate in a chain was issued by another key than the one above it.
    #[error("certificate issued by another key than the one above it")]
    WrongIssuer,
    /// An answer does not carry the request's nonce.
    #[error("answer carries another nonce")]
    WrongNonce,
    /// A renewal or release answer names another licence.
    #[error("answer names another licence")]
    WrongLicense,
    /// A renewal does not raise the sequence number.
    #[error("renewal does not raise the sequence number")]
    StaleSequence,
    /// A stored licence answers a request for a session licence.
    #[error("stored licence for a session request")]
    WrongKind,
    /// A chain of more than [`MAX_CHAIN`](crate::MAX_CHAIN) certificates.
    #[error("certificate chain too long")]
    ChainLength,
    /// A certificate of another kind than its place in the chain asks for.
    #[error("certificate of another kind")]
    CertificateType,
    /// The signer, or an issuer above it, lacks the role this message needs.
    #[error("role missing from the chain")]
    RoleMissing,
    /// A certificate has ended.
    #[error("certificate expired")]
    Expired,
    /// A certificate has not begun.
    #[error("certificate not yet valid")]
    NotYetValid,
    /// A service certificate runs longer than
    /// [`MAX_SERVICE_VALIDITY`](crate::MAX_SERVICE_VALIDITY).
    #[error("service certificate valid for too long")]
    ValidityTooLong,
    /// A certificate's serial is on the revocation list.
    #[error("certificate revoked")]
    Revoked,
    /// A time answer lies outside the validity of the chain that signed it.
    #[error("server time outside the validity of its chain")]
    TimeOutsideChain,
    /// A challenge was not made by this service.
    #[error("challenge not made by this service")]
    ChallengeForged,
    /// A challenge is older than [`CHALLENGE_LIFETIME`](crate::CHALLENGE_LIFETIME).
    #[error("challenge expired")]
    ChallengeExpired,
    /// A leaf names another root.
    #[error("leaf belongs to another root")]
    WrongRoot,
    /// A leaf's period lies outside its root's window.
    #[error("leaf period outside its root's window")]
    PeriodOutsideRoot,
    /// Fields contradict each other, or a text is not printable.
    #[error("contradictory or unprintable field")]
    Invalid,
    /// The random number generator failed.
    #[error("random number generator failed")]
    Random,
    /// Memory for the result could not be had.
    #[error("out of memory")]
    Memory,
    /// The caller's own key is unusable.
    #[error("own key unusable")]
    Key,
}

impl From<Cbor> for LicenseError {
    /// Memory and size stay what they are; everything else is a malformed message.
    fn from(error: Cbor) -> Self {
        match error {
            Cbor::Memory => Self::Memory,
            other => Self::Malformed(other),
        }
    }
}

impl LicenseError {
    /// Reads a provider's refusal as `rejected`, its other failures as themselves.
    pub(crate) fn from_crypto(error: CryptoError, rejected: Self) -> Self {
        match error {
            CryptoError::Rng => Self::Random,
            CryptoError::Memory => Self::Memory,
            _ => rejected,
        }
    }
}
