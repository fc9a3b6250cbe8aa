//! What usage rules cost while content plays: the same batch under a key whose policy demands nothing,
//! and under one that demands something of every kind of output while a fresh report shows several.
//!
//! The core runs in this process and on this thread, so that nothing but the core's own work is
//! compared. Beside them the same policy is decided by itself.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_bench::report::Report;
use keybearer_bench::rounds::{Contender, ratio, take_turns, thread_time};
use keybearer_crypto::Secret;
use keybearer_license::{IvKind, KeyId, Scheme, TrackType};
use keybearer_rules::{
    Column, Content, Demand, Device, Drm, Level, Output, OutputKind, OutputPolicy, Outputs,
    Readings, Report as OutputsReport, Rules, Source, Term, decide,
};
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tests::bare::Bare;
use keybearer_tests::post;
use keybearer_tests::samples::{Sample, SampleTrack};
use keybearer_tests::service::Service;
use keybearer_wire::body::{OutputReport, ReportOutputs};
use keybearer_wire::field::List;

const ROUNDS: usize = 25;
/// Calls of one round, so that a round is long beside the clock's grain.
const CALLS: usize = 48;
/// Bytes of a batch: about two seconds of video at 4 Mbit/s, and of one of its samples.
const BATCH: usize = 1 << 20;
const SAMPLE: usize = 16 << 10;
/// Decisions that are timed together.
const DECISIONS: u32 = 1_000_000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let service = Service::start(&[]);
    let registry = service.server().registry();
    for (id, policy) in [("free", OutputPolicy::UNSPECIFIED), ("full", full())] {
        let mut key = KeySpec::new(
            KeyId(kid(id)),
            Secret::copied_from(&[7; 16]),
            TrackType::Sd,
            Scheme::Cenc,
        );
        // As the calls below state them.
        key.iv = IvKind::PerSample16;
        key.policy = policy;
        let put = registry.put_content(ContentSpec::open(id, vec![key]));
        put.expect("the content is acceptable");
    }
    let options = BackendOptions::new(folder.path().join("device"));
    let (tee, _) = detect(BackendChoice::InProcess, &options).expect("software is always there");
    service
        .provisioned(tee.clone())
        .expect("the device is certified");
    let session = |id: &str| {
        let url = service.server().url();
        let info = post::service_info(&url).expect("the service answers");
        let mut bare = Bare::open(&*tee, service.anchor(), &info).expect("a session");
        bare.acquire(&url, kid(id)).expect("a licence");
        Playing {
            bare,
            track: sample(id),
            sequence: 0,
            data: vec![0x5a; BATCH],
        }
    };
    let (mut free, mut full, mut chatty) = (session("free"), session("full"), session("full"));
    let mut report = Report::new(
        "A batch of a MiB: how many times as long it takes under a full policy (aim: 1.01)",
        &["policy", "us a batch", "full / free"],
    );
    let figures = take_turns(
        ROUNDS,
        vec![
            Contender::new("demands nothing", || calls(&mut free, |_, _| ())),
            Contender::new("full, one report for all", || {
                // What counts is the report's presence; a host sends one a second.
                calls(&mut full, |playing, call| {
                    if call == 0 {
                        playing.tell();
                    }
                })
            }),
            Contender::new("full, a report before each batch", || {
                calls(&mut chatty, |playing, _| playing.tell())
            }),
        ],
    );
    for figure in &figures {
        report.row([
            figure.name.to_owned(),
            format!("{:.1}", figure.median.as_secs_f64() * 1e6 / CALLS as f64),
            format!("{:.4}", ratio(&figures[0], figure)),
        ]);
    }
    report.print();
    let mut report = Report::new("One decision (aim: below 1000 ns)", &["policy", "ns"]);
    report.row(["full".to_owned(), format!("{:.0}", decision())]);
    report.print();
}

/// Something is demanded of every kind of output: PlayReady's column HD.
fn full() -> OutputPolicy {
    Rules::column(Drm::PlayReady, Column::Hd).policy(&Readings::default())
}

fn kid(id: &str) -> [u8; 16] {
    let mut kid = [0x6b; 16];
    kid[..id.len()].copy_from_slice(id.as_bytes());
    kid
}

/// What a call needs to know of the track.
fn sample(id: &str) -> Sample {
    Sample {
        file: String::new(),
        scheme: "cenc".into(),
        clear: String::new(),
        rotation: false,
        tracks: vec![SampleTrack {
            kind: "video".into(),
            kid: kid(id),
            key: [7; 16],
        }],
    }
}

/// A session with its track, the number of its next report, and a batch that is decrypted over and over.
struct Playing {
    bare: Bare,
    track: Sample,
    sequence: u64,
    data: Vec<u8>,
}

impl Playing {
    /// Says that a panel and a display under HDCP are connected.
    fn tell(&mut self) {
        self.sequence += 1;
        let outputs = [(OutputKind::Internal, 0, 1), (OutputKind::Hdmi, 4, 2)].map(
            |(kind, hdcp_version, sound)| OutputReport {
                kind: kind.code(),
                hdcp_version,
                hdcp_stream_type: u8::from(hdcp_version > 0),
                cgms_a: 0,
                agc: false,
                color_stripe: false,
                scms: false,
                sound,
                picture: None,
            },
        );
        let report = ReportOutputs {
            sequence: self.sequence,
            outputs: List(outputs.to_vec()),
        };
        let taken = self.bare.connection.exchange(&report);
        taken.expect("each report is newer than the last");
    }
}

/// One round: CPU time of this thread, on which the core runs.
fn calls(playing: &mut Playing, mut before: impl FnMut(&mut Playing, usize)) -> Duration {
    let begin = thread_time();
    for call in 0..CALLS {
        before(playing, call);
        let Playing {
            bare, track, data, ..
        } = &mut *playing;
        let done = bare.decrypt_batch(track, data, SAMPLE);
        done.expect("the key is usable");
    }
    thread_time() - begin
}

/// Nanoseconds of one decision on the full policy, with a report like the one above.
fn decision() -> f64 {
    let policy = full();
    let demand = Demand {
        policy: &policy,
        content: Content::Picture(None),
    };
    let outputs = [
        Output::of(OutputKind::Internal),
        Output::of(OutputKind::Hdmi),
    ];
    let known = Outputs {
        panel: None,
        report: Some(OutputsReport {
            source: Source::Host,
            age_ms: 0,
            outputs: &outputs,
        }),
    };
    let begin = Instant::now();
    for _ in 0..DECISIONS {
        let device = Device::of(Level::Low);
        black_box(decide(
            black_box(&demand),
            device,
            Term::Running,
            black_box(&known),
        ));
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(DECISIONS)
}
