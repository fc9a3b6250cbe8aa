//! Every number on the wire that COSE, CWT and EAT registered or that this protocol chose.
//!
//! Private numbers lie below -65536, where RFC 9052 (headers) and RFC 8392 (claims) leave them to
//! private use. A number is never given a second meaning.

/// COSE algorithms (RFC 9053, RFC 9864).
pub(crate) mod alg {
    /// ECDSA on P-256 with SHA-256, fully specified.
    pub(crate) const ESP256: i64 = -9;
    /// ECDH ephemeral-static with HKDF-SHA-256, direct.
    pub(crate) const ECDH_ES_HKDF_256: i64 = -25;
    /// AES-GCM with a 256-bit key and a 128-bit tag.
    pub(crate) const A256GCM: i64 = 3;
    /// Bits of the key derived for [`A256GCM`].
    pub(crate) const A256GCM_KEY_BITS: u64 = 256;
}

/// COSE header parameters (RFC 9052 section 3.1, RFC 9053 section 6, RFC 9528, RFC 9596).
pub(crate) mod header {
    /// Algorithm.
    pub(crate) const ALG: i64 = 1;
    /// Key identifier: in a certificate, the digest of the issuer's key.
    pub(crate) const KID: i64 = 4;
    /// Nonce of the content cipher.
    pub(crate) const IV: i64 = 5;
    /// The signer's certificate.
    pub(crate) const KCWT: i64 = 13;
    /// The signer's bare key as an unsigned claims set.
    pub(crate) const KCCS: i64 = 14;
    /// Explicit type of the message, as a media type.
    pub(crate) const TYP: i64 = 16;
    /// The sender's ephemeral key.
    pub(crate) const EPHEMERAL_KEY: i64 = -1;
    /// HKDF salt.
    pub(crate) const SALT: i64 = -20;
    /// PartyU nonce.
    pub(crate) const PARTY_U_NONCE: i64 = -22;
    /// PartyV nonce.
    pub(crate) const PARTY_V_NONCE: i64 = -25;
    /// Protocol version (private).
    pub(crate) const VERSION: i64 = -65537;
    /// Issuer certificates of the chain, the leaf's issuer first (private).
    pub(crate) const ISSUERS: i64 = -65538;
    /// The anchor's public key, for a device that knows only its digest (private).
    pub(crate) const ROOT: i64 = -65539;
}

/// CWT and EAT claims (RFC 8392, RFC 8747, RFC 9711) and this protocol's own.
pub(crate) mod claim {
    /// Subject.
    pub(crate) const SUB: i64 = 2;
    /// Audience: here the digest of a service certificate, as bytes.
    pub(crate) const AUD: i64 = 3;
    /// End of validity.
    pub(crate) const EXP: i64 = 4;
    /// Beginning of validity.
    pub(crate) const NBF: i64 = 5;
    /// Time of making: the server's time.
    pub(crate) const IAT: i64 = 6;
    /// Identifier: a serial, a request id or a licence id.
    pub(crate) const CTI: i64 = 7;
    /// Confirmation key.
    pub(crate) const CNF: i64 = 8;
    /// The verifier's nonce.
    pub(crate) const EAT_NONCE: i64 = 10;
    /// Device identifier.
    pub(crate) const UEID: i64 = 256;
    /// Manufacturer.
    pub(crate) const OEMID: i64 = 258;
    /// Hardware model.
    pub(crate) const HWMODEL: i64 = 259;
    /// Debug status.
    pub(crate) const DBGSTAT: i64 = 263;

    /// Certificates: roles of a service, or roles an issuer may pass on.
    pub(crate) const ROLES: i64 = -65537;
    /// Certificates: what an issuer may issue.
    pub(crate) const ISSUES: i64 = -65538;
    /// A public key for agreement: of a service, or of one request.
    pub(crate) const AGREEMENT_KEY: i64 = -65539;
    /// Requests: the device's nonce.
    pub(crate) const NONCE: i64 = -65540;
    /// Certificates: highest level of a device.
    pub(crate) const LEVEL: i64 = -65541;
    /// Answers: digest of the signed request.
    pub(crate) const REQUEST: i64 = -65542;
    /// Answers: the challenge for the next request.
    pub(crate) const NEXT_CHALLENGE: i64 = -65543;
    /// Requests: evidence about the device.
    pub(crate) const EVIDENCE: i64 = -65544;
    /// Provision request: enrolment or factory token.
    pub(crate) const PROVISION_TOKEN: i64 = -65545;
    /// Provision answer: digest of the device's key.
    pub(crate) const KEY_DIGEST: i64 = -65546;
    /// Provision answer: the device's certificate chain.
    pub(crate) const DEVICE_CHAIN: i64 = -65547;
    /// Licence request: acquire, renew or release.
    pub(crate) const KIND: i64 = -65548;
    /// Licence request: key ids. Licence: keys.
    pub(crate) const KEYS: i64 = -65549;
    /// Licence request: initialisation data.
    pub(crate) const INIT_DATA: i64 = -65550;
    /// Licence request and licence: session or stored.
    pub(crate) const LICENSE_KIND: i64 = -65551;
    /// Licence request: what the trusted side knows it can do.
    pub(crate) const CAPABILITIES: i64 = -65552;
    /// Licence request: what the host says.
    pub(crate) const HOST_STATED: i64 = -65553;
    /// Licence request: authorisation token.
    pub(crate) const TOKEN: i64 = -65554;
    /// Licence request: the licence to renew or release.
    pub(crate) const LICENSE_REF: i64 = -65555;
    /// Licence: sequence number.
    pub(crate) const SEQUENCE: i64 = -65556;
    /// Licence: counter strength a stored licence needs.
    pub(crate) const COUNTER: i64 = -65557;
    /// Licence: number of plays.
    pub(crate) const MAX_PLAYS: i64 = -65558;
    /// Licence: timing.
    pub(crate) const TIMING: i64 = -65559;
    /// Licence and service info: least revocation list number.
    pub(crate) const REVOCATION: i64 = -65560;
    /// Licence: in-band roots.
    pub(crate) const ROOTS: i64 = -65561;
    /// Licence: renewal.
    pub(crate) const RENEWAL: i64 = -65562;
    /// Licence: rotation.
    pub(crate) const ROTATION: i64 = -65563;
    /// Denial: reason and parameters.
    pub(crate) const DENIAL: i64 = -65564;
    /// Release answer: digest of the usage record.
    pub(crate) const RECORD: i64 = -65565;
    /// Revocation list: when the next one is due.
    pub(crate) const NEXT_UPDATE: i64 = -65566;
    /// Revocation list: serials.
    pub(crate) const SERIALS: i64 = -65567;
    /// Provision and licence request: the platform's attestation.
    pub(crate) const ATTESTATION: i64 = -65568;
}

/// The COSE_Key inside `cnf` (RFC 8747 section 3.2).
pub(crate) const CNF_COSE_KEY: i64 = 1;
