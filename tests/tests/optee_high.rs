//! Inside the QEMU machine: content that is decrypted and decoded in OP-TEE, whose host gets accepted or
//! rejected and, from this test build of the decoder, a digest of each picture.
//!
//! The scenarios are those that run on any machine over the simulated board.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::process::{Command, Output};
use std::time::Instant;

use keybearer_crypto::Secret;
use keybearer_license::{KeyId, Scheme, TrackType};
use keybearer_rules::Level;
use keybearer_server::{ContentSpec, KeySpec};
use keybearer_tests::high::scenarios::{self, Ground};
use keybearer_tests::service::Service;
use keybearer_tests::{guest, samples};

/// Runs a scenario with keys that demand High.
fn in_the_guest(scenario: impl FnOnce(&Ground)) {
    // There is memory for one decoder.
    let _turn = guest::turn();
    let folder = tempfile::tempdir().unwrap();
    let service = guest::operator(folder.path(), &[]);
    let ground = Ground::new(guest::optee(), service, Level::High);
    let begin = Instant::now();
    scenario(&ground);
    println!("figure: the scenario took {:?}", begin.elapsed());
}

#[test]
fn every_picture_is_what_ffmpeg_makes_of_the_clear_original() {
    in_the_guest(scenarios::every_picture_is_what_ffmpeg_makes_of_the_clear_original);
}

#[test]
fn a_larger_picture_than_allowed_is_scaled() {
    in_the_guest(scenarios::a_larger_picture_than_allowed_is_scaled);
}

#[test]
fn a_limit_holds_beside_another_key() {
    in_the_guest(scenarios::a_limit_holds_beside_another_key);
}

#[test]
fn what_does_not_fit_is_refused_and_both_applications_live() {
    in_the_guest(scenarios::what_does_not_fit_is_refused_and_both_applications_live);
}

#[test]
fn a_second_decoder_finds_no_memory() {
    in_the_guest(scenarios::a_second_decoder_finds_no_memory);
}

#[test]
fn a_dead_decoder_is_replaced_at_the_next_idr() {
    in_the_guest(scenarios::a_dead_decoder_is_replaced_at_the_next_idr);
}

#[test]
fn a_thousand_crafted_units_learn_nothing() {
    in_the_guest(scenarios::a_thousand_crafted_units_learn_nothing);
}

#[test]
fn a_ticket_is_good_once_and_for_a_decoder() {
    in_the_guest(scenarios::a_ticket_is_good_once_and_for_a_decoder);
}

/// The command plays a film whose pictures demand High and whose sound demands Medium: what the decoder
/// shows is what FFmpeg decodes from the clear original. Into a file it plays nothing of it.
#[test]
fn the_command_plays_a_film_whose_pictures_stay_in_the_tee() {
    let _turn = guest::turn();
    let folder = tempfile::tempdir().unwrap();
    let service = guest::operator(folder.path(), &[]);
    let film = "cenc-both.mp4";
    let files = samples::all();
    let file = files.iter().find(|file| file.file == film).unwrap();
    let keys = file.tracks.iter().map(|track| {
        let (kind, level) = match track.kind.as_str() {
            "video" => (TrackType::Sd, Level::High),
            _ => (TrackType::Audio, Level::Medium),
        };
        let secret = Secret::copied_from(&track.key);
        let mut key = KeySpec::new(KeyId(track.kid), secret, kind, Scheme::Cenc);
        key.iv = keybearer_license::IvKind::PerSample16;
        key.lowest_level = level;
        key
    });
    let content = ContentSpec::open(film, keys.collect());
    service.server().registry().put_content(content).unwrap();
    let (_, certified) = service.provisioned(guest::optee()).unwrap();
    assert_eq!(certified.level, Level::High);

    let begin = Instant::now();
    let run = play(&service, folder.path(), film, &["--protected"]);
    println!(
        "figure: 50 pictures of 320x180 by the command: {:?}",
        begin.elapsed()
    );
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        (&report["tee"], &report["level"]),
        (&"optee".into(), &"high".into())
    );
    assert_eq!(
        (&report["accepted_units"], &report["decrypted_samples"]),
        (&50.into(), &95.into())
    );
    let list = std::fs::read_to_string(samples::folder().join("clear-video.sha256")).unwrap();
    let wanted: Vec<&str> = list
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(report["picture_digests"], serde_json::json!(wanted));

    let out = folder.path().join("clear.mp4");
    let run = play(
        &service,
        folder.path(),
        film,
        &["-o", out.to_str().unwrap()],
    );
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(4), "{told}");
    assert!(
        told.contains("level needed high") && told.contains("play --protected"),
        "{told}"
    );
    assert!(!out.exists());
}

fn play(service: &Service, state: &std::path::Path, film: &str, more: &[&str]) -> Output {
    Command::new(std::env::var_os("KEYBEARER_COMMAND").unwrap())
        .args(["play", "--json", "--tee", "optee", "--state"])
        .arg(state)
        .args(["--server", &service.server().url(), "--anchor"])
        .arg(service.anchor().to_string())
        .arg(samples::folder().join(film))
        .args(more)
        .output()
        .unwrap()
}
