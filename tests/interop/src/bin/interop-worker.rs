//! The product's worker, which cargo builds with these tests.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    keybearer_worker::run()
}
