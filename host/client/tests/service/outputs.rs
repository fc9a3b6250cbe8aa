//! Outputs that a host reports, against the real core: what a key then may do, at once and key by key.

use std::fs::File;
use std::thread;
use std::time::Duration;

use keybearer_client::{
    ActiveOutputs, Cancel, Client, ClientError, DecryptCall, KeyId, KeyStatus, LicenseWanted,
    Output, ReasonField, Session, Status, TrackType,
};
use keybearer_media::{BatchLimit, MediaReader, Part, Protection};
use keybearer_rules::{DigitalVideo, Hdcp, OutputKind, Type1Version};
use keybearer_wire::{SampleTableBuilder, SubsampleEntry};

use crate::world::{World, content, sample_file, sample_path};

const DEMANDED: Hdcp = Hdcp::Type1(Type1Version::V2_2);
/// More than an HDCP-less link may carry under [`DigitalVideo::HdcpOrConstrain`].
const HD: TrackType = TrackType::Hd;

/// A few samples as one call takes them.
struct Call {
    key: KeyId,
    track_type: TrackType,
    protection: Protection,
    table: SampleTableBuilder,
    media: Vec<u8>,
}

impl Call {
    fn run(&self, session: &Session) -> Result<Vec<u8>, ClientError> {
        let mut media = self.media.clone();
        let call = DecryptCall {
            key_id: self.key,
            license: None,
            track_type: self.track_type,
            protection: &self.protection,
            duration_ms: 200,
            picture: None,
            samples: &self.table,
        };
        session.decrypt(&call, &mut media).map(|()| media)
    }
}

/// The protected samples of a file, five to a call.
fn calls(file: &str, track_type: TrackType) -> Vec<Call> {
    let mut reader = MediaReader::open(File::open(sample_path(file)).unwrap()).unwrap();
    let limit = BatchLimit {
        samples: 5,
        ..BatchLimit::UNLIMITED
    };
    let mut calls = Vec::new();
    while let Some(part) = reader.next_part().unwrap() {
        let Part::Fragment(fragment) = part else {
            continue;
        };
        let (tracks, media) = fragment.split();
        for batch in tracks.iter().flat_map(|track| track.batches(limit)) {
            let mut table = SampleTableBuilder::default();
            for sample in batch.samples() {
                let parts = batch.subsamples(sample).iter();
                let parts = parts.map(|part| SubsampleEntry {
                    clear: part.clear,
                    protected: part.protected,
                });
                let pushed = table.push(sample.iv.as_slice(), sample.size, parts);
                pushed.unwrap();
            }
            calls.push(Call {
                key: batch.key_id().unwrap(),
                track_type,
                protection: *batch.protection().unwrap(),
                table,
                media: media[batch.range()].to_vec(),
            });
        }
    }
    assert!(calls.len() >= 5, "{file}");
    calls
}

/// An HD key and an SD key of one content, and of one licence, under one rule: HDCP 2.2 with type 1, or a
/// small picture.
fn licensed(world: &World) -> (Client, Session) {
    let [mut both, sd] = ["cenc-video.mp4", "cenc-av1.mp4"].map(|file| content(&sample_file(file)));
    both.keys[0].track = HD;
    both.keys.extend(sd.keys);
    for key in &mut both.keys {
        key.policy.digital_video = DigitalVideo::HdcpOrConstrain(DEMANDED);
    }
    let key_ids = both.keys.iter().map(|key| key.kid.0).collect();
    world.put(both);
    let client = world.device("device");
    let session = client.open_session().unwrap();
    let wanted = LicenseWanted {
        key_ids,
        ..LicenseWanted::default()
    };
    assert_eq!(client.acquire(&session, &wanted).unwrap().keys.len(), 2);
    (client, session)
}

fn hdmi(hdcp: Option<Hdcp>) -> Option<Vec<Output>> {
    let mut output = Output::of(OutputKind::Hdmi);
    output.hdcp = hdcp;
    Some(vec![Output::of(OutputKind::Internal), output])
}

#[track_caller]
fn refused(result: Result<Vec<u8>, ClientError>) {
    let refused = matches!(
        result,
        Err(ClientError::Refused {
            status: Status::KeyNotUsable,
            ..
        })
    );
    assert!(refused, "{result:?}");
}

#[test]
fn hdcp_dropped_mid_play_stops_the_hd_key_within_one_call_while_the_sd_key_plays_on() {
    let world = World::new();
    let (_client, session) = licensed(&world);
    let (hd, sd) = (
        calls("cenc-video.mp4", HD),
        calls("cenc-av1.mp4", TrackType::Sd),
    );
    let outputs = ActiveOutputs::new(hdmi(Some(DEMANDED)).unwrap());
    session.follow_outputs(outputs.clone());
    let events = session.subscribe().unwrap();
    let cancel = Cancel::new();
    for (at, (hd, sd)) in hd.iter().zip(&sd).enumerate() {
        match at {
            2 => outputs.set(hdmi(None)),
            4 => outputs.set(hdmi(Some(DEMANDED))),
            _ => {}
        }
        match at {
            2 | 3 => refused(hd.run(&session)),
            _ => assert_ne!(hd.run(&session).unwrap(), hd.media),
        }
        assert_ne!(sd.run(&session).unwrap(), sd.media, "the SD key plays on");
    }

    let next = || events.next(Some(Duration::ZERO), &cancel).unwrap();
    let dropped = next().unwrap();
    assert_eq!(dropped.key_id, hd[0].key);
    let usable = Some(KeyStatus::Usable);
    let restricted = Some(KeyStatus::OutputRestricted);
    assert_eq!((dropped.old, dropped.new), (usable, restricted));
    let reasons = dropped.reasons.iter();
    let fields: Vec<ReasonField> = reasons.map(|reason| reason.field).collect();
    assert_eq!(
        fields,
        [ReasonField::DigitalVideo, ReasonField::HostReported]
    );
    let reason = &dropped.reasons[0];
    let demanded = i64::from(DEMANDED.number());
    assert_eq!((reason.wanted, reason.found), (Some(demanded), Some(0)));
    let sd_picture = dropped.largest_picture.unwrap();
    assert!((442_368..2_073_600).contains(&sd_picture), "{sd_picture}");
    // The SD key stays what it was; only how large a picture it might have changes.
    let of_sd = next().unwrap();
    assert_eq!((of_sd.old, of_sd.new), (usable, usable));
    assert_eq!(of_sd.largest_picture, Some(sd_picture));
    let back = next().unwrap();
    assert_eq!((back.key_id, back.new), (hd[0].key, usable));
}

#[test]
fn without_a_report_a_key_with_rules_of_outputs_plays_on_no_connector() {
    let world = World::new();
    let (_client, session) = licensed(&world);
    let hd = &calls("cenc-video.mp4", HD)[0];
    refused(hd.run(&session));
    let [none, one] = [hdmi(None), hdmi(Some(DEMANDED))].map(Option::unwrap);
    session.report_outputs(&none).unwrap();
    refused(hd.run(&session));
    session.report_outputs(&one).unwrap();
    hd.run(&session).unwrap();
    let status = session.statuses().unwrap();
    let key = status.key(&hd.key).unwrap();
    assert_eq!(key.status, KeyStatus::Usable);
    assert_eq!(key.reasons[0].field, ReasonField::HostReported);
}

/// A host that hangs is not believed for longer than two seconds; one that is asked is.
#[test]
fn a_report_counts_for_two_seconds_and_a_source_for_as_long_as_it_answers() {
    let world = World::new();
    let (_client, session) = licensed(&world);
    let hd = &calls("cenc-video.mp4", HD)[0];
    session
        .report_outputs(&hdmi(Some(DEMANDED)).unwrap())
        .unwrap();
    hd.run(&session).unwrap();
    thread::sleep(Duration::from_millis(2_050));
    refused(hd.run(&session));
    session.follow_outputs(|| hdmi(Some(DEMANDED)));
    hd.run(&session).unwrap();
    thread::sleep(Duration::from_millis(2_050));
    hd.run(&session).unwrap();
}

/// What is refused names rule, wanted, found and the picture that would do.
#[test]
fn a_wait_for_a_restricted_key_says_why_and_what_would_do() {
    let world = World::new();
    let (_client, session) = licensed(&world);
    let hd = calls("cenc-video.mp4", HD)[0].key;
    session.follow_outputs(ActiveOutputs::new(hdmi(None).unwrap()));
    let waited = session.wait_usable(&[hd], Some(Duration::ZERO), &Cancel::new());
    let text = waited.unwrap_err().to_string();
    for said in [
        "hdmi",
        "wanted HDCP 2.2 type 1",
        "found no HDCP",
        "a picture of at most",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
