//! The command as a person or a script meets it: arguments in, text, files and exit codes out.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod course;
mod decrypt;
mod demo;
mod explain;
mod help;
mod inspect;
mod interrupted;
mod machines;
mod outputs;
mod play;
mod readme;
mod rules;
mod run;
mod served;
mod simulated;
mod terminals;
