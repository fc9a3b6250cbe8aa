//! `conformance run`: what its status says of cases that fall out.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

use std::process::{Command, Output};

/// Runs cases in this process's own software, which cannot move its clock: KB-TIME-04 does not apply.
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .arg("run")
        .args(arguments)
        .output()
        .unwrap()
}

/// The status, and the last line of what was said.
fn told(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    let last = said.lines().last().unwrap_or_default();
    (output.status.code().unwrap(), last.to_owned())
}

#[test]
fn the_cases_that_are_named_and_no_others_may_fall_out() {
    let counted = "in-process: 2 cases, 1 ok, 0 failed, 1 not applicable";
    for lacks in [&[][..], &["--lacks", "KB-TIME-04"]] {
        let arguments = [&["KB-TIME-04", "KB-CALL-02"], lacks].concat();
        assert_eq!(told(&arguments), (0, counted.to_owned()), "{arguments:?}");
    }
    assert_eq!(told(&["KB-CALL-02", "--lacks", ""]).0, 0);

    let (status, last) = told(&["KB-TIME-04", "--lacks", ""]);
    assert_eq!(status, 1);
    let expected = "in-process: FAILED: not applicable without being named: KB-TIME-04";
    assert_eq!(last, expected);

    let (status, last) = told(&["KB-CALL-02", "--lacks", "KB-CALL-02"]);
    assert_eq!(status, 1);
    let expected = "in-process: FAILED: named as not applicable, but run: KB-CALL-02";
    assert_eq!(last, expected);

    let (status, last) = told(&["KB-CALL-02", "--lacks", "KB-TIME-04"]);
    assert_eq!(status, 1);
    let expected = "in-process: FAILED: named, but not among these cases: KB-TIME-04";
    assert_eq!(last, expected);
}

#[test]
fn nothing_is_run_for_a_list_that_names_no_case() {
    let output = run(&["KB-CALL-02", "--lacks", "KB-CALL-2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("there is no case \"KB-CALL-2\""), "{said}");
}
