//! The worker, where tests of this package find it.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    keybearer_worker::run()
}
