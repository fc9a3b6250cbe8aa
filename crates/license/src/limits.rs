//! Every size the protocol caps, in one place.
//!
//! The caps on messages are in bytes of the whole message as it travels. They bound what a
//! trusted application must hold at once: about twice the largest of them.

/// Service info.
pub const MAX_SERVICE_INFO: usize = 8 * 1024;
/// Provision request.
pub const MAX_PROVISION_REQUEST: usize = 16 * 1024;
/// Provision answer.
pub const MAX_PROVISION_ANSWER: usize = 16 * 1024;
/// Licence request: acquire, renew and release.
pub const MAX_LICENSE_REQUEST: usize = 48 * 1024;
/// Any answer to a licence request: licence, denial, release answer.
pub const MAX_LICENSE_ANSWER: usize = 64 * 1024;
/// Time request.
pub const MAX_TIME_REQUEST: usize = 8 * 1024;
/// Time answer.
pub const MAX_TIME_ANSWER: usize = 8 * 1024;
/// Revocation list.
pub const MAX_REVOCATION_LIST: usize = 48 * 1024;
/// One certificate.
pub const MAX_CERTIFICATE: usize = 1024;
/// A chain as stored by [`CertificateChain::to_bytes`](crate::CertificateChain::to_bytes).
pub const MAX_CHAIN_BYTES: usize = 4 * 1024;
/// The data of a `pssh` box of our system id.
pub const MAX_CONTENT_INIT: usize = 16 * 1024;

/// Certificates between the anchor and a signer, the signer's own included; the anchor is a bare
/// key and not counted.
pub const MAX_CHAIN: usize = 3;
/// Issuer certificates in a chain: all but the leaf.
pub(crate) const MAX_ISSUERS: usize = MAX_CHAIN - 1;
/// Longest validity of a service certificate, in seconds: 30 days.
pub const MAX_SERVICE_VALIDITY: u64 = 30 * 24 * 60 * 60;
/// How long a challenge may be used, in seconds.
pub const CHALLENGE_LIFETIME: u64 = 300;
/// Last time a message may name, in seconds since 1970: the end of the year 9999.
///
/// Far below 2^63, so that no sum of a time and a duration can overflow.
pub const MAX_UNIX_TIME: u64 = 253_402_300_799;

/// Key ids a request may ask for, and keys a licence may hold.
pub const MAX_KEYS: usize = 64;
/// In-band roots in a licence.
pub const MAX_ROOTS: usize = 16;
/// Leaves in one `pssh` payload.
pub const MAX_LEAVES: usize = 32;
/// Initialisation data items in a request.
pub const MAX_INIT_DATA: usize = 4;
/// Bytes of one initialisation data item.
pub const MAX_INIT_DATA_BYTES: usize = 4096;
/// Bytes of an authorisation token.
pub const MAX_TOKEN: usize = 8192;
/// Bytes of an enrolment or factory token.
pub const MAX_PROVISION_TOKEN: usize = 4096;
/// Bytes of the proof in a platform's attestation.
pub const MAX_ATTESTATION: usize = 4096;
/// Usage records in a renewal or release request.
pub const MAX_USAGE_RECORDS: usize = 16;
/// Bytes of one encoded usage record.
pub const MAX_USAGE_RECORD: usize = 160;
/// Output capabilities in one set.
pub const MAX_OUTPUTS: usize = 16;
/// Codecs in one set of capabilities.
pub const MAX_CODECS: usize = 16;
/// Bytes of one encoded set of capabilities.
pub const MAX_CAPABILITIES: usize = 1024;
/// Serials on a revocation list.
pub const MAX_REVOKED: usize = 2048;
/// Bytes of a renewal address.
pub const MAX_URL: usize = 512;
/// Bytes of a short text: a denial's parameter, a profile's name, a service id.
pub const MAX_TEXT: usize = 64;
/// Bytes of a hardware model (EAT `hwmodel`, RFC 9711 section 4.2.4).
pub const MAX_HARDWARE_MODEL: usize = 32;
