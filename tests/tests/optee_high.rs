//! Inside the QEMU machine: content that is decrypted and decoded in OP-TEE, whose host gets accepted or
//! rejected and, from this test build of the decoder, a digest of each picture.
//!
//! The scenarios are those that run on any machine over the simulated board.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::time::Instant;

use keybearer_rules::Level;
use keybearer_tests::guest;
use keybearer_tests::high::scenarios::{self, Ground};

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
