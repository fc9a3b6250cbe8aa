//! From the errors of other rooms to the one status that the host sees.

use keybearer_license::LicenseError;
use keybearer_wire::Status;

use crate::platform::PlatformError;

impl From<PlatformError> for Status {
    fn from(error: PlatformError) -> Self {
        match error {
            PlatformError::Memory => Self::OutOfMemory,
            PlatformError::Full => Self::LimitExceeded,
            PlatformError::Damaged => Self::DamagedRecord,
            PlatformError::Version => Self::UnsupportedVersion,
            _ => Self::Platform,
        }
    }
}

/// The status that tells the host what is wrong with a message of the service.
pub(crate) fn of_message(error: LicenseError) -> Status {
    match error {
        LicenseError::Version => Status::UnsupportedVersion,
        LicenseError::Signature | LicenseError::Sealed => Status::BadSignature,
        LicenseError::WrongAudience | LicenseError::WrongService => Status::WrongService,
        LicenseError::WrongRequest | LicenseError::WrongNonce | LicenseError::WrongLicense => {
            Status::NotForThisRequest
        }
        LicenseError::WrongDevice => Status::NotForThisDevice,
        LicenseError::StaleSequence => Status::StaleSequence,
        // This core asks for session licences only.
        LicenseError::WrongKind => Status::StoredNotSupported,
        LicenseError::WrongAnchor
        | LicenseError::WrongIssuer
        | LicenseError::ChainLength
        | LicenseError::CertificateType
        | LicenseError::ValidityTooLong => Status::BadChain,
        LicenseError::RoleMissing => Status::RoleMissing,
        LicenseError::Expired | LicenseError::NotYetValid | LicenseError::TimeOutsideChain => {
            Status::OutsideValidity
        }
        LicenseError::Revoked => Status::Revoked,
        LicenseError::Random | LicenseError::Key => Status::Platform,
        LicenseError::Memory => Status::OutOfMemory,
        _ => Status::BadMessage,
    }
}

/// The status for a part of the host's request that does not read.
pub(crate) fn of_part(error: LicenseError) -> Status {
    match error {
        LicenseError::Memory => Status::OutOfMemory,
        _ => Status::Malformed,
    }
}

/// The status for a request that could not be built.
pub(crate) fn of_request(error: LicenseError) -> Status {
    match error {
        LicenseError::Size | LicenseError::Malformed(_) => Status::LimitExceeded,
        LicenseError::Invalid => Status::Malformed,
        other => of_message(other),
    }
}

#[cfg(test)]
mod tests;
