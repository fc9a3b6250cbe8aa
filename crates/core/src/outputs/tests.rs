use core::num::NonZeroU32;

use keybearer_license::{IvKind, PolicyOrigin, PolicySource, Scheme, TrackType};
use keybearer_rules::{
    Level::{High, Low, Medium},
    OutputPolicy, Permission, TrustedOutputs,
};

use super::*;

fn usage() -> KeyUse {
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

#[test]
fn levels_are_ordered() {
    for own in [Level::None, Low, Medium, High] {
        for wanted in [Level::None, Low, Medium, High] {
            let expected = (own < wanted).then_some(Barrier::Level(Some(wanted)));
            let lowest = KeyUse {
                lowest_level: wanted,
                ..usage()
            };
            assert_eq!(barrier(&lowest, own, Isolation::Tee), expected);
            let mut policy = usage();
            policy.policy.min_security = MinSecurity::AtLeast(wanted);
            assert_eq!(barrier(&policy, own, Isolation::Tee), expected);
        }
        let mut denied = usage();
        denied.policy.min_security = MinSecurity::Deny;
        assert_eq!(
            barrier(&denied, own, Isolation::Tee),
            Some(Barrier::Level(None))
        );
    }
}

#[test]
fn a_secure_media_path_is_highs() {
    let mut secure = usage();
    secure.policy.secure_media_path = SecureMediaPath::Required;
    for (level, expected) in [
        (Low, Some(Barrier::Level(Some(High)))),
        (Medium, Some(Barrier::Level(Some(High)))),
        (High, None),
    ] {
        assert_eq!(barrier(&secure, level, Isolation::Tee), expected);
    }
}

#[test]
fn a_demand_for_a_worker_is_met_by_more_than_the_applications_process() {
    let worker = KeyUse {
        require_worker: true,
        ..usage()
    };
    for (isolation, expected) in [
        (Isolation::InProcess, Some(Barrier::Worker)),
        (Isolation::Worker, None),
        (Isolation::Tee, None),
    ] {
        assert_eq!(barrier(&worker, Low, isolation), expected);
    }
}

#[test]
fn what_nobody_vouches_for_meets_no_demand() {
    let free = usage();
    let mut blocked = usage();
    blocked.policy.airplay = Permission::Block;
    let mut trusted = blocked.clone();
    trusted.policy.trusted_outputs = TrustedOutputs::Required;
    let (host, platform) = (Some(OutputSource::Host), Some(OutputSource::Platform));
    for level in [Low, Medium, High] {
        for panel in [None, host, platform] {
            assert!(met(&free, level, panel));
            assert_eq!(met(&trusted, level, panel), panel == platform);
            let believed = panel == platform || (panel == host && level < High);
            assert_eq!(met(&blocked, level, panel), believed, "{level:?} {panel:?}");
        }
    }
}

#[test]
fn only_a_demand_that_the_hosts_word_meets_is_reported_as_such() {
    let free = usage();
    let mut blocked = usage();
    blocked.policy.airplay = Permission::Block;
    let (host, platform) = (Some(OutputSource::Host), Some(OutputSource::Platform));
    for panel in [None, host, platform] {
        assert!(!host_reported(&free, panel), "{panel:?}");
        assert_eq!(host_reported(&blocked, panel), panel == host, "{panel:?}");
    }
}

#[test]
fn the_smaller_picture_limit_counts() {
    let limit = NonZeroU32::new;
    let cases = [
        (None, None, false),
        (limit(100), None, false),
        (limit(99), None, true),
        (None, limit(99), true),
        (limit(200), limit(99), true),
        (limit(99), limit(200), true),
        (limit(100), limit(100), false),
    ];
    for (own, device, refused) in cases {
        let mut usage = KeyUse {
            max_pixels: own,
            ..usage()
        };
        usage.policy.max_res_device = device.map_or(PictureLimit::Unlimited, PictureLimit::Pixels);
        assert_eq!(picture_too_large(&usage, Some(20), Some(5)), refused);
        assert!(!picture_too_large(&usage, None, None));
    }
}
