//! Tests that need both ends, or certificates, or whole messages.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod attestations;
mod bytes;
mod cddl;
mod certificates;
mod chains;
mod challenges;
mod codes;
mod envelopes;
mod exchanges;
mod leaves;
mod oracle;
mod properties;
mod refusals;
mod samples;
mod vectors;
mod world;
