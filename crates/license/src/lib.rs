//! Licence protocol: every message between a device's trusted side and a licence service.
//!
//! Sans-IO and `no_std`: bytes in, bytes out, on both ends. Requests are signed by the device and
//! sealed to the service; answers are signed by the service and sealed to a key that the device
//! made for that one request. Messages are deterministic CBOR in untagged COSE (RFC 9052), one
//! suite: ESP256, ECDH-ES with HKDF-SHA-256 on P-256, AES-256-GCM.
//!
//! Trusts nothing that arrives. A signature is verified over the bytes as received before the body
//! is decoded; an anchor is the caller's, never a message's; what a message is stands under its
//! signature; unknown numbers, fields and values are refused. What a caller must still decide is
//! said at each function: challenges and tokens on a server, time anchors, revocation list
//! numbers, levels and counters on a device.
//!
//! `keybearer.cddl` beside this crate describes every message, and `vectors/` holds one of each.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod answer;
mod certificate;
mod chain;
mod challenge;
mod codes;
mod cose;
mod error;
mod ids;
mod init;
mod inspect;
mod license;
mod limits;
mod message;
mod registry;
mod request;
mod revocation;
mod service;
#[cfg(test)]
mod tests;
mod time;

pub use answer::denial::Denial;
pub use answer::released::Released;
pub use answer::{
    Answer, AnswerHead, LicenseOutcome, ProvisionOutcome, TimeOutcome, open_license_answer,
    open_provision_answer, open_time_answer, seal_denial, seal_license, seal_provision_answer,
    seal_released, seal_time_answer,
};
pub use certificate::{
    DeviceClaims, IssuerClaims, ServiceClaims, issue_device, issue_issuer, issue_service,
    peek_device, peek_issuer, peek_service,
};
pub use chain::{
    CertificateChain, IssuerSerials, RevokedSerials, Trust, VerifiedDevice, VerifiedService,
    verify_device, verify_service,
};
pub use challenge::{Challenge, check_challenge, make_challenge};
pub use codes::{
    AnalogOutput, AttestationFormat, ClientKind, Codec, CounterStrength, DebugStatus, DenialReason,
    Enforcement, HdcpCapability, Isolation, Issues, IvKind, LicenseKind, OutputKind, Pattern,
    PlatformStatus, PolicyOrigin, Roles, Scheme, SecureStorage, TrackType, Vulnerability,
};
pub use cose::key::{anchor_digest, cose_key, key_digest, public_key_from_cose};
pub use cose::sign::PROTOCOL_VERSION;
pub use error::LicenseError;
pub use ids::{
    BootId, HardwareModel, KeyId, LicenseId, Nonce, OemId, RequestId, RootId, Serial, ServiceId,
    Ueid, Version,
};
pub use init::{ContentInit, Leaf, SYSTEM_ID, open_leaf, seal_leaf};
pub use inspect::{SealedView, SignedView, peek_encrypt, peek_sign1};
pub use keybearer_crypto::{Digest, PublicKey, Secret, Signature};
pub use keybearer_rules::{Level, OutputPolicy};
pub use license::License;
pub use license::key::{ContentKey, KeyUse, PolicySource, RootKey};
pub use license::timing::{Renewal, Rotation, Timing};
pub use limits::*;
pub use message::MessageType;
pub use request::attestation::{Attest, Attestation, Attested, unattested};
pub use request::capabilities::{Capabilities, OutputCapability};
pub use request::evidence::Evidence;
pub use request::license::{InitData, LicenseRequest, RequestKind};
pub use request::provision::{ProvisionRequest, ProvisionToken};
pub use request::time::TimeRequest;
pub use request::usage::{LicenseRef, UsageRecord};
pub use request::{
    DeviceIdentity, Exchange, OpenedLicense, OpenedProvision, OpenedTime, PendingLicense,
    PendingProvision, PendingTime, ServiceKeys, build_license_request, build_provision_request,
    build_time_request, open_license_request, open_provision_request, open_time_request,
};
pub use revocation::{RevocationList, open_revocation_list, sign_revocation_list};
pub use service::{
    AnchorRef, OpenedServiceInfo, Service, ServiceIdentity, ServiceInfo, open_service_info,
    seal_service_info,
};
pub use time::{TimeView, UnixTime, Validity};
