//! What the core does, command by command, seen from outside: a fake platform below, a real
//! service beside it, and a host that may be hostile above.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

#[path = "../support/mod.rs"]
mod support;

mod call;
mod canary;
mod cross_product;
mod decrypt;
mod failures;
mod licenses;
mod outputs;
mod provisioning;
mod sessions;
mod time;
mod walk;
