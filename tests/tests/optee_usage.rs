//! Inside the QEMU machine: usage rules at Medium, on the host's word, from the server's profile to the
//! output. The matrix and the timelines are those of the software backends (`usage`).

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::sync::Arc;
use std::time::Instant;

use keybearer_license::TrackType;
use keybearer_tests::guest;
use keybearer_tests::usage::film::Film;
use keybearer_tests::usage::matrix::{self, on_the_hosts_word};
use keybearer_tests::usage::player::publish;
use keybearer_tests::usage::timelines::{self, define_small_analog};

#[test]
fn every_profile_in_every_situation_at_medium() {
    let _turn = guest::turn();
    let folder = tempfile::tempdir().unwrap();
    let service = guest::operator(folder.path(), &[]);
    let video = Film::read("cenc-video.mp4", TrackType::Hd);
    let audio = Film::read("cenc-audio.mp4", TrackType::Audio);
    publish(&service, &[&video, &audio]);
    let tee = guest::optee();
    service.provisioned(Arc::clone(&tee)).unwrap();
    let ground = matrix::Ground {
        tee,
        service: &service,
        level: "medium",
        video: &video,
        audio: &audio,
    };
    let begin = Instant::now();
    on_the_hosts_word(&ground).assert();
    println!("figure: the matrix took {:?}", begin.elapsed());
}

#[test]
fn outputs_that_change_while_something_plays() {
    let _turn = guest::turn();
    let folder = tempfile::tempdir().unwrap();
    let service = guest::operator(folder.path(), &[]);
    let hd = Film::read("cenc-video.mp4", TrackType::Hd);
    let sd = Film::read("cenc-hevc.mp4", TrackType::Sd);
    publish(&service, &[&hd, &sd]);
    define_small_analog(&service);
    let tee = guest::optee();
    service.provisioned(Arc::clone(&tee)).unwrap();
    let ground = timelines::Ground {
        tee,
        service: &service,
        hd: &hd,
        sd: &sd,
    };
    timelines::hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on(&ground);
    timelines::analogue_plugged_in_refuses_the_large_picture_and_names_the_largest(&ground);
    timelines::a_replayed_report_is_refused_and_the_newer_one_stands(&ground);
    timelines::a_report_out_of_order_is_refused_and_the_newer_one_stands(&ground);
    timelines::a_report_older_than_two_seconds_counts_no_more(&ground);
    timelines::another_clients_report_counts_for_nothing_here(&ground);
}
