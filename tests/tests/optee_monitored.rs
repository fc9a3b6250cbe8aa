//! Inside the QEMU machine, with a key TA that is built for the test monitor: what the monitor tells, the
//! key TA acts on, at Medium and at High.
//!
//! The scenarios are those that run on any machine over the simulated board. `tests/qemu/monitored`
//! builds and runs this.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use keybearer_rules::Level;
use keybearer_tee_optee::OpteeTee;
use keybearer_tests::guest;
use keybearer_tests::usage::monitored::{self, Ground};

/// Runs a scenario with a device of level High.
fn in_the_guest(scenario: impl FnOnce(&Ground)) {
    // There is memory for one decoder, and there is one monitor.
    let _turn = guest::turn();
    let folder = tempfile::tempdir().unwrap();
    let service = guest::operator(folder.path(), &[]);
    let connect = || OpteeTee.connect_test_monitor();
    scenario(&Ground::new(guest::optee(), service, Level::High, connect));
}

#[test]
fn the_trusted_side_says_that_it_is_a_debug_build() {
    in_the_guest(monitored::the_trusted_side_says_that_it_is_a_debug_build);
}

#[test]
fn hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on() {
    in_the_guest(monitored::hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on);
}

#[test]
fn analogue_plugged_in_downscales_at_high_and_refuses_at_medium() {
    in_the_guest(monitored::analogue_plugged_in_downscales_at_high_and_refuses_at_medium);
}

#[test]
fn a_report_forged_by_the_host_is_refused() {
    in_the_guest(monitored::a_report_forged_by_the_host_is_refused);
}

#[test]
fn a_monitor_that_does_not_answer_closes_what_demands_outputs() {
    in_the_guest(monitored::a_monitor_that_does_not_answer_closes_what_demands_outputs);
}

#[test]
fn the_monitor_tells_the_key_ta_and_nobody_else() {
    in_the_guest(monitored::the_monitor_tells_the_key_ta_and_nobody_else);
}
