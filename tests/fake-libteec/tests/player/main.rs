//! The client library plays real files whose pictures are decoded in the trusted side: the genuine client,
//! backend, core, decoder and service, over a simulated board.
//!
//! The board of most tests poses as a TEE of level High, so that keys can demand it; that of the others is
//! level None, where a host's word about outputs counts.

mod fallback;
mod one_track;
mod refusals;
mod world;

use std::cell::Cell;
use std::time::Duration;

use keybearer_client::{
    ActiveOutputs, ClientError, KeyStatus, Level, Output, ReasonField, Route, TrackBatch,
    UnitReport, Viewer, play_protected,
};
use keybearer_rules::{DigitalVideo, Hdcp, OutputKind, Type1Version};

use world::{Shown, World, ffmpegs_pictures, sample, sound};

/// Every picture that the decoder shows is the one that FFmpeg decodes from the clear original, and the
/// sound, whose key asks for less, is decrypted beside it.
#[test]
fn a_film_is_shown_at_high_as_ffmpeg_decodes_it() {
    for name in ["cenc-both.mp4", "cbcs-both.mp4"] {
        let world = World::high(&[name], |key, picture| {
            key.lowest_level = if picture { Level::High } else { Level::Low };
        });
        let (protected, clear) = world.sessions();
        for route in [Route::Pictures, Route::AsNeeded] {
            let mut player = world.player(&protected, &clear, route);
            let mut shown = Shown::default();
            let summary = play_protected(&sample(name), &mut player, &mut shown).expect(name);
            assert_eq!(shown.digests, ffmpegs_pictures(), "{name} {route:?}");
            assert_eq!(
                (summary.units, summary.accepted, summary.presented),
                (50, 50, 50)
            );
            assert_eq!((summary.rejected, summary.lost, summary.stopped), (0, 0, 0));
            assert_eq!((summary.track, summary.clear_samples), (Some(1), 95));
            assert!(shown.sound == sound(), "{name} {route:?}");
            // Presented in another order than decoded, each once.
            let mut order = shown.times.clone();
            assert!(!order.is_sorted(), "the clip has pictures out of order");
            order.sort_unstable();
            assert!(order.into_iter().eq(0..50));
        }
        assert_eq!(
            world.levels_in_the_log(),
            ["medium", "high"],
            "{name}: evidence"
        );
    }
}

/// A clear lead, keys that rotate by sample groups, whole files with one key.
#[test]
fn other_files_play_at_high_too() {
    for name in ["cenc-video.mp4", "cbcs-video.mp4", "cenc-lead-video.mp4"] {
        let world = World::high(&[name], |key, _| key.lowest_level = Level::High);
        let (protected, clear) = world.sessions();
        let mut player = world.player(&protected, &clear, Route::Pictures);
        let mut shown = Shown::default();
        let summary = play_protected(&sample(name), &mut player, &mut shown).expect(name);
        assert_eq!(shown.digests, ffmpegs_pictures(), "{name}");
        assert_eq!((summary.accepted, summary.clear_samples), (50, 0), "{name}");
    }
    for route in [Route::Pictures, Route::AsNeeded] {
        let name = "cenc-periods-video.mp4";
        let world = World::high(&[name], |key, _| key.lowest_level = Level::High);
        let (protected, clear) = world.sessions();
        let mut player = world.player(&protected, &clear, route);
        let mut shown = Shown::default();
        let summary = play_protected(&sample(name), &mut player, &mut shown).expect(name);
        assert_eq!((summary.accepted, summary.presented), (60, 60), "{route:?}");
        let held = player.protected_licenses().licenses();
        assert_eq!(
            held.iter().map(|license| license.keys.len()).sum::<usize>(),
            4
        );
    }
}

const DEMANDED: Hdcp = Hdcp::Type1(Type1Version::V2_2);

fn hdmi(hdcp: Option<Hdcp>) -> Option<Vec<Output>> {
    Some(vec![Output {
        hdcp,
        ..Output::of(OutputKind::Hdmi)
    }])
}

/// Drops HDCP for a stretch of the film, and notes what that does.
struct Dropping {
    outputs: ActiveOutputs,
    from: Duration,
    until: Duration,
    now: Cell<Duration>,
    /// Numbers of the units that were stopped, and where.
    stopped: Vec<(u64, Duration)>,
    reasons: Vec<ClientError>,
    accepted: Vec<Duration>,
    sound: u64,
}

impl Viewer for Dropping {
    fn at(&mut self, time: Duration) {
        self.now.set(time);
        let dropped = (self.from..self.until).contains(&time);
        self.outputs.set(hdmi((!dropped).then_some(DEMANDED)));
    }

    fn unit(&mut self, report: &UnitReport<'_>) {
        match report.outcome {
            Ok(_) => self.accepted.push(report.time),
            Err(error) => {
                assert!(error.is_restricted_by_outputs(), "{error}");
                self.stopped.push((report.number, report.time));
                let ClientError::KeyNotUsable {
                    key_id,
                    status,
                    reasons,
                    largest_picture,
                } = error
                else {
                    unreachable!("asked above")
                };
                self.reasons.push(ClientError::KeyNotUsable {
                    key_id: *key_id,
                    status: *status,
                    reasons: reasons.clone(),
                    largest_picture: *largest_picture,
                });
            }
        }
    }

    fn clear(&mut self, batch: &TrackBatch<'_>, samples: Result<&[u8], &ClientError>) {
        assert!(samples.is_ok(), "the other key plays on");
        self.sound += batch.batch.samples().len() as u64;
    }
}

#[test]
fn hdcp_dropped_mid_play_stops_the_hd_key_within_one_call_while_the_sd_key_plays_on() {
    let name = "cenc-both.mp4";
    let world = World::simulated(&[name], |key, picture| {
        if picture {
            key.policy.digital_video = DigitalVideo::HdcpRequired(DEMANDED);
        }
    });
    let (protected, clear) = world.sessions();
    let outputs = ActiveOutputs::new(hdmi(Some(DEMANDED)).expect("one"));
    protected.session().follow_outputs(outputs.clone());
    clear.follow_outputs(outputs.clone());
    let events = protected.session().subscribe().expect("followed");
    let mut viewer = Dropping {
        outputs,
        from: Duration::from_millis(200),
        until: Duration::from_millis(400),
        now: Cell::default(),
        stopped: Vec::new(),
        reasons: Vec::new(),
        accepted: Vec::new(),
        sound: 0,
    };
    let mut player = world.player(&protected, &clear, Route::Pictures);
    let summary = play_protected(&sample(name), &mut player, &mut viewer).expect("it goes on");
    // 40 ms a picture: the very first one after the drop is stopped, and none after its end.
    let numbers: Vec<u64> = viewer.stopped.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [5, 6, 7, 8, 9]);
    assert_eq!((summary.stopped, summary.accepted), (5, 45));
    assert_eq!((viewer.sound, summary.clear_samples), (95, 95));
    // What comes back waits for the next IDR picture, at one second: nothing refers to what was left out.
    assert!(
        summary.presented < 45 && summary.presented >= 25 + 3,
        "{}",
        summary.presented
    );
    let said = viewer.reasons[0].to_string();
    assert!(
        said.contains("wanted HDCP 2.2 type 1, found no HDCP"),
        "{said}"
    );

    let cancel = keybearer_client::Cancel::new();
    let changes = std::iter::from_fn(|| events.next(Some(Duration::ZERO), &cancel).expect("heard"));
    let changes: Vec<_> = changes.collect();
    let statuses: Vec<_> = changes.iter().map(|change| change.new).collect();
    let [usable, restricted] = [KeyStatus::Usable, KeyStatus::OutputRestricted].map(Some);
    assert_eq!(statuses, [usable, restricted, usable]);
    assert_eq!(changes[1].reasons[0].field, ReasonField::DigitalVideo);
}
