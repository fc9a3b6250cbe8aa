//! Keys and licences to grant.

use core::num::NonZeroU32;

use keybearer_crypto::Secret;
use keybearer_license::{
    ContentKey, CounterStrength, IvKind, KeyId, KeyUse, License, LicenseId, LicenseKind,
    PolicyOrigin, PolicySource, Scheme, Timing, TrackType,
};
use keybearer_rules::{Level, OutputPolicy};

/// A key of the common kind: `cenc` with 8-byte vectors, an HD track, no demands.
#[must_use]
pub fn cenc_use() -> KeyUse {
    KeyUse {
        track: TrackType::Hd,
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

/// A content key whose id is this byte sixteen times, see [`secret`].
#[must_use]
pub fn key(id: u8, usage: KeyUse) -> ContentKey {
    ContentKey {
        key_id: KeyId([id; 16]),
        key: Secret::copied_from(&secret(id)),
        usage,
        period: None,
    }
}

/// The secret of a key id.
#[must_use]
pub fn secret(id: u8) -> [u8; 16] {
    core::array::from_fn(|at| 0xc0 ^ id.wrapping_mul(31).wrapping_add(at.to_le_bytes()[0] * 17))
}

/// A licence without limits.
#[must_use]
pub fn license(id: u8, keys: Vec<ContentKey>) -> License {
    License {
        license_id: LicenseId([id; 16]),
        sequence: 1,
        kind: LicenseKind::Session,
        counter: CounterStrength::None,
        max_plays: None,
        timing: Timing::UNLIMITED,
        least_revocation: 0,
        keys,
        roots: Vec::new(),
        renewal: None,
        rotation: None,
    }
}

/// A number of seconds, not zero.
#[must_use]
pub fn seconds(count: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(count)
}
