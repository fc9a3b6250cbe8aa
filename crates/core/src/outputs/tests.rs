use core::num::NonZeroU32;

use std::vec;

use keybearer_license::{IvKind, PolicyOrigin, PolicySource, Scheme, TrackType};
use keybearer_rules::{
    CgmsA, Field, Hdcp, HdcpVersion, KeyStatus,
    Level::{High, Low, Medium},
    MinSecurity, Output, OutputKind, OutputPolicy, Outputs, Permission, PictureLimit,
    SecureMediaPath, SoundForm, Source, TrustedOutputs, Type1Version,
};
use keybearer_wire::body::{OutputReport, ReportOutputs};
use keybearer_wire::field::List;
use keybearer_wire::limits::MAX_OUTPUTS;

use crate::config::Config;
use crate::core::ClientId;
use crate::platform::Moment;

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

/// A decision of a clear session, with what is known of the outputs.
fn decided(usage: &KeyUse, level: Level, outputs: Outputs<'_>) -> Decision {
    let config = config();
    let circumstances = Circumstances {
        config: &config,
        level,
        scales: false,
        now: None,
        time: None,
        outputs,
    };
    decision(usage, Term::Running, &circumstances)
}

fn config() -> Config {
    Config {
        level: Level::None,
        isolation: Isolation::Tee,
        decoder: false,
        debug: true,
        ta_version: None,
        anchors: crate::config::Anchors::Application,
        max_media: 0,
        oem: None,
    }
}

const fn panel(panel: Option<Source>) -> Outputs<'static> {
    Outputs {
        panel,
        report: None,
    }
}

#[test]
fn what_nobody_vouches_for_meets_no_demand() {
    let free = usage();
    let mut blocked = usage();
    blocked.policy.airplay = Permission::Block;
    let mut trusted = blocked.clone();
    trusted.policy.trusted_outputs = TrustedOutputs::Required;
    let (host, platform) = (Some(Source::Host), Some(Source::Platform));
    for level in [Low, Medium, High] {
        for source in [None, host, platform] {
            let usable = |usage| decided(usage, level, panel(source)).status == KeyStatus::Usable;
            assert!(usable(&free));
            assert_eq!(usable(&trusted), source == platform);
            let believed = source == platform || (source == host && level < High);
            assert_eq!(usable(&blocked), believed, "{level:?} {source:?}");
        }
    }
}

#[test]
fn only_a_demand_that_the_hosts_word_meets_is_reported_as_such() {
    let free = usage();
    let mut blocked = usage();
    blocked.policy.airplay = Permission::Block;
    for source in [None, Some(Source::Host), Some(Source::Platform)] {
        let marked = |usage| {
            let decision = decided(usage, Low, panel(source));
            decision.reasons.names(Field::HostReported)
        };
        assert!(!marked(&free), "{source:?}");
        assert_eq!(marked(&blocked), source == Some(Source::Host), "{source:?}");
    }
}

#[test]
fn a_key_without_a_size_counts_as_the_largest_of_its_track_type() {
    for (track, own, limit, usable) in [
        (TrackType::Sd, None, 442_368, true),
        (TrackType::Sd, None, 442_367, false),
        (TrackType::Hd, None, 2_073_600, true),
        (TrackType::Hd, None, 2_073_599, false),
        (TrackType::Uhd1, None, 8_847_360, true),
        (TrackType::Uhd1, None, 8_847_359, false),
        (TrackType::Uhd2, None, 35_389_440, true),
        (TrackType::Uhd2, None, 35_389_439, false),
        (TrackType::Other, None, u32::MAX, false),
        (TrackType::Uhd2, NonZeroU32::new(100), 100, true),
        (TrackType::Sd, NonZeroU32::new(101), 100, false),
        (TrackType::Audio, None, 1, true),
    ] {
        let mut usage = KeyUse {
            track,
            max_pixels: own,
            ..usage()
        };
        let limit = NonZeroU32::new(limit).unwrap();
        usage.policy.max_res_device = PictureLimit::Pixels(limit);
        let decision = decided(&usage, Low, panel(None));
        let status = match usable {
            true => KeyStatus::Usable,
            false => KeyStatus::OutputRestricted,
        };
        assert_eq!(decision.status, status, "{track:?} {limit}");
    }
}

#[test]
fn the_smaller_picture_limit_counts() {
    let limit = NonZeroU32::new;
    let allowed = |pixels| limit(pixels).map_or(Allowance::Any, Allowance::UpTo);
    let cases = [
        (None, Allowance::Any, false),
        (limit(100), Allowance::Any, false),
        (limit(99), Allowance::Any, true),
        (None, allowed(99), true),
        (limit(200), allowed(99), true),
        (limit(99), allowed(200), true),
        (limit(100), allowed(100), false),
    ];
    for (own, outputs, refused) in cases {
        let usage = KeyUse {
            max_pixels: own,
            ..usage()
        };
        let largest = largest_picture(&usage, outputs);
        assert_eq!(picture_too_large(largest, Some(20), Some(5)), refused);
        assert!(!picture_too_large(largest, None, None));
    }
}

/// An output that the host states, in numbers that mean the strongest of everything.
fn stated(kind: u8) -> OutputReport {
    OutputReport {
        kind,
        hdcp_version: 5,
        hdcp_stream_type: 1,
        cgms_a: 3,
        agc: true,
        color_stripe: true,
        scms: true,
        sound: 2,
        picture: Some(2_073_600),
    }
}

fn read(stated: OutputReport) -> Output {
    let mut sight = Sight::new();
    let client = ClientId::of(1);
    let report = ReportOutputs {
        sequence: 1,
        outputs: List(vec![stated]),
    };
    sight.take(client, &report, Some(at(0))).unwrap();
    let seen = sight.of(client, Some(at(0)));
    seen.report.unwrap().outputs[0]
}

const fn at(millis: u64) -> Moment {
    Moment {
        boot: [1; 16],
        millis,
    }
}

#[test]
fn what_the_host_states_is_taken_as_it_is() {
    let output = read(stated(1));
    assert_eq!(output.kind, OutputKind::Internal);
    assert_eq!(output.hdcp, Some(Hdcp::Type1(Type1Version::V2_3)));
    assert_eq!(output.cgms_a, Some(CgmsA::CopyNever));
    assert!(output.agc && output.color_stripe && output.scms);
    assert_eq!(output.sound, SoundForm::Uncompressed);
    assert_eq!(output.picture, NonZeroU32::new(2_073_600));
}

#[test]
fn numbers_that_mean_nothing_are_the_weaker_value() {
    let strange = OutputReport {
        kind: 200,
        hdcp_version: 6,
        hdcp_stream_type: 1,
        cgms_a: 4,
        sound: 9,
        picture: Some(0),
        ..stated(1)
    };
    let output = read(strange);
    let of_nothing = Output {
        agc: true,
        color_stripe: true,
        scms: true,
        ..Output::of(OutputKind::Unknown)
    };
    assert_eq!(output, of_nothing);
    // A stream type that the version cannot carry is none, and so is one that does not exist.
    for (version, kind, hdcp) in [
        (1, 1, HdcpVersion::V1),
        (3, 1, HdcpVersion::V2_1),
        (4, 0, HdcpVersion::V2_2),
        (4, 2, HdcpVersion::V2_2),
        (5, 255, HdcpVersion::V2_3),
    ] {
        let link = OutputReport {
            hdcp_version: version,
            hdcp_stream_type: kind,
            ..stated(2)
        };
        assert_eq!(read(link).hdcp, Some(Hdcp::Type0(hdcp)));
    }
}

#[test]
fn a_list_without_room_for_all_ends_in_an_unknown_output() {
    let mut list = OutputList::EMPTY;
    for _ in 0..MAX_OUTPUTS {
        list.push(Output::of(OutputKind::Internal));
    }
    let all_known = |list: &OutputList| {
        let mut outputs = list.as_slice().iter();
        outputs.all(|output| output.kind == OutputKind::Internal)
    };
    assert_eq!(list.as_slice().len(), MAX_OUTPUTS);
    assert!(all_known(&list));
    list.push(Output::of(OutputKind::Internal));
    assert_eq!(list.as_slice().len(), MAX_OUTPUTS);
    assert!(!all_known(&list));
    list.clear();
    assert_eq!(list.as_slice(), []);
}
