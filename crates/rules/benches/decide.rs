//! Nanoseconds of one decision: every built-in column of every DRM in ten situations of the outputs.
//! The aim is less than a microsecond.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Instant;

use keybearer_rules::{
    CgmsA, Column, Content, Demand, Device, Drm, Hdcp, HdcpVersion, Level, Output, OutputKind,
    OutputPolicy, Outputs, Readings, Report, Rules, Source, Term, Type1Version, decide,
};

/// Rounds over all cases; the fastest counts, since nothing makes a decision faster than it is.
const ROUNDS: usize = 2000;

fn main() {
    let policies: Vec<OutputPolicy> = Drm::ALL
        .iter()
        .flat_map(|drm| Column::ALL.iter().map(|column| (*drm, *column)))
        .map(|(drm, column)| Rules::column(drm, column).policy(&Readings::default()))
        .collect();
    let situations = situations();
    let cases = policies.len() * situations.len();
    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for policy in &policies {
            for outputs in &situations {
                let known = Outputs {
                    panel: None,
                    report: Some(Report {
                        source: Source::Platform,
                        age_ms: 0,
                        outputs,
                    }),
                };
                let content = Content::Picture(NonZeroU32::new(2_073_600));
                let demand = Demand { policy, content };
                let device = Device::of(Level::High);
                black_box(decide(
                    black_box(&demand),
                    device,
                    Term::Running,
                    black_box(&known),
                ));
            }
        }
        let each = started.elapsed().as_secs_f64() * 1e9 / cases as f64;
        fastest = fastest.min(each);
    }
    println!("decide: {fastest:.0} ns each over {cases} cases (aim: below 1000)");
}

fn situations() -> Vec<Vec<Output>> {
    let hdmi = |hdcp| Output {
        hdcp,
        ..Output::of(OutputKind::Hdmi)
    };
    let old = Some(Hdcp::Type0(HdcpVersion::V1));
    let new = Some(Hdcp::Type1(Type1Version::V2_2));
    let analogue = Output::of(OutputKind::AnalogComposite);
    let marked = Output {
        cgms_a: Some(CgmsA::CopyNever),
        ..analogue
    };
    let internal = Output::of(OutputKind::Internal);
    vec![
        vec![],
        vec![internal],
        vec![hdmi(None)],
        vec![hdmi(old)],
        vec![hdmi(new)],
        vec![internal, hdmi(new)],
        vec![internal, hdmi(new), analogue],
        vec![marked],
        vec![Output::of(OutputKind::Wireless)],
        vec![
            Output::of(OutputKind::Recording),
            Output::of(OutputKind::Unknown),
        ],
    ]
}
