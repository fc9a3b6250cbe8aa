//! The test monitor, apart from its entry points so that it is tested on any machine.
//!
//! It tells the key TA which outputs are active, as a board's monitor does; but what it tells is what a
//! test on the host said before. So its word protects nothing: it is built as a debug build only, and a
//! key TA that is built for it says in every licence request that it is one. It is in no release.
//!
//! What a board's maker can take from it is the form: [`Asker`] and the one command that the key TA
//! sends. Nobody else gets an answer to that command, and the key TA gives no other.

#![no_std]

extern crate alloc;

mod monitor;

pub use monitor::{Asker, Monitor, Response};

/// UUID of the key TA, whose questions are answered.
pub const KEY_TA: &str = include_str!("../../keybearer/uuid.txt").trim_ascii();
