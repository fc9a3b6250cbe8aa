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
use keybearer_tee::{CallError, TeeError};
use keybearer_tests::guest::{Setting, noise, operator, optee, timed};
use keybearer_tests::samples;
use keybearer_tests::story::{play, play_all};
use keybearer_wire::limits::OPTEE_MAX_MEDIA;

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

#[test]
fn the_largest_call_equals_software_and_a_larger_one_is_refused() {
    let setting = Setting::new();
    let (mut session, acquiring) = timed(|| setting.licensed(setting.open().unwrap()));
    println!("figure: session, licence request, answer and load: {acquiring:?}");
    let protected = noise(OPTEE_MAX_MEDIA, 11);
    let expected = setting.in_software(&protected);
    for len in [
        1,
        15,
        16,
        17,
        65_535,
        65_536,
        65_537,
        1 << 20,
        OPTEE_MAX_MEDIA,
    ] {
        let mut data = protected[..len].to_vec();
        let (done, first) = timed(|| session.decrypt(setting.sample(), &mut data));
        assert_eq!(done.unwrap(), len as u64);
        println!("figure: decrypt {len} bytes, the first time: {first:?}");
        assert!(data == expected[..len], "{len} bytes");
    }
    for len in [1000, 65_536, 1 << 20, OPTEE_MAX_MEDIA] {
        let mut data = protected[..len].to_vec();
        let ((), eight) = timed(|| {
            for _ in 0..8 {
                session.decrypt(setting.sample(), &mut data).unwrap();
            }
        });
        println!("figure: decrypt {len} bytes: {:?}", eight / 8);
    }
    let beyond = session.decrypt(setting.sample(), &mut vec![0; OPTEE_MAX_MEDIA + 1]);
    assert!(
        matches!(
            beyond,
            Err(CallError::Transport(TeeError::TooLarge {
                what: "media",
                ..
            }))
        ),
        "{beyond:?}"
    );
}
