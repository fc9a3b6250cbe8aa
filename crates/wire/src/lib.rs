//! The interface between the host and the trusted core.
//!
//! One command table, typed bodies, limits and status codes. This room knows no cryptography and
//! no I/O; both sides depend on it and neither trusts the other through it: the core decodes a
//! private copy of each request with the strict codec, and the host takes nothing in an answer
//! for more than text and numbers.
//!
//! A call is a command number, a request body, a response buffer and, for
//! [`Command::Decrypt`], media. A response body is the CBOR map `{0: status}` or
//! `{0: 0, 1: answer}`; only status [`Status::Ok`] carries an answer.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "a failed expectation is how a test reports"
    )
)]

extern crate alloc;

pub mod body;
mod command;
pub mod decoder;
pub mod field;
#[cfg(test)]
mod golden;
pub mod limits;
pub mod monitor;
mod response;
mod samples;
mod status;
mod table;

pub use command::{Command, Exchange};
pub use field::Body;
pub use response::{decode_response, encode_answer, encode_status, fallback_response};
pub use samples::{SampleEntry, SampleTable, SampleTableBuilder, SubsampleEntry};
pub use status::Status;
