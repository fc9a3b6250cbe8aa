//! What the core does, command by command, seen from outside: a fake platform below, a real
//! service beside it, and a host that may be hostile above.

#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]

#[path = "../support/mod.rs"]
mod support;

mod attestation;
mod buffers;
mod call;
mod canary;
mod cross_product;
mod decrypt;
mod decrypt_checks;
mod demands;
mod erased;
mod erasure;
mod failures;
mod licenses;
mod limits;
mod outputs;
mod protected;
mod protected_model;
mod provisioning;
mod quotas;
mod rejections;
mod requests;
mod revocation;
mod scenes;
mod sealed;
mod sessions;
mod time;
mod trust;
mod walk;
