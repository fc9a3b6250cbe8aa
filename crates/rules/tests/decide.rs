//! The decision against a second implementation, on random inputs and exhaustively on the grid of
//! its boundaries, and its promise that more strictness never allows more.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

#[path = "support/generate.rs"]
mod generate;
#[path = "support/reference.rs"]
mod reference;

use std::num::NonZeroU32;

use generate::{LINKS, Random, SIZES};
use keybearer_rules::{
    Allowance, AnalogVideo, CgmsA, CompressedVideo, Content, Decision, Demand, Device,
    DigitalAudio, DigitalVideo, Field, KeyStatus, Level, MinSecurity, Output, OutputKind,
    OutputPolicy, Outputs, Permission, PictureLimit, Reasons, Recording, Report, SecureMediaPath,
    SoundForm, Source, Term, TrustedOutputs, decide,
};

/// How many random inputs.
const ROUNDS: usize = 1_000_000;

fn pixels(allowance: Allowance) -> u64 {
    match allowance {
        Allowance::Nothing => 0,
        Allowance::UpTo(pixels) => pixels.get().into(),
        Allowance::Any => u64::MAX,
    }
}

/// Decides twice and compares.
fn check(demand: &Demand<'_>, device: Device, term: Term, outputs: &Outputs<'_>) -> Decision {
    let decision = decide(demand, device, term, outputs);
    let found = (decision.status, pixels(decision.largest));
    let wanted = reference::decide(demand, device, term, outputs);
    assert_eq!(found, wanted, "{demand:?} {device:?} {term:?} {outputs:?}");
    // Whatever is not usable says why, and what is usable says at most whose word it is.
    let mut reasons = decision.reasons.iter();
    match decision.status {
        KeyStatus::Usable => assert!(reasons.all(|reason| reason.field == Field::HostReported)),
        _ => assert!(reasons.any(|reason| reason.field != Field::HostReported)),
    }
    decision
}

#[test]
fn random_inputs() {
    let mut random = Random::new(0x5eed);
    let mut statuses = [0_usize; 8];
    for _ in 0..ROUNDS {
        let policy = random.policy();
        let demand = Demand {
            policy: &policy,
            content: random.content(),
        };
        let connected = [random.output(), random.output(), random.output()];
        let count = random.below(4);
        let outputs = Outputs {
            panel: (random.below(2) == 0).then(|| random.source()),
            report: (random.below(8) != 0).then(|| Report {
                source: random.source(),
                age_ms: random.age(),
                outputs: &connected[..count],
            }),
        };
        let decision = check(&demand, random.device(), random.term(), &outputs);
        statuses[usize::from(decision.status.code())] += 1;
    }
    // No status that can come out is rare enough to have been missed.
    for status in [
        KeyStatus::Usable,
        KeyStatus::UsableInFuture,
        KeyStatus::Expired,
        KeyStatus::OutputRestricted,
        KeyStatus::OutputDownscaled,
        KeyStatus::StatusPending,
    ] {
        assert!(statuses[usize::from(status.code())] > 1000, "{statuses:?}");
    }
}

/// What one may do with a decision: nothing, or show so many pixels.
fn use_of(decision: &Decision) -> Allowance {
    match decision.status {
        KeyStatus::Usable | KeyStatus::OutputDownscaled => decision.largest,
        _ => Allowance::Nothing,
    }
}

#[test]
fn more_strictness_never_allows_more() {
    let mut random = Random::new(0x0571);
    for _ in 0..ROUNDS / 4 {
        let (one, two) = (random.policy(), random.policy());
        let both = one.stricter(&two);
        assert_eq!(both.stricter(&one), both, "{one:?} {two:?}");
        let content = random.content();
        let device = random.device();
        let mut connected = [random.output(), random.output()];
        let (panel, source) = (Some(random.source()), random.source());
        let decided = |policy: &OutputPolicy, connected: &[Output]| {
            let outputs = Outputs {
                panel,
                report: Some(Report {
                    source,
                    age_ms: 0,
                    outputs: connected,
                }),
            };
            decide(&Demand { policy, content }, device, Term::Running, &outputs)
        };
        let strict = decided(&both, &connected);
        for loose in [&one, &two] {
            // A platform's panel may stand in where the host's report no longer counts.
            if source == Source::Host
                && both.trusted_outputs_required() != loose.trusted_outputs_required()
            {
                continue;
            }
            let loose = decided(loose, &connected);
            assert!(
                strict.largest <= loose.largest,
                "{one:?} {two:?} {connected:?}"
            );
            assert!(
                use_of(&strict) <= use_of(&loose),
                "{one:?} {two:?} {connected:?}"
            );
        }
        let before = decided(&one, &connected);
        connected[0] = random.weakened(connected[0]);
        let weaker = decided(&one, &connected);
        assert!(weaker.largest <= before.largest, "{one:?} {connected:?}");
        assert!(use_of(&weaker) <= use_of(&before), "{one:?} {connected:?}");
        // One output less is never worse.
        let fewer = decided(&one, &connected[..1]);
        assert!(weaker.largest <= fewer.largest);
    }
}

#[test]
fn combining_is_what_it_should_be() {
    let mut random = Random::new(0xc0b1);
    for _ in 0..10_000 {
        let (one, two) = (random.policy(), random.policy());
        assert_eq!(one.stricter(&OutputPolicy::UNSPECIFIED), one.stricter(&one));
        let both = one.stricter(&two);
        assert!(both.min_security >= one.min_security.max(two.min_security));
        assert!(both.demands_nothing() <= one.demands_nothing());
    }
}

fn limits() -> [PictureLimit; 4] {
    let limit = |pixels| PictureLimit::Pixels(NonZeroU32::new(pixels).unwrap());
    [
        PictureLimit::Unspecified,
        PictureLimit::Unlimited,
        limit(519_999),
        limit(2_073_600),
    ]
}

fn contents() -> Vec<Content> {
    let sizes = SIZES.map(|size| Content::Picture(NonZeroU32::new(size)));
    [Content::Sound, Content::Picture(None)]
        .into_iter()
        .chain(sizes)
        .collect()
}

/// Every content on every device, with one output that the platform reports.
fn with_one(policy: &OutputPolicy, output: Output) {
    let outputs = Outputs {
        panel: None,
        report: Some(Report {
            source: Source::Platform,
            age_ms: 0,
            outputs: &[output],
        }),
    };
    for content in contents() {
        for scales in [false, true] {
            let level = Level::High;
            let device = Device { level, scales };
            check(&Demand { policy, content }, device, Term::Running, &outputs);
        }
    }
}

#[test]
fn grid_of_digital_outputs() {
    let kinds = [
        OutputKind::Internal,
        OutputKind::Hdmi,
        OutputKind::Wireless,
        OutputKind::Recording,
        OutputKind::Unknown,
    ];
    let pictures = [None, NonZeroU32::new(519_999), NonZeroU32::new(520_001)];
    let mut demands = vec![
        DigitalVideo::Unspecified,
        DigitalVideo::AllowAny,
        DigitalVideo::Block,
    ];
    for hdcp in LINKS {
        demands.push(DigitalVideo::HdcpBestEffort(hdcp));
        demands.push(DigitalVideo::HdcpOrConstrain(hdcp));
        demands.push(DigitalVideo::HdcpRequired(hdcp));
    }
    for digital_video in demands {
        for limit in limits() {
            let policy = OutputPolicy {
                digital_video,
                max_res_uncompressed_digital: limit,
                ..OutputPolicy::UNSPECIFIED
            };
            for kind in kinds {
                for hdcp in LINKS.map(Some).into_iter().chain([None]) {
                    for picture in pictures {
                        let output = Output {
                            hdcp,
                            picture,
                            ..Output::of(kind)
                        };
                        with_one(&policy, output);
                    }
                }
            }
        }
    }
}

#[test]
fn grid_of_analogue_outputs() {
    let mut demands = vec![
        AnalogVideo::Unspecified,
        AnalogVideo::AllowAny,
        AnalogVideo::Block,
    ];
    for state in CgmsA::ALL {
        demands.push(AnalogVideo::CgmsBestEffort(*state));
        demands.push(AnalogVideo::CgmsRequired(*state));
    }
    for analog_video in demands {
        for limit in limits() {
            for flags in 0..16_u8 {
                let flag = |bit: u8| flags & (1 << bit) != 0;
                let policy = OutputPolicy {
                    analog_video,
                    agc: flag(0),
                    color_stripe: flag(1),
                    max_res_analog: limit,
                    ..OutputPolicy::UNSPECIFIED
                };
                for cgms_a in CgmsA::ALL.iter().copied().map(Some).chain([None]) {
                    for kind in [OutputKind::AnalogComposite, OutputKind::AnalogComponent] {
                        let output = Output {
                            cgms_a,
                            agc: flag(2),
                            color_stripe: flag(3),
                            picture: NonZeroU32::new(414_720),
                            ..Output::of(kind)
                        };
                        with_one(&policy, output);
                    }
                }
            }
        }
    }
}

#[test]
fn grid_of_sound_and_other_ways() {
    let digital = [
        DigitalVideo::AllowAny,
        DigitalVideo::HdcpOrConstrain(LINKS[0]),
        DigitalVideo::HdcpRequired(LINKS[5]),
        DigitalVideo::Block,
    ];
    for demand in DigitalAudio::ALL {
        for digital_video in digital {
            for flags in 0..16_u8 {
                let flag = |bit: u8| flags & (1 << bit) != 0;
                let permission = Permission::allow_if(flag(0));
                let policy = OutputPolicy {
                    digital_video,
                    digital_audio_uncompressed: *demand,
                    digital_audio_compressed: match flag(1) {
                        true => DigitalAudio::Block,
                        false => *demand,
                    },
                    compressed_digital_video: match (flag(1), flag(2)) {
                        (true, true) => CompressedVideo::Block,
                        (true, false) => CompressedVideo::HdcpRequired,
                        (false, _) => CompressedVideo::Unspecified,
                    },
                    airplay: permission,
                    av_adapter: permission,
                    export_dtcp: permission,
                    recording: match flag(0) {
                        true => Recording::Unrestricted,
                        false => Recording::Restricted,
                    },
                    ..OutputPolicy::UNSPECIFIED
                };
                for kind in OutputKind::ALL {
                    for sound in SoundForm::ALL {
                        for hdcp in [None, Some(LINKS[0]), Some(LINKS[5])] {
                            let output = Output {
                                hdcp,
                                scms: flag(3),
                                sound: *sound,
                                ..Output::of(*kind)
                            };
                            with_one(&policy, output);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn grid_of_levels_terms_and_sources() {
    let sources = [None, Some(Source::Host), Some(Source::Platform)];
    let least = [MinSecurity::Unspecified, MinSecurity::Deny]
        .into_iter()
        .chain(Level::ALL.iter().copied().map(MinSecurity::AtLeast));
    let output = [Output::of(OutputKind::Hdmi)];
    for min_security in least {
        for secure_media_path in SecureMediaPath::ALL {
            for trusted_outputs in TrustedOutputs::ALL {
                for digital_video in [DigitalVideo::Unspecified, DigitalVideo::Block] {
                    let policy = OutputPolicy {
                        min_security,
                        secure_media_path: *secure_media_path,
                        trusted_outputs: *trusted_outputs,
                        digital_video,
                        max_res_device: PictureLimit::CONSTRAINED,
                        ..OutputPolicy::UNSPECIFIED
                    };
                    let demand = Demand {
                        policy: &policy,
                        content: Content::Picture(None),
                    };
                    for (panel, source) in sources
                        .iter()
                        .flat_map(|panel| sources.map(|source| (*panel, source)))
                    {
                        for age_ms in [0, 1999, 2000, 2001, u64::MAX] {
                            for connected in [&output[..0], &output] {
                                let report = source.map(|source| Report {
                                    source,
                                    age_ms,
                                    outputs: connected,
                                });
                                for term in [Term::Running, Term::Future, Term::Pending, Term::Over]
                                {
                                    for level in Level::ALL {
                                        let outputs = Outputs { panel, report };
                                        check(&demand, Device::of(*level), term, &outputs);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn terms() {
    for (begin, end, now, wanted) in [
        (None, None, None, Term::Running),
        (None, None, Some(0), Term::Running),
        (Some(10), None, None, Term::Pending),
        (None, Some(10), None, Term::Pending),
        (Some(10), None, Some(9), Term::Future),
        (Some(10), None, Some(10), Term::Running),
        (None, Some(10), Some(9), Term::Running),
        (None, Some(10), Some(10), Term::Over),
        // A term that ends before it begins is over, not to come.
        (Some(20), Some(10), Some(15), Term::Over),
    ] {
        assert_eq!(
            Term::of(begin, end, now),
            wanted,
            "{begin:?} {end:?} {now:?}"
        );
    }
}

#[test]
fn reasons_are_bounded_and_told_once() {
    let policy = OutputPolicy {
        digital_video: DigitalVideo::Block,
        analog_video: AnalogVideo::Block,
        agc: true,
        color_stripe: true,
        airplay: Permission::Block,
        av_adapter: Permission::Block,
        export_dtcp: Permission::Block,
        recording: Recording::Restricted,
        ..OutputPolicy::UNSPECIFIED
    };
    let mut connected = OutputKind::ALL
        .iter()
        .copied()
        .map(Output::of)
        .collect::<Vec<_>>();
    connected.extend_from_within(..);
    let decided = |connected: &[Output]| {
        let outputs = Outputs {
            panel: None,
            report: Some(Report {
                source: Source::Host,
                age_ms: 0,
                outputs: connected,
            }),
        };
        let demand = Demand {
            policy: &policy,
            content: Content::Picture(None),
        };
        decide(&demand, Device::of(Level::Low), Term::Running, &outputs)
    };
    assert_eq!(decided(&connected).reasons.iter().count(), Reasons::MAX);
    let twice = [Output::of(OutputKind::Hdmi); 2];
    let told: Vec<_> = decided(&twice)
        .reasons
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        ["digital_video on hdmi: found no HDCP", "host-reported"]
    );
}
