//! `play` with simulated outputs: constant ones and a timeline, and keys that they stop.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::machines::{Device, REST, Server, make_keys};
use crate::run::{listed, media_data, sample};

/// What the pictures' key demands; that of the sound demands nothing.
const HDCP: &str = "[content.key.policy]\ndigital_video = \"hdcp_required\"\nhdcp_min = \"2.2\"\n\
    hdcp_stream_type = 1\n";
const BOTH: &str = "cenc-both.mp4";

/// A service of which one key demands HDCP, and a device that it knows.
fn demanding(folder: &Path) -> (Server, Device) {
    make_keys(folder);
    let mut config = format!("{REST}[[content]]\nid = \"film\"\nopen = true\n");
    let files = listed();
    let file = files.iter().find(|file| file.file == BOTH).unwrap();
    for [kind, kid, key] in &file.tracks {
        let (track, policy) = match kind.as_str() {
            "video" => ("hd", HDCP),
            _ => ("audio", ""),
        };
        config += &format!(
            "[[content.key]]\nkid = \"{kid}\"\nkey = \"{key}\"\ntrack = \"{track}\"\n\
             scheme = \"cenc\"\niv = \"per-sample-16\"\n{policy}"
        );
    }
    let server = Server::configured(folder, &config);
    let device = Device::new();
    let bundle = folder.join("bundle.json");
    device
        .run(&["provision", "--bundle", bundle.to_str().unwrap()])
        .exits(0);
    (server, device)
}

fn timeline(folder: &Path, text: &str) -> String {
    let path = folder.join("outputs.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_key_with_rules_of_outputs_plays_to_outputs_that_meet_them() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, device) = demanding(folder.path());
    device
        .fails(BOTH, &[], 8)
        .says("no trusted report shows them")
        .says("hint: say which outputs are active with --outputs");
    for outputs in ["internal,hdmi:2.2", "displayport:2.3", "none"] {
        let ran = device.play(BOTH, &["--outputs", outputs, "--json"]);
        let report = ran.exits(0).json();
        assert_eq!(report["decrypted_samples"], 145, "{outputs}");
        let clear = fs::read(device.output("out.mp4")).unwrap();
        let wanted = fs::read(sample("clear-both.mp4")).unwrap();
        assert!(media_data(&clear) == media_data(&wanted), "{outputs}");
        fs::remove_file(device.output("out.mp4")).unwrap();
    }
    device
        .fails(BOTH, &["--outputs", "hdmi:none"], 8)
        .says("hdmi")
        .says("wanted HDCP 2.2 type 1, found no HDCP")
        .says("played on");
}

#[test]
fn hdcp_dropped_mid_play_stops_one_key_and_the_others_play_on() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, device) = demanding(folder.path());
    let drop = "\"0s\" = \"internal,hdmi:2.2\"\n\"1s\" = \"internal, hdmi:none\"\n";
    let file = timeline(folder.path(), drop);
    let with = ["--outputs-timeline", &file, "--json"];
    let ran = device
        .fails(BOTH, &with, 8)
        .says(
            "warning: track 1: key 8caa7e396f418e64ccdd707a12761c01 was stopped at 1.000 s: output",
        )
        .says("error: key 8caa7e396f418e64ccdd707a12761c01 was stopped at 1.000 s")
        .says("1 other key played on");
    let error = &ran.json()["error"];
    assert_eq!(
        (&error["exit"], &error["kind"]),
        (&8.into(), &"restricted".into())
    );
    let [sound, picture] = keys(error);
    assert_eq!(
        (&sound["decrypted_samples"], &sound["stopped_samples"]),
        (&95.into(), &0.into())
    );
    assert_eq!(picture["decrypted_samples"], 25, "the first second");
    assert_eq!(picture["stopped_samples"], 25);
    let stop = &picture["stops"][0];
    assert_eq!(
        (&stop["from_seconds"], &stop["until_seconds"]),
        (&1.0.into(), &Value::Null)
    );
    assert!(
        stop["why"]
            .as_str()
            .unwrap()
            .contains("wanted HDCP 2.2 type 1")
    );
}

/// The second half plays again; the file is not whole all the same.
#[test]
fn a_key_goes_on_when_its_outputs_do() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, device) = demanding(folder.path());
    let file = timeline(
        folder.path(),
        "\"0\" = \"hdmi\"\n\"900ms\" = \"hdmi:2.2\"\n",
    );
    let ran = device
        .fails(BOTH, &["--outputs-timeline", &file, "--json"], 8)
        .says("goes on at 1.000 s");
    let error = &ran.json()["error"];
    let [_, picture] = keys(error);
    assert_eq!(
        (&picture["decrypted_samples"], &picture["stopped_samples"]),
        (&25.into(), &25.into())
    );
    let stop = &picture["stops"][0];
    assert_eq!(
        (&stop["from_seconds"], &stop["until_seconds"]),
        (&0.0.into(), &1.0.into())
    );
}

/// Sound and picture of a report about stops.
fn keys(error: &Value) -> [Value; 2] {
    let keys = error["details"]["keys"].as_array().unwrap();
    let kid = |kid: &str| {
        let mut keys = keys.iter();
        keys.find(|key| key["key_id"].as_str().unwrap().starts_with(kid))
            .unwrap()
            .clone()
    };
    [kid("591e94"), kid("8caa7e")]
}

#[test]
fn a_timeline_that_is_none_is_refused_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::new();
    let file = timeline(folder.path(), "\"1s\" = \"hdmi:9.9\"\n");
    device
        .fails(BOTH, &["--outputs-timeline", &file], 3)
        .says("is no timeline of outputs: 1s: \"9.9\" is no protection")
        .says("hint:");
    device
        .fails(BOTH, &["--outputs-timeline", "/nowhere"], 3)
        .says("cannot read /nowhere");
    device
        .fails(BOTH, &["--outputs", "hdmi", "--outputs-timeline", &file], 2)
        .says("cannot be used with");
    device.fails(BOTH, &["--outputs", "hdmy"], 2).says("hdmy");
}

#[test]
fn software_has_no_decoder_to_play_protected() {
    let folder = tempfile::tempdir().unwrap();
    let (server, device) = demanding(folder.path());
    let film = sample(BOTH);
    let protected = ["play", film.to_str().unwrap(), "--protected"];
    device
        .run(&protected)
        .exits(6)
        .says("has no decoder: it is of level low")
        .says("hint: play without --protected");
    let with_output = [&protected[..], &["-o", "out.mp4"]].concat();
    device
        .run(&with_output)
        .exits(2)
        .says("cannot be used with");
    drop(server);
}
