//! High on any machine: the genuine backend, the genuine decoder and the genuine core, over a simulated
//! board. What runs in OP-TEE is the same list of scenarios.

use std::sync::Arc;

use keybearer_fake_libteec::Board;
use keybearer_rules::Level;
use keybearer_tee_optee::OpteeTee;
use keybearer_tests::high::scenarios::{self, Ground};
use keybearer_tests::service::Service;

/// Runs a scenario on a board of its own.
fn on_a_board(scenario: impl FnOnce(&Ground)) {
    let board = Board::new();
    let plugged = board.plug();
    let ground = Ground::new(Arc::new(OpteeTee), Service::start(&[]), Level::None);
    scenario(&ground);
    drop(ground);
    drop(plugged);
    assert!(board.open().is_empty(), "{:?}", board.open());
}

#[test]
fn every_picture_is_what_ffmpeg_makes_of_the_clear_original() {
    on_a_board(scenarios::every_picture_is_what_ffmpeg_makes_of_the_clear_original);
}

#[test]
fn a_larger_picture_than_allowed_is_scaled() {
    on_a_board(scenarios::a_larger_picture_than_allowed_is_scaled);
}

#[test]
fn a_limit_holds_beside_another_key() {
    on_a_board(scenarios::a_limit_holds_beside_another_key);
}

#[test]
fn what_does_not_fit_is_refused_and_both_applications_live() {
    on_a_board(scenarios::what_does_not_fit_is_refused_and_both_applications_live);
}

#[test]
fn a_second_decoder_finds_no_memory() {
    on_a_board(scenarios::a_second_decoder_finds_no_memory);
}

#[test]
fn a_dead_decoder_is_replaced_at_the_next_idr() {
    on_a_board(scenarios::a_dead_decoder_is_replaced_at_the_next_idr);
}

#[test]
fn a_thousand_crafted_units_learn_nothing() {
    on_a_board(scenarios::a_thousand_crafted_units_learn_nothing);
}

#[test]
fn a_ticket_is_good_once_and_for_a_decoder() {
    on_a_board(scenarios::a_ticket_is_good_once_and_for_a_decoder);
}
