//! Usage rules on the software backends, from the server's profile to the output.
//!
//! The same matrix runs in the guest, at Medium (`optee_usage`).

mod timelines;

use std::path::Path;
use std::sync::Arc;

use keybearer_backend::{BackendChoice, BackendOptions, WorkerProgram, detect};
use keybearer_license::TrackType;
use keybearer_tee::Tee;
use keybearer_tests::service::Service;
use keybearer_tests::usage::expected::Word;
use keybearer_tests::usage::film::Film;
use keybearer_tests::usage::matrix::{Ground, on_the_hosts_word, table};
use keybearer_tests::usage::player::publish;

/// A backend of software with its state in `folder`.
fn software(choice: BackendChoice, folder: &Path) -> Arc<dyn Tee> {
    let mut options = BackendOptions::new(folder.join("device"));
    options.worker = WorkerProgram::At(env!("CARGO_BIN_EXE_test-worker").into());
    detect(choice, &options)
        .expect("software is always there")
        .0
}

fn matrix(choice: BackendChoice) {
    let video = Film::read("cenc-video.mp4", TrackType::Hd);
    let audio = Film::read("cenc-audio.mp4", TrackType::Audio);
    let service = Service::start(&[]);
    publish(&service, &[&video, &audio]);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let tee = software(choice, folder.path());
    service
        .provisioned(Arc::clone(&tee))
        .expect("the device is certified");
    let ground = Ground {
        tee,
        service: &service,
        level: "low",
        video: &video,
        audio: &audio,
    };
    on_the_hosts_word(&ground).assert();
}

#[test]
fn every_profile_in_every_situation_in_process() {
    matrix(BackendChoice::InProcess);
}

#[test]
fn every_profile_in_every_situation_in_the_worker() {
    matrix(BackendChoice::Worker);
}

/// What the matrix is compared with, for people to read: a letter a situation, in their order.
#[test]
fn what_is_expected_is_what_the_table_shows() {
    for (level, word, shown) in [
        ("low", Word::Host, include_str!("low.txt")),
        ("medium", Word::Host, include_str!("medium.txt")),
        ("high", Word::Monitor, include_str!("high.txt")),
    ] {
        let table = table(level, word);
        assert!(table == shown, "at {level} it is\n{table}");
    }
}
