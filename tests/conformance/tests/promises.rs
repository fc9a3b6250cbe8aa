//! The list of promises that people read is the list of cases that run.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use keybearer_conformance::{all, replaced};

#[test]
fn the_list_in_the_document_is_that_of_the_cases() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let document = std::fs::read_to_string(path).unwrap();
    let current = replaced(&document).expect("the document has the markers");
    assert!(
        document == current,
        "out of date; run `cargo run -p keybearer-conformance -- promises`"
    );
    for case in all() {
        assert!(document.contains(case.id) && document.contains(case.promise));
    }
}
