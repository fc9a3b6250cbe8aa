//! What the service grants: keys by their ids, and licences with limits.

use core::num::NonZeroU32;

use keybearer_crypto::{Crypto, Secret};
use keybearer_license::{
    ContentKey, CounterStrength, IvKind, KeyId, KeyUse, License, LicenseId, LicenseKind, Pattern,
    PolicyOrigin, PolicySource, Renewal, Scheme, Timing, TrackType, UnixTime,
};
use keybearer_rules::{Level, OutputPolicy, TrustedOutputs};

use crate::provider::Toy;

/// Keys that a story knows; an id is one byte sixteen times.
pub(crate) const KEYS: u8 = 8;

/// The secret of a key id.
pub(crate) fn secret(id: u8) -> [u8; 16] {
    let digest = Toy.sha256(&[b"canary", &[id]]).0;
    *digest.first_chunk().expect("32 bytes")
}

/// What a key is for: each scheme, each kind of vector, and demands that are not met everywhere.
pub(crate) fn key_use(id: u8) -> KeyUse {
    let (scheme, iv, pattern) = match id % 6 {
        0 => (Scheme::Cenc, IvKind::PerSample8, None),
        1 => (Scheme::Cenc, IvKind::PerSample16, None),
        2 => (Scheme::Cbcs, IvKind::Constant16, Some((1, 9))),
        3 => (Scheme::Cens, IvKind::PerSample16, None),
        4 => (Scheme::Cbc1, IvKind::PerSample16, None),
        _ => (Scheme::Cbcs, IvKind::PerSample8, None),
    };
    let demanding = id == 6;
    KeyUse {
        track: if id.is_multiple_of(2) {
            TrackType::Hd
        } else {
            TrackType::Audio
        },
        scheme,
        iv,
        pattern: pattern.map(|(crypt, skip)| Pattern { crypt, skip }),
        lowest_level: if id == 7 { Level::Medium } else { Level::None },
        require_worker: false,
        policy: OutputPolicy {
            trusted_outputs: if demanding {
                TrustedOutputs::Required
            } else {
                TrustedOutputs::Optional
            },
            ..OutputPolicy::UNSPECIFIED
        },
        max_pixels: (id == 4).then_some(NonZeroU32::MIN.saturating_add(640 * 360 - 1)),
        max_clear_bytes: (id == 5).then_some(16),
        source: PolicySource {
            origin: PolicyOrigin::Default,
            profile: None,
        },
    }
}

/// A licence as the service made it, and what binds it for certain.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: [u8; 16],
    /// No two licences of a story have the same.
    pub(crate) sequence: u64,
    /// The session whose request it answers.
    pub(crate) session: u64,
    pub(crate) keys: Vec<u8>,
    /// Moment at which the hard limits that start at its issue end it, in milliseconds.
    pub(crate) ends: Option<u64>,
}

/// A licence of the shape that two bytes say, issued at `now`.
pub(crate) fn license(
    id: [u8; 16],
    sequence: u64,
    (keys, limits): (u8, u8),
    now: UnixTime,
) -> (License, Vec<u8>, Option<u64>) {
    // Mostly one or a few; now and then as many as there may be.
    let ids: Vec<u8> = match keys {
        0xf0.. => (0..64).collect(),
        _ => (0..=keys / KEYS % 3).map(|at| (keys + at) % KEYS).collect(),
    };
    let span = NonZeroU32::new(u32::from(limits >> 3) * 7 + 1);
    let absolute = now.saturating_add(span.map_or(0, |span| span.get().into()));
    let mut timing = Timing::UNLIMITED;
    match limits % 6 {
        0 | 1 => {}
        2 => timing.license_seconds = span,
        3 => timing.not_after = Some(absolute),
        4 => timing.not_before = Some(absolute),
        _ => timing.playback_seconds = span,
    }
    let ends = matches!(limits % 6, 2 | 3).then_some(absolute.0 * 1000);
    let renewal = (limits & 1 == 1).then_some(Renewal {
        url: None,
        delay_seconds: 60,
        retry_seconds: 10,
        recovery_seconds: None,
        on_first_use: false,
        with_usage: true,
    });
    let key = |id: &u8| ContentKey {
        key_id: KeyId([*id; 16]),
        key: Secret::copied_from(&secret(*id)),
        usage: key_use(*id),
        period: None,
    };
    let license = License {
        license_id: LicenseId(id),
        sequence,
        kind: LicenseKind::Session,
        counter: CounterStrength::None,
        max_plays: None,
        timing,
        least_revocation: 0,
        keys: ids.iter().map(key).collect(),
        roots: Vec::new(),
        renewal,
        rotation: None,
    };
    (license, ids, ends)
}
