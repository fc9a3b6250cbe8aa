//! Certificates: CWT claims (RFC 8392) in COSE_Sign1, each naming its issuer's key by digest.
//!
//! Issuing is the operator's and the server's business; verifying is in [`crate::chain`]. The
//! readers here judge form only.

use alloc::vec::Vec;

use keybearer_cbor::{Error as Cbor, decode, encode};
use keybearer_crypto::{Crypto, PublicKey, Signer};
use keybearer_rules::Level;

use crate::codes::{DebugStatus, Issues, Roles};
use crate::cose::key::{decode_cnf, decode_key, encode_cnf, encode_key, key_digest};
use crate::cose::sign::{Sign1, SignedBy, sign};
use crate::error::LicenseError;
use crate::ids::{HardwareModel, OemId, Serial, ServiceId, Ueid};
use crate::limits::{MAX_CERTIFICATE, MAX_SERVICE_VALIDITY};
use crate::message::MessageType;
use crate::registry::claim;
use crate::time::{UnixTime, Validity};

/// What a service certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceClaims {
    /// The service's name under its anchor.
    pub service: ServiceId,
    /// What it may sign.
    pub roles: Roles,
    /// The key it signs with.
    pub signing_key: PublicKey,
    /// The key requests are sealed to. Never the signing key.
    pub agreement_key: PublicKey,
    /// At most [`MAX_SERVICE_VALIDITY`] seconds.
    pub validity: Validity,
    /// Serial, by which it is revoked.
    pub serial: Serial,
}

/// What the certificate of an issuer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerClaims {
    /// The issuer's name.
    pub name: ServiceId,
    /// The most that a service below it may be allowed.
    pub roles: Roles,
    /// What it, and issuers below it, may issue.
    pub issues: Issues,
    /// The key it signs certificates with.
    pub signing_key: PublicKey,
    /// When it counts.
    pub validity: Validity,
    /// Serial, by which it is revoked.
    pub serial: Serial,
}

/// What a device's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceClaims {
    /// The device's identifier under this anchor.
    pub ueid: Ueid,
    /// Its manufacturer.
    pub oem: Option<OemId>,
    /// Its model.
    pub model: HardwareModel,
    /// The highest level it was certified for, from evidence.
    pub highest_level: Level,
    /// Its debug state when it was certified.
    pub debug: DebugStatus,
    /// The key it signs with, made inside its trusted side.
    pub signing_key: PublicKey,
    /// When the certificate counts.
    pub validity: Validity,
    /// Serial, by which it is revoked.
    pub serial: Serial,
}

/// The rules a service's claims must keep, for those who issue and those who verify.
fn check_service(claims: &ServiceClaims) -> Result<(), LicenseError> {
    // One key for two purposes would let a signature or an agreement answer for the other.
    if claims.signing_key == claims.agreement_key {
        return Err(LicenseError::Invalid);
    }
    if claims.validity.seconds()? > MAX_SERVICE_VALIDITY {
        return Err(LicenseError::ValidityTooLong);
    }
    Ok(())
}

/// Issues a service certificate, signed by the anchor or an issuer under it.
///
/// # Errors
/// [`LicenseError::ValidityTooLong`] over 30 days; [`LicenseError::Invalid`] for an empty
/// validity or one key in both places; [`LicenseError::Key`] when `issuer` cannot sign.
pub fn issue_service<C: Crypto + ?Sized>(
    crypto: &C,
    issuer: &mut dyn Signer,
    claims: &ServiceClaims,
) -> Result<Vec<u8>, LicenseError> {
    check_service(claims)?;
    let payload = encode(MAX_CERTIFICATE, |e| {
        e.map(|m| {
            m.entry(claim::SUB, |e| claims.service.encode(e))?;
            m.entry(claim::EXP, |e| claims.validity.not_after.encode(e))?;
            m.entry(claim::NBF, |e| claims.validity.not_before.encode(e))?;
            m.entry(claim::CTI, |e| claims.serial.encode(e))?;
            m.entry(claim::CNF, |e| encode_cnf(e, &claims.signing_key))?;
            m.entry(claim::ROLES, |e| claims.roles.encode(e))?;
            m.entry(claim::AGREEMENT_KEY, |e| {
                encode_key(e, &claims.agreement_key)
            })
        })
    })?;
    issue(crypto, issuer, MessageType::ServiceCertificate, &payload)
}

/// Issues an issuer's certificate.
///
/// # Errors
/// [`LicenseError::Invalid`] for an empty validity or an issuer that may issue nothing;
/// [`LicenseError::Key`] when `issuer` cannot sign.
pub fn issue_issuer<C: Crypto + ?Sized>(
    crypto: &C,
    issuer: &mut dyn Signer,
    claims: &IssuerClaims,
) -> Result<Vec<u8>, LicenseError> {
    claims.validity.seconds()?;
    if claims.issues == Issues::NONE {
        return Err(LicenseError::Invalid);
    }
    let payload = encode(MAX_CERTIFICATE, |e| {
        e.map(|m| {
            m.entry(claim::SUB, |e| claims.name.encode(e))?;
            m.entry(claim::EXP, |e| claims.validity.not_after.encode(e))?;
            m.entry(claim::NBF, |e| claims.validity.not_before.encode(e))?;
            m.entry(claim::CTI, |e| claims.serial.encode(e))?;
            m.entry(claim::CNF, |e| encode_cnf(e, &claims.signing_key))?;
            m.entry(claim::ROLES, |e| claims.roles.encode(e))?;
            m.entry(claim::ISSUES, |e| claims.issues.encode(e))
        })
    })?;
    issue(crypto, issuer, MessageType::IssuerCertificate, &payload)
}

/// Issues a device's certificate.
///
/// # Errors
/// [`LicenseError::Invalid`] for an empty validity; [`LicenseError::Key`] when `issuer` cannot
/// sign.
pub fn issue_device<C: Crypto + ?Sized>(
    crypto: &C,
    issuer: &mut dyn Signer,
    claims: &DeviceClaims,
) -> Result<Vec<u8>, LicenseError> {
    claims.validity.seconds()?;
    let payload = encode(MAX_CERTIFICATE, |e| {
        e.map(|m| {
            m.entry(claim::EXP, |e| claims.validity.not_after.encode(e))?;
            m.entry(claim::NBF, |e| claims.validity.not_before.encode(e))?;
            m.entry(claim::CTI, |e| claims.serial.encode(e))?;
            m.entry(claim::CNF, |e| encode_cnf(e, &claims.signing_key))?;
            m.entry(claim::UEID, |e| claims.ueid.encode(e))?;
            m.optional(claim::OEMID, claims.oem, |e, oem| oem.encode(e))?;
            m.entry(claim::HWMODEL, |e| claims.model.encode(e))?;
            m.entry(claim::DBGSTAT, |e| claims.debug.encode(e))?;
            m.entry(claim::LEVEL, |e| claims.highest_level.encode(e))
        })
    })?;
    issue(crypto, issuer, MessageType::DeviceCertificate, &payload)
}

fn issue<C: Crypto + ?Sized>(
    crypto: &C,
    issuer: &mut dyn Signer,
    kind: MessageType,
    payload: &[u8],
) -> Result<Vec<u8>, LicenseError> {
    let issuer_key = key_digest(crypto, &issuer.public_key())?;
    let mut certificate = sign(issuer, kind, &SignedBy::Issuer(&issuer_key), None, payload)?;
    if certificate.len() > MAX_CERTIFICATE {
        return Err(LicenseError::Size);
    }
    Ok(core::mem::take(&mut *certificate))
}

pub(crate) fn read_service(payload: &[u8]) -> Result<ServiceClaims, LicenseError> {
    let claims = decode(payload, MAX_CERTIFICATE, |d| {
        d.map(|m| {
            let service = m.required(claim::SUB, ServiceId::decode)?;
            let not_after = m.required(claim::EXP, UnixTime::decode)?;
            let not_before = m.required(claim::NBF, UnixTime::decode)?;
            Ok(ServiceClaims {
                service,
                validity: Validity {
                    not_before,
                    not_after,
                },
                serial: m.required(claim::CTI, Serial::decode)?,
                signing_key: m.required(claim::CNF, decode_cnf)?,
                roles: m.required(claim::ROLES, Roles::decode)?,
                agreement_key: m.required(claim::AGREEMENT_KEY, decode_key)?,
            })
        })
    })?;
    check_service(&claims)?;
    Ok(claims)
}

pub(crate) fn read_issuer(payload: &[u8]) -> Result<IssuerClaims, LicenseError> {
    let claims = decode(payload, MAX_CERTIFICATE, |d| {
        d.map(|m| {
            let name = m.required(claim::SUB, ServiceId::decode)?;
            let not_after = m.required(claim::EXP, UnixTime::decode)?;
            let not_before = m.required(claim::NBF, UnixTime::decode)?;
            let serial = m.required(claim::CTI, Serial::decode)?;
            let signing_key = m.required(claim::CNF, decode_cnf)?;
            let roles = m.required(claim::ROLES, Roles::decode)?;
            let issues = m.required(claim::ISSUES, Issues::decode)?;
            if issues == Issues::NONE {
                return Err(Cbor::Value);
            }
            let validity = Validity {
                not_before,
                not_after,
            };
            Ok(IssuerClaims {
                name,
                roles,
                issues,
                signing_key,
                validity,
                serial,
            })
        })
    })?;
    claims.validity.seconds()?;
    Ok(claims)
}

pub(crate) fn read_device(payload: &[u8]) -> Result<DeviceClaims, LicenseError> {
    let claims = decode(payload, MAX_CERTIFICATE, |d| {
        d.map(|m| {
            let not_after = m.required(claim::EXP, UnixTime::decode)?;
            let not_before = m.required(claim::NBF, UnixTime::decode)?;
            Ok(DeviceClaims {
                validity: Validity {
                    not_before,
                    not_after,
                },
                serial: m.required(claim::CTI, Serial::decode)?,
                signing_key: m.required(claim::CNF, decode_cnf)?,
                ueid: m.required(claim::UEID, Ueid::decode)?,
                oem: m.optional(claim::OEMID, OemId::decode)?,
                model: m.required(claim::HWMODEL, HardwareModel::decode)?,
                debug: m.required(claim::DBGSTAT, DebugStatus::decode)?,
                highest_level: m.required(claim::LEVEL, Level::decode)?,
            })
        })
    })?;
    claims.validity.seconds()?;
    Ok(claims)
}

/// Reads a service certificate without verifying anything: for operators and inspection.
///
/// # Errors
/// As for any malformed certificate.
pub fn peek_service(certificate: &[u8]) -> Result<ServiceClaims, LicenseError> {
    read_service(peek(certificate, MessageType::ServiceCertificate)?)
}

/// Reads an issuer certificate without verifying anything: for operators and inspection.
///
/// # Errors
/// As for any malformed certificate.
pub fn peek_issuer(certificate: &[u8]) -> Result<IssuerClaims, LicenseError> {
    read_issuer(peek(certificate, MessageType::IssuerCertificate)?)
}

/// Reads a device certificate without verifying anything: for operators and inspection.
///
/// # Errors
/// As for any malformed certificate.
pub fn peek_device(certificate: &[u8]) -> Result<DeviceClaims, LicenseError> {
    read_device(peek(certificate, MessageType::DeviceCertificate)?)
}

fn peek(certificate: &[u8], kind: MessageType) -> Result<&[u8], LicenseError> {
    let signed = Sign1::parse(certificate, MAX_CERTIFICATE)?;
    if signed.header.kind == kind {
        Ok(signed.unverified_payload())
    } else {
        Err(LicenseError::CertificateType)
    }
}
