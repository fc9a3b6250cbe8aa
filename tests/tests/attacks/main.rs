//! What an attacker on the device sees and does at level Low: looks into the client's memory, and
//! kills the worker whenever it hurts.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

mod killed_worker;
mod memory_scan;
