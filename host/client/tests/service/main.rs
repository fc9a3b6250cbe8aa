//! The client against the real server over loopback, with the real core in this process.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod network;
mod outputs;
mod playing;
mod refusals;
mod renewing;
mod sharing;
mod world;
