use keybearer_cbor::Error as Cbor;

use super::*;

/// What the host is told for each error of the licence room.
#[test]
fn every_error_of_a_message_has_its_status() {
    use LicenseError as E;
    let cases = [
        (E::Malformed(Cbor::Truncated), Status::BadMessage),
        (E::Size, Status::BadMessage),
        (E::Version, Status::UnsupportedVersion),
        (E::MessageType, Status::BadMessage),
        (E::Algorithm, Status::BadMessage),
        (E::Signature, Status::BadSignature),
        (E::Sealed, Status::BadSignature),
        (E::WrongAudience, Status::WrongService),
        (E::WrongRequest, Status::NotForThisRequest),
        (E::WrongDevice, Status::NotForThisDevice),
        (E::WrongService, Status::WrongService),
        (E::WrongAnchor, Status::BadChain),
        (E::WrongIssuer, Status::BadChain),
        (E::WrongNonce, Status::NotForThisRequest),
        (E::WrongLicense, Status::NotForThisRequest),
        (E::StaleSequence, Status::StaleSequence),
        (E::WrongKind, Status::StoredNotSupported),
        (E::ChainLength, Status::BadChain),
        (E::CertificateType, Status::BadChain),
        (E::RoleMissing, Status::RoleMissing),
        (E::Expired, Status::OutsideValidity),
        (E::NotYetValid, Status::OutsideValidity),
        (E::ValidityTooLong, Status::BadChain),
        (E::Revoked, Status::Revoked),
        (E::TimeOutsideChain, Status::OutsideValidity),
        (E::ChallengeForged, Status::BadMessage),
        (E::Invalid, Status::BadMessage),
        (E::Random, Status::Platform),
        (E::Memory, Status::OutOfMemory),
        (E::Key, Status::Platform),
    ];
    for (error, status) in cases {
        assert_eq!(of_message(error), status, "{error:?}");
    }
}

#[test]
fn a_request_that_cannot_be_built_is_the_callers_or_the_platforms_fault() {
    use LicenseError as E;
    let cases = [
        (E::Size, Status::LimitExceeded),
        (E::Malformed(Cbor::SizeCap), Status::LimitExceeded),
        (E::Invalid, Status::Malformed),
        (E::Random, Status::Platform),
        (E::Key, Status::Platform),
        (E::Memory, Status::OutOfMemory),
    ];
    for (error, status) in cases {
        assert_eq!(of_request(error), status, "{error:?}");
    }
}

#[test]
fn a_failing_platform_is_named_as_such() {
    let cases = [
        (PlatformError::Memory, Status::OutOfMemory),
        (PlatformError::Full, Status::LimitExceeded),
        (PlatformError::Damaged, Status::DamagedRecord),
        (PlatformError::Version, Status::UnsupportedVersion),
        (PlatformError::Storage, Status::Platform),
        (PlatformError::Random, Status::Platform),
        (PlatformError::Clock, Status::Platform),
        (PlatformError::Key, Status::Platform),
        (PlatformError::Monitor, Status::Platform),
    ];
    for (error, status) in cases {
        assert_eq!(Status::from(error), status);
    }
}
