//! Inside the QEMU machine: what a hostile host does at the boundary to OP-TEE, and what it sees there.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod decoder_memory;
mod decoder_parameters;
mod killed;
mod parameters;
mod secrets;
mod secrets_at_high;
mod sessions;
