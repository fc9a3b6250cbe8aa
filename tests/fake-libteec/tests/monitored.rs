//! A platform with a monitor of its outputs, on any machine: the genuine backend, core, decoder and test
//! monitor over a simulated board. What runs in OP-TEE is the same list of scenarios.

use std::sync::Arc;

use keybearer_fake_libteec::Board;
use keybearer_rules::Level;
use keybearer_tee_optee::OpteeTee;
use keybearer_tests::service::Service;
use keybearer_tests::usage::monitored::{self, Ground};

/// Runs a scenario on a board of its own.
fn on_a_board(scenario: impl FnOnce(&Ground)) {
    let board = Board::monitored();
    let plugged = board.plug();
    let connect = || OpteeTee.connect_test_monitor();
    let service = Service::start(&[]);
    let ground = Ground::new(Arc::new(OpteeTee), service, Level::None, connect);
    scenario(&ground);
    drop(ground);
    drop(plugged);
    assert!(board.open().is_empty(), "{:?}", board.open());
}

#[test]
fn a_board_without_a_monitor_has_none() {
    let board = Board::new();
    let _plugged = board.plug();
    assert!(OpteeTee.connect_test_monitor().is_err());
}

#[test]
fn the_trusted_side_says_that_it_is_a_debug_build() {
    on_a_board(monitored::the_trusted_side_says_that_it_is_a_debug_build);
}

#[test]
fn hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on() {
    on_a_board(monitored::hdcp_dropped_stops_the_hd_key_within_one_call_and_the_sd_key_plays_on);
}

#[test]
fn analogue_plugged_in_downscales_at_high_and_refuses_at_medium() {
    on_a_board(monitored::analogue_plugged_in_downscales_at_high_and_refuses_at_medium);
}

#[test]
fn a_report_forged_by_the_host_is_refused() {
    on_a_board(monitored::a_report_forged_by_the_host_is_refused);
}

#[test]
fn a_monitor_that_does_not_answer_closes_what_demands_outputs() {
    on_a_board(monitored::a_monitor_that_does_not_answer_closes_what_demands_outputs);
}

#[test]
fn the_monitor_tells_the_key_ta_and_nobody_else() {
    on_a_board(monitored::the_monitor_tells_the_key_ta_and_nobody_else);
}
