//! `measured COMMAND...`: runs a command and prints what it cost, as JSON.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    match keybearer_bench::process::measure(std::env::args_os().skip(1)) {
        Ok(cost) => {
            println!("{}", serde_json::json!(cost));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("measured: {error}");
            ExitCode::FAILURE
        }
    }
}
