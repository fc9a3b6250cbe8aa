//! Outputs that change while something plays, in the client's process and in the worker.

use std::sync::Arc;

use keybearer_backend::BackendChoice;
use keybearer_license::TrackType;
use keybearer_tests::service::Service;
use keybearer_tests::usage::film::Film;
use keybearer_tests::usage::player::publish;
use keybearer_tests::usage::timelines::{self, Ground, define_small_analog};

use super::software;

/// Runs a timeline on both backends.
fn on_software(timeline: impl Fn(&Ground<'_>)) {
    let hd = Film::read("cenc-video.mp4", TrackType::Hd);
    let sd = Film::read("cenc-hevc.mp4", TrackType::Sd);
    let service = Service::start(&[]);
    publish(&service, &[&hd, &sd]);
    define_small_analog(&service);
    for choice in [BackendChoice::InProcess, BackendChoice::Worker] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let tee = software(choice, folder.path());
        service
            .provisioned(Arc::clone(&tee))
            .expect("the device is certified");
        let service = &service;
        let (hd, sd) = (&hd, &sd);
        timeline(&Ground {
            tee,
            service,
            hd,
            sd,
        });
    }
}

#[test]
fn hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on() {
    on_software(timelines::hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on);
}

#[test]
fn analogue_plugged_in_refuses_the_large_picture_and_names_the_largest() {
    on_software(timelines::analogue_plugged_in_refuses_the_large_picture_and_names_the_largest);
}

#[test]
fn a_replayed_report_is_refused_and_the_newer_one_stands() {
    on_software(timelines::a_replayed_report_is_refused_and_the_newer_one_stands);
}

#[test]
fn a_report_out_of_order_is_refused_and_the_newer_one_stands() {
    on_software(timelines::a_report_out_of_order_is_refused_and_the_newer_one_stands);
}

#[test]
fn a_report_older_than_two_seconds_counts_no_more() {
    on_software(timelines::a_report_older_than_two_seconds_counts_no_more);
}

#[test]
fn another_clients_report_counts_for_nothing_here() {
    on_software(timelines::another_clients_report_counts_for_nothing_here);
}
