//! Tests that need another program than the worker, or a process to themselves: workers that lie,
//! hosts that die, prisoners that try the sandbox. This program plays all of them, when executed again
//! with a role as its first argument; so it has no test harness and runs its tests one by one.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a failed expectation is how a test reports"
)]

mod hosts;
mod liars;
mod prisoners;
#[path = "../worker/support.rs"]
#[allow(dead_code, reason = "the other tests use the rest of it")]
mod support;

use std::process::ExitCode;

/// A test by name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let role = arguments.get(1).map(String::as_str).unwrap_or_default();
    if let Some(role) = role.strip_prefix("--role=") {
        return play(role, &arguments[2..]);
    }
    let tests: Vec<Test> = [hosts::TESTS, liars::TESTS, prisoners::TESTS].concat();
    let asked_for = |name: &str| role.starts_with("--") || name.contains(role);
    let mut failed = 0;
    for (name, test) in tests.into_iter().filter(|(name, _)| asked_for(name)) {
        if role == "--list" {
            println!("{name}: test");
            continue;
        }
        let done = std::panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if done { "ok" } else { "FAILED" });
        failed += usize::from(!done);
    }
    ExitCode::from(u8::from(failed > 0))
}

fn play(role: &str, arguments: &[String]) -> ExitCode {
    let (cast, role) = role.split_once('.').unwrap();
    match cast {
        "host" => hosts::play(role, arguments),
        "liar" => liars::play(role),
        "prisoner" => prisoners::play(role),
        other => panic!("no role {other}"),
    }
}
