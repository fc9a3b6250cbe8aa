#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::time::Duration;

use super::{Difference, Lacks, NoSuchCase};
use crate::{Outcome, Report, all};

/// A run of the first four cases of calls, of which these do not apply.
fn run(lacking: &[&str]) -> Vec<Report> {
    let cases = all().filter(|case| case.id.starts_with("KB-CALL")).take(4);
    cases
        .map(|case| Report {
            id: case.id,
            promise: case.promise,
            outcome: match lacking.contains(&case.id) {
                true => Outcome::NotApplicable("it needs a reason".into()),
                // Whether it passes is not asked here.
                false => Outcome::Failed("it was run".into()),
            },
            took: Duration::ZERO,
        })
        .collect()
}

fn lacks(list: &str) -> Lacks {
    list.parse().unwrap()
}

#[test]
fn the_named_cases_and_no_others_may_be_lacking() {
    let reports = run(&["KB-CALL-02", "KB-CALL-03"]);
    for list in ["KB-CALL-02,KB-CALL-03", "KB-CALL-03,KB-CALL-02"] {
        assert_eq!(lacks(list).compare(&reports), Ok(()));
    }
    assert_eq!(lacks("").compare(&run(&[])), Ok(()));
}

#[test]
fn a_case_that_falls_out_is_named() {
    let reports = run(&["KB-CALL-02", "KB-CALL-03"]);
    for (list, unnamed) in [
        ("KB-CALL-02", vec!["KB-CALL-03"]),
        ("", vec!["KB-CALL-02", "KB-CALL-03"]),
    ] {
        let difference = lacks(list).compare(&reports).unwrap_err();
        assert_eq!(
            difference,
            Difference {
                unnamed,
                ..Difference::default()
            }
        );
    }
}

#[test]
fn a_case_that_applies_after_all_is_named() {
    let difference = lacks("KB-CALL-02,KB-CALL-03").compare(&run(&["KB-CALL-02"]));
    let expected = Difference {
        applied: vec!["KB-CALL-03"],
        ..Difference::default()
    };
    assert_eq!(difference, Err(expected));
}

#[test]
fn a_case_that_took_no_part_is_named() {
    let difference = lacks("KB-CALL-02,KB-TIME-04").compare(&run(&["KB-CALL-02"]));
    let expected = Difference {
        absent: vec!["KB-TIME-04"],
        ..Difference::default()
    };
    assert_eq!(difference, Err(expected));
}

#[test]
fn a_name_of_no_case_is_refused() {
    for (list, unknown) in [
        ("KB-CALL-99", "KB-CALL-99"),
        ("KB-CALL-02,KB-CALL", "KB-CALL"),
        ("KB-CALL-02,", ""),
        ("KB-CALL-02, KB-CALL-03", " KB-CALL-03"),
        (",", ""),
    ] {
        let refused = list.parse::<Lacks>();
        assert_eq!(refused, Err(NoSuchCase(unknown.into())), "{list:?}");
    }
}

#[test]
fn a_difference_is_one_line_that_says_all_of_it() {
    let difference = lacks("KB-CALL-03,KB-TIME-04,KB-REV-05").compare(&run(&["KB-CALL-02"]));
    assert_eq!(
        difference.unwrap_err().to_string(),
        "not applicable without being named: KB-CALL-02; named as not applicable, but run: KB-CALL-03; \
         named, but not among these cases: KB-REV-05 KB-TIME-04"
    );
}
