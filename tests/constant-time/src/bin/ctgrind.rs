//! The gate. Under `valgrind`: 0 when every case takes no decisions but those that it declares, 9
//! when one does. With `--leaky`, the leaky code instead, of which valgrind must find each: 9.

use std::process::ExitCode;

use keybearer_constant_time::{CASES, LEAKY, errors, running};

/// The customary exit code of a leak that valgrind found.
const LEAK: u8 = 9;

fn main() -> ExitCode {
    if !running() {
        eprintln!("ctgrind: run me under valgrind: tests/deep ctgrind");
        return ExitCode::from(2);
    }
    let leaky = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--leaky") => true,
        Some(other) => {
            eprintln!("ctgrind: no argument {other}; there is --leaky");
            return ExitCode::from(2);
        }
    };
    let cases = if leaky { LEAKY } else { CASES };
    let mut leaks = 0;
    for case in cases {
        let before = errors();
        (case.run)();
        let found = errors() - before;
        let constant = found <= case.decisions;
        if !constant {
            leaks += 1;
        }
        println!(
            "{:<8} {:<52} {found} decisions, {} declared",
            match (constant, leaky) {
                (true, false) => "ok",
                (true, true) => "UNSEEN",
                (false, false) => "LEAK",
                (false, true) => "found",
            },
            case.name,
            case.decisions
        );
    }
    println!("{} cases, {leaks} leaks", cases.len());
    // Each piece of leaky code must be found; one of them would prove only its own kind.
    let expected = if leaky { cases.len() } else { 0 };
    match (leaky, leaks == expected) {
        (true, true) | (false, false) => ExitCode::from(LEAK),
        (true, false) => ExitCode::FAILURE,
        (false, true) => ExitCode::SUCCESS,
    }
}
