//! The worker as a program of its own. Started by Keybearer and of no use by hand.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    keybearer_worker::run()
}
