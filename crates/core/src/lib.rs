//! The trusted core of Keybearer: sessions, keys, licences, enforcement, trusted time, decryption.
//!
//! One implementation of every rule, compiled unchanged into the trusted application and into the
//! software backends. Everything that differs between them reaches it through [`Platform`].
//!
//! Promises:
//!
//! * [`Core::call`] cannot fail and cannot panic: whatever the bytes, the answer is a response.
//! * A key goes in sealed and never comes out; no response type can hold one.
//! * A protected session's clear media goes to a decoder and to nobody else. Who is a decoder, the
//!   platform says ([`Caller`]); nothing in a message can claim it.
//! * What the platform cannot back is refused: without a clock no licence limited in time; and so is
//!   what this core does not do: stored licences, counted plays, in-band roots, rotation.
//! * Nothing of a sample is touched before everything about the call has been checked.
//!
//! Limits, stated openly:
//!
//! * Any client of the core may provision the device and erase its identity, for all clients: the
//!   core knows its clients apart but not who they are. A certificate that counts is not replaced by
//!   one of a lower level, but an erased identity is gone, and at Medium and High the next one needs
//!   a factory token of its own. Who may open a session of the trusted application is the platform's
//!   to restrict.
//! * Without a counter that hardware keeps, storage put back as a whole is not noticed: floors of
//!   revocation, time and version go back with it.
//!
//! Distrusts: the host (every request byte, every service message it carries, its media memory,
//! its wall clock, the storage), other clients of the same core, and services beyond what their
//! certificates under a permitted anchor say.

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
#[cfg(test)]
extern crate self as keybearer_core;
#[cfg(test)]
extern crate std;

// The platform that the tests outside stand on, for the tests inside.
#[cfg(test)]
#[path = "../tests/support/platform.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the tests outside use the rest of it"
)]
mod fake_platform;

mod absent;
mod anchor;
mod command;
mod config;
mod core;
mod evidence;
mod floor;
mod handover;
mod identity;
mod license;
mod media;
mod memory;
mod outputs;
mod platform;
mod provisioning;
mod refusal;
mod rejections;
mod report;
mod response;
mod seal;
mod session;
mod time;
mod timing;

pub use crate::core::{Caller, ClientId, Core};
pub use absent::{NoAttester, NoClock, NoCounter, NoPanel};
pub use config::{Anchors, Config, VERSION};
pub use identity::StoredIdentity;
pub use media::{Buffers, InPlace, Media, MediaError, NoMedia};
pub use outputs::OutputList;
pub use platform::{
    Attester, Clock, Counter, CounterKind, Identity, Moment, OutputSource, Outputs, Parts,
    Platform, PlatformError, Slot, SlotKind, Vault,
};
pub use response::{Response, response_limit};
