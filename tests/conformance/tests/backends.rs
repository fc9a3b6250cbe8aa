//! The suite on the backends that any machine has. `tests/qemu` runs it on OP-TEE.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod board;

use board::Simulated;
use keybearer_backend::BackendChoice;
use keybearer_conformance::{Chosen, Outcome, Report, Subject, all, run};

/// Runs every case; none may fail, and those that do not apply are these.
fn keeps_its_promises(subject: &dyn Subject, not_applicable: &[&str]) {
    let name = subject.name();
    let reports = run(subject, all(), |report| println!("{name}\t{report}")).unwrap();
    let failed: Vec<&Report> = reports
        .iter()
        .filter(|report| matches!(report.outcome, Outcome::Failed(_)))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let left_out: Vec<&str> = reports
        .iter()
        .filter(|report| matches!(report.outcome, Outcome::NotApplicable(_)))
        .map(|report| report.id)
        .collect();
    assert_eq!(left_out, not_applicable);
}

/// Of a software backend the suite can neither kill the trusted side nor move the clock, and it is
/// below Medium.
const NOT_OF_SOFTWARE: &[&str] = &["KB-CALL-07", "KB-PROV-10", "KB-REV-06", "KB-TIME-04"];

#[test]
fn in_process() {
    keeps_its_promises(&Chosen::new(BackendChoice::InProcess), NOT_OF_SOFTWARE);
}

#[test]
fn optee_backend_over_fake_libteec() {
    let below_medium = ["KB-PROV-07", "KB-PROV-10", "KB-REV-06"];
    keeps_its_promises(&Simulated, &below_medium);
}
