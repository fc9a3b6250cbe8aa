//! The worker as a process: what it is shut in, what it answers, and what its end does to its host.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a failed expectation is how a test reports"
)]

mod confinement;
mod death;
mod hostile;
mod media;
mod sharing;
mod state;
mod support;
