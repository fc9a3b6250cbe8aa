#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use keybearer_rules::{CgmsA, Hdcp, HdcpVersion, SoundForm, Type1Version};
use keybearer_wire::body::KeyStatus::{OutputRestricted, Usable};
use keybearer_wire::{Command, Status};

use super::*;
use crate::fake::{FakeTee, key_report, license, license_of};
use crate::{AnchorDigest, Cancel, ClientError, Device, Session};

const TICK: Duration = Duration::from_secs(60);

fn session(tee: &FakeTee) -> Session {
    let anchor = AnchorDigest([1; 32]);
    let link = Device::connect(tee).unwrap().open_link(&anchor, b"info");
    Session::with_tick(link.unwrap(), anchor, Cancel::new(), TICK)
}

fn hdmi(hdcp: Option<Hdcp>) -> Vec<Output> {
    vec![Output {
        hdcp,
        ..Output::of(OutputKind::Hdmi)
    }]
}

const TYPE_1: Option<Hdcp> = Some(Hdcp::Type1(Type1Version::V2_2));

/// Sequence numbers and HDCP versions of all reports so far.
fn heard(tee: &FakeTee) -> Vec<(u64, Vec<u8>)> {
    let state = tee.state();
    let reports = state.reported.iter();
    reports
        .map(|report| {
            let outputs = report.outputs.0.iter();
            let versions = outputs.map(|output| output.hdcp_version).collect();
            (report.sequence, versions)
        })
        .collect()
}

#[test]
fn every_field_of_an_output_is_reported() {
    let output = Output {
        kind: OutputKind::AnalogComposite,
        hdcp: Some(Hdcp::Type0(HdcpVersion::V1)),
        cgms_a: Some(CgmsA::CopyNever),
        agc: true,
        color_stripe: true,
        scms: true,
        sound: SoundForm::Compressed,
        picture: NonZeroU32::new(1000),
    };
    let wire = OutputReport {
        kind: OutputKind::AnalogComposite.code(),
        hdcp_version: HdcpVersion::V1.code(),
        hdcp_stream_type: 0,
        cgms_a: CgmsA::CopyNever.code(),
        agc: true,
        color_stripe: true,
        scms: true,
        sound: SoundForm::Compressed.code(),
        picture: Some(1000),
    };
    assert_eq!(stated(&[output]), [wire]);
    let typed = stated(&hdmi(TYPE_1));
    let hdcp = (HdcpVersion::V2_2.code(), 1);
    assert_eq!((typed[0].hdcp_version, typed[0].hdcp_stream_type), hdcp);
    assert_eq!(stated(&hdmi(None))[0].hdcp_version, 0);
}

#[test]
fn outputs_without_a_place_are_reported_as_unknown() {
    let many = hdmi(TYPE_1).repeat(MAX_OUTPUTS + 1);
    let kinds = stated(&many).into_iter().map(|output| output.kind);
    let kinds: Vec<u8> = kinds.collect();
    assert_eq!(kinds.len(), MAX_OUTPUTS);
    assert_eq!(kinds.last(), Some(&OutputKind::Unknown.code()));
    let full = stated(&many[..MAX_OUTPUTS]);
    assert!(full.iter().all(|it| it.kind == OutputKind::Hdmi.code()));
}

#[test]
fn reports_are_numbered_and_a_new_connection_begins_anew() {
    let tee = FakeTee::default();
    let first = session(&tee);
    first.report_outputs(&hdmi(TYPE_1)).unwrap();
    first.report_outputs(&hdmi(None)).unwrap();
    // A report that is refused has used its number up.
    tee.state().refuse = Some((Command::ReportOutputs, Status::NotSupported));
    let refused = first.report_outputs(&[]).unwrap_err();
    assert!(
        matches!(
            refused,
            ClientError::Refused {
                status: Status::NotSupported,
                ..
            }
        ),
        "{refused}"
    );
    first.report_outputs(&[]).unwrap();
    let version = HdcpVersion::V2_2.code();
    let told = [(1, vec![version]), (2, vec![0]), (4, vec![])];
    assert_eq!(heard(&tee), told);
    session(&tee).report_outputs(&[]).unwrap();
    assert_eq!(heard(&tee).last(), Some(&(1, vec![])));
}

#[test]
fn a_source_is_asked_at_each_look_and_repeats_itself_once_a_second() {
    let tee = FakeTee::default();
    let session = session(&tee);
    let outputs = ActiveOutputs::new(hdmi(TYPE_1));
    session.follow_outputs(outputs.clone());
    session.statuses().unwrap();
    session.statuses().unwrap();
    assert_eq!(heard(&tee).len(), 1, "nothing has changed");
    outputs.set(Some(hdmi(None)));
    session.statuses().unwrap();
    assert_eq!(heard(&tee).last(), Some(&(2, vec![0])), "at once");
    outputs.set(None);
    session.statuses().unwrap();
    assert_eq!(heard(&tee).len(), 2, "what cannot be told is not");
    outputs.set(Some(hdmi(None)));
    session.statuses().unwrap();
    assert_eq!(heard(&tee).len(), 2);
    // Well within the two seconds for which it counts.
    let begin = Instant::now();
    while heard(&tee).len() < 3 {
        session.statuses().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let passed = begin.elapsed();
    assert!(
        passed < Duration::from_millis(MAX_REPORT_AGE_MS),
        "{passed:?}"
    );
    session.unfollow_outputs();
    outputs.set(Some(vec![]));
    session.statuses().unwrap();
    assert_eq!(heard(&tee).len(), 3);
}

/// What is reported beside a source lasts until that is asked next, also where the source says what it
/// said before.
#[test]
fn a_source_that_says_the_same_again_replaces_a_report_of_its_own() {
    let tee = FakeTee::default();
    let session = session(&tee);
    session.follow_outputs(ActiveOutputs::new(hdmi(None)));
    session.statuses().unwrap();
    session.report_outputs(&hdmi(TYPE_1)).unwrap();
    session.statuses().unwrap();
    let by_source = heard(&tee)[0].1.clone();
    let (last, content) = heard(&tee).last().unwrap().clone();
    assert_eq!((last, &content), (3, &by_source));
    assert_ne!(heard(&tee)[1].1, by_source);
    // Whether it was taken that had no answer nobody knows.
    tee.state().refuse = Some((Command::ReportOutputs, Status::OutOfMemory));
    session.report_outputs(&[]).unwrap_err();
    session.statuses().unwrap();
    assert_eq!(heard(&tee).last().unwrap().1, by_source);
    assert_eq!(heard(&tee).len(), 4);
}

#[test]
fn a_platform_with_a_monitor_is_told_nothing_more_until_it_is_opened_anew() {
    let tee = FakeTee::default();
    let network = crate::fake::FakeNetwork::default();
    let client = crate::fake::client(&tee, &network);
    let session = client.open_session().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    session.follow_outputs(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Some(vec![])
    });
    tee.state().refuse = Some((Command::ReportOutputs, Status::NotSupported));
    session.statuses().unwrap();
    session.statuses().unwrap();
    assert_eq!((asked.load(Ordering::Relaxed), heard(&tee).len()), (1, 0));
    client.reopen(&session).unwrap();
    session.statuses().unwrap();
    assert_eq!(heard(&tee), [(1, vec![])], "the new connection may hear it");
}

#[test]
fn what_else_a_report_meets_is_an_error_of_the_call() {
    let tee = FakeTee::default();
    let session = session(&tee);
    session.follow_outputs(ActiveOutputs::new(vec![]));
    tee.state().refuse = Some((Command::ReportOutputs, Status::OutOfMemory));
    let error = session.statuses().unwrap_err();
    assert!(error.to_string().starts_with("reporting the outputs"));
    session.statuses().unwrap();
    assert_eq!(heard(&tee).len(), 1, "and it is tried again");
}

/// A subscriber hears of what a report changes with the report, although nothing else is asked.
#[test]
fn a_report_brings_the_changes_it_makes() {
    let tee = FakeTee::default();
    let session = session(&tee);
    tee.hold(vec![license(1, 7, Usable), license(2, 8, Usable)]);
    let events = session.subscribe().unwrap();
    let mut restricted = key_report([7; 16], OutputRestricted);
    restricted.largest_picture = Some(400_000);
    let mut smaller = key_report([8; 16], Usable);
    smaller.largest_picture = Some(500_000);
    tee.hold(vec![
        license_of(1, vec![restricted]),
        license_of(2, vec![smaller]),
    ]);
    session.report_outputs(&hdmi(None)).unwrap();
    let cancel = Cancel::new();
    let next = || events.next(Some(Duration::ZERO), &cancel).unwrap();
    let change = next().unwrap();
    assert_eq!(change.key_id, [7; 16]);
    assert_eq!(
        (change.old, change.new),
        (Some(Usable), Some(OutputRestricted))
    );
    assert_eq!(change.largest_picture, Some(400_000));
    let change = next().unwrap();
    assert_eq!((change.old, change.new), (Some(Usable), Some(Usable)));
    let pictures = (change.old_largest_picture, change.largest_picture);
    assert_eq!(pictures, (None, Some(500_000)), "the picture alone");
    assert_eq!(next(), None);
}
