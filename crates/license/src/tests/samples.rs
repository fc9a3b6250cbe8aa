//! One of every message, as full as it can be and as bare as it can be.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use keybearer_crypto::{Digest, Secret};
use keybearer_rules::{Level, OutputPolicy, SecureMediaPath, TrustedOutputs};

use super::world::{DAY, NOW, TestService, World, challenge, ueid};
use crate::*;

pub(super) fn nonzero(value: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(value)
}

pub(super) fn model() -> HardwareModel {
    HardwareModel::new("Test Box 1").unwrap()
}

pub(super) fn evidence() -> Evidence {
    Evidence {
        level: Level::Medium,
        isolation: Isolation::Tee,
        core_version: Version {
            major: 1,
            minor: 2,
            patch: 3,
        },
        ta_version: Some(Version {
            major: 0,
            minor: 300,
            patch: 65_535,
        }),
        debug: DebugStatus::DisabledSinceBoot,
        boot_id: BootId([0xb0; 16]),
        counter: CounterStrength::Hardware,
        time_anchored: true,
    }
}

/// A platform whose proof is the nonce itself, so that a test sees what it was over.
pub(super) fn attest(nonce: &Digest) -> Result<Option<Attestation>, LicenseError> {
    Ok(Some(Attestation {
        format: AttestationFormat::Optee,
        key: Digest([0x4e; 32]),
        measurement: Digest([0x3e; 32]),
        proof: nonce.0.to_vec(),
    }))
}

pub(super) fn bare_evidence() -> Evidence {
    Evidence {
        level: Level::Low,
        isolation: Isolation::InProcess,
        ta_version: None,
        debug: DebugStatus::Enabled,
        counter: CounterStrength::None,
        time_anchored: false,
        ..evidence()
    }
}

pub(super) fn capabilities() -> Capabilities {
    Capabilities {
        outputs: Some(vec![
            OutputCapability {
                kind: OutputKind::Hdmi,
                hdcp: HdcpCapability::V2_2,
                stream_type: Some(1),
                cgms_a: Some(false),
                max_pixels: nonzero(3840 * 2160),
            },
            OutputCapability {
                kind: OutputKind::AnalogComposite,
                hdcp: HdcpCapability::None,
                stream_type: None,
                cgms_a: Some(true),
                max_pixels: None,
            },
        ]),
        digital_output: Some(true),
        analog: Some(AnalogOutput::CanBeDisabled),
        max_decode_pixels: nonzero(1920 * 1080),
        codecs_at_high: Some(vec![Codec::H264]),
        hdcp_enforcement: Some(true),
        airplay_in_use: Some(false),
        adapter_in_use: Some(false),
        platform: Some(PlatformStatus::HardwareVerified),
        secure_storage: Some(SecureStorage::SoftwareVerified),
        vulnerability: Some(Vulnerability::Low),
        system_id: Some(4711),
        client: Some(ClientKind::Sdk),
    }
}

pub(super) fn acquire() -> LicenseRequest {
    LicenseRequest {
        challenge: challenge("acquire"),
        kind: RequestKind::Acquire,
        keys: vec![KeyId([0x11; 16]), KeyId([0x22; 16])],
        init_data: vec![InitData {
            system_id: SYSTEM_ID,
            data: vec![0x1d; 40],
        }],
        wanted: LicenseKind::Stored,
        evidence: evidence(),
        capabilities: capabilities(),
        host_stated: Capabilities {
            airplay_in_use: Some(true),
            ..Capabilities::default()
        },
        model: model(),
        token: Some(b"an opaque token".to_vec()),
    }
}

pub(super) fn bare_acquire() -> LicenseRequest {
    LicenseRequest {
        keys: vec![KeyId([0x11; 16])],
        init_data: Vec::new(),
        wanted: LicenseKind::Session,
        evidence: bare_evidence(),
        capabilities: Capabilities::default(),
        host_stated: Capabilities::default(),
        token: None,
        ..acquire()
    }
}

pub(super) const LICENSE_ID: LicenseId = LicenseId([0x1c; 16]);

pub(super) fn usage_record() -> UsageRecord {
    UsageRecord {
        license_id: LICENSE_ID,
        first_use: Some(UnixTime(NOW.0 - DAY)),
        last_use: Some(NOW),
        plays: 3,
        counter: 77,
        previous: Some(Digest([0x9e; 32])),
        released: true,
        rollback_possible: false,
    }
}

pub(super) fn license_ref() -> LicenseRef {
    LicenseRef {
        license_id: LICENSE_ID,
        sequence: 7,
        usage: vec![usage_record()],
    }
}

pub(super) fn renew() -> LicenseRequest {
    let mut license = license_ref();
    license.usage = Vec::new();
    LicenseRequest {
        challenge: challenge("renew"),
        kind: RequestKind::Renew(license),
        ..acquire()
    }
}

pub(super) fn release() -> LicenseRequest {
    LicenseRequest {
        challenge: challenge("release"),
        kind: RequestKind::Release(license_ref()),
        keys: Vec::new(),
        init_data: Vec::new(),
        ..acquire()
    }
}

pub(super) fn provision() -> ProvisionRequest {
    ProvisionRequest {
        challenge: challenge("provision"),
        ueid: ueid("device"),
        oem: Some(OemId([0x0e; 16])),
        model: model(),
        evidence: evidence(),
        token: ProvisionToken::Factory(b"a factory's statement".to_vec()),
    }
}

pub(super) fn key_use() -> KeyUse {
    KeyUse {
        track: TrackType::Hd,
        scheme: Scheme::Cbcs,
        iv: IvKind::Constant16,
        pattern: Some(Pattern { crypt: 1, skip: 9 }),
        lowest_level: Level::Medium,
        require_worker: true,
        policy: OutputPolicy {
            secure_media_path: SecureMediaPath::Required,
            trusted_outputs: TrustedOutputs::Required,
            ..OutputPolicy::UNSPECIFIED
        },
        max_pixels: nonzero(1920 * 1080),
        max_clear_bytes: Some(512),
        source: PolicySource {
            origin: PolicyOrigin::TokenProfile,
            profile: Some("HD".to_string()),
        },
    }
}

pub(super) fn bare_key_use() -> KeyUse {
    KeyUse {
        track: TrackType::Audio,
        scheme: Scheme::Cenc,
        iv: IvKind::PerSample8,
        pattern: None,
        lowest_level: Level::None,
        require_worker: false,
        policy: OutputPolicy::UNSPECIFIED,
        max_pixels: None,
        max_clear_bytes: None,
        source: PolicySource {
            origin: PolicyOrigin::Default,
            profile: None,
        },
    }
}

pub(super) fn root_key() -> RootKey {
    RootKey {
        root_id: RootId([0x70; 16]),
        key: Secret::copied_from(&[0x5e; 32]),
        usage: key_use(),
        first_period: 41,
        last_period: 50,
    }
}

pub(super) fn content_key(id: u8) -> ContentKey {
    ContentKey {
        key_id: KeyId([id; 16]),
        key: Secret::copied_from(&[id ^ 0xff; 16]),
        usage: bare_key_use(),
        period: None,
    }
}

pub(super) fn license() -> License {
    License {
        license_id: LICENSE_ID,
        sequence: 8,
        kind: LicenseKind::Stored,
        counter: CounterStrength::Software,
        max_plays: nonzero(5),
        timing: Timing {
            not_before: Some(UnixTime(NOW.0 - 60)),
            not_after: Some(UnixTime(NOW.0 + DAY)),
            license_seconds: nonzero(3600),
            rental_seconds: nonzero(7200),
            playback_seconds: nonzero(600),
            start_grace_seconds: nonzero(30),
            offline_grace_seconds: nonzero(90),
            store_until: Some(UnixTime(NOW.0 + 7 * DAY)),
            enforce_absolute: Enforcement::Hard,
            enforce_rental: Enforcement::Soft,
            enforce_playback: Enforcement::Hard,
        },
        least_revocation: 12,
        keys: vec![
            ContentKey {
                usage: key_use(),
                period: Some(41),
                ..content_key(0x11)
            },
            content_key(0x22),
        ],
        roots: vec![root_key()],
        renewal: Some(Renewal {
            url: Some("https://licence.example/renew".to_string()),
            delay_seconds: 1800,
            retry_seconds: 60,
            recovery_seconds: nonzero(300),
            on_first_use: true,
            with_usage: false,
        }),
        rotation: Some(Rotation {
            period_index: 41,
            period_start: UnixTime(NOW.0 - 100),
            period_seconds: NonZeroU32::new(1800).unwrap(),
        }),
    }
}

pub(super) fn bare_license() -> License {
    License {
        license_id: LICENSE_ID,
        sequence: 1,
        kind: LicenseKind::Session,
        counter: CounterStrength::None,
        max_plays: None,
        timing: Timing::UNLIMITED,
        least_revocation: 0,
        keys: vec![content_key(0x11)],
        roots: Vec::new(),
        renewal: None,
        rotation: None,
    }
}

pub(super) fn denial() -> Denial {
    Denial {
        reason: DenialReason::LevelTooLow,
        key_id: Some(KeyId([0x11; 16])),
        wanted: Some("high".to_string()),
        found: Some("medium".to_string()),
        rule: Some("UR-15".to_string()),
        level_needed: Some(Level::High),
        public_code: Some(4008),
        retry_after_seconds: nonzero(60),
    }
}

pub(super) fn head(name: &'static str) -> AnswerHead {
    AnswerHead {
        server_time: NOW,
        next_challenge: challenge(name),
    }
}

pub(super) fn info() -> ServiceInfo {
    ServiceInfo {
        server_time: NOW,
        challenge: challenge("info"),
        revocation_number: 12,
    }
}

pub(super) fn revocation_list() -> RevocationList {
    RevocationList {
        number: 12,
        issued: NOW,
        next_update: UnixTime(NOW.0 + DAY),
        serials: vec![Serial([1; 16]), Serial([2; 16])],
    }
}

pub(super) fn service(world: &World) -> TestService {
    world.service("service", Roles::ALL)
}
