//! Inside the QEMU machine: the trusted application does what the software core does.
//!
//! The operator's keys come from the folder in `KEYBEARER_OPERATOR`, since the digest of their
//! anchor is compiled into the trusted application.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::path::PathBuf;
use std::process::Command;

use keybearer_backend::{BackendChoice, BackendOptions, detect};
use keybearer_client::{Client, Device, Isolation, ServerUrl};
use keybearer_rules::Level;
use keybearer_tests::guest::{operator, optee};
use keybearer_tests::samples;
use keybearer_tests::story::{play, play_all};

#[test]
fn medium_plays_every_sample_as_software_and_as_ffmpeg_does() {
    let folder = tempfile::tempdir().unwrap();
    let optee = optee();
    let described = Device::connect(&*optee).unwrap().describe().unwrap();
    // The ceiling; what is played here is played in clear sessions, at Medium.
    assert_eq!(described.level, Level::High);
    assert_eq!(described.isolation, Isolation::Tee);
    assert!(
        described.debug,
        "a build signed with the development key says so"
    );
    assert_eq!(described.counter, None, "this image has no counter");
    assert!(!described.application_anchors);
    let options = BackendOptions::new(folder.path().join("device"));
    let (software, _) = detect(BackendChoice::InProcess, &options).unwrap();

    for samples in samples::groups() {
        let store = tempfile::tempdir().unwrap();
        let service = operator(store.path(), &samples);
        let (certified, in_tee) = play_all(&service, &optee, &samples);
        assert_eq!(certified.level, Level::High);
        let (certified, in_software) = play_all(&service, &software, &samples);
        assert_eq!(certified.level, Level::Low);
        for ((sample, one), other) in samples.iter().zip(&in_tee).zip(&in_software) {
            assert!(one == other, "{}: OP-TEE and software differ", sample.file);
        }
        // The run on the host compares both with FFmpeg's decryption of the protected files.
        let out = PathBuf::from(std::env::var_os("KEYBEARER_OUT").unwrap());
        for (place, files) in [("medium", &in_tee), ("software", &in_software)] {
            std::fs::create_dir_all(out.join(place)).unwrap();
            for (sample, clear) in samples.iter().zip(files) {
                std::fs::write(out.join(place).join(&sample.file), clear).unwrap();
            }
        }
    }
}

#[test]
fn the_identity_outlives_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let samples = samples::standard();
    let service = operator(folder.path(), &samples);
    service.provisioned(optee()).unwrap();
    let again = optee();
    let url: ServerUrl = service.server().url().parse().unwrap();
    let client = Client::new(again, url, service.anchor());
    assert!(client.device_key().unwrap().provisioned);
    assert!(!play(&client, &samples[0]).is_empty());
}

#[test]
fn the_demonstration_verifies_every_scheme_at_medium() {
    let run = Command::new(std::env::var_os("KEYBEARER_COMMAND").unwrap())
        .args(["demo", "--tee", "optee", "--json", "--operator"])
        .arg(std::env::var_os("KEYBEARER_OPERATOR").unwrap())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["tee"], "optee");
    assert_eq!(report["level"], "medium");
    assert_eq!(report["certified_level"], "high");
    assert_eq!(
        (&report["verified"], &report["failed"]),
        (&8.into(), &0.into())
    );
    for scheme in ["cenc", "cens", "cbc1", "cbcs"] {
        let files = report["files"].as_array().unwrap().iter();
        let of_scheme = files.filter(|file| file["scheme"] == scheme && file["verified"] == true);
        assert_eq!(of_scheme.count(), 2, "{scheme}");
    }
}
