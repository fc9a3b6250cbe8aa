//! The key TA, apart from its entry points so that it is tested on any machine.
//!
//! Everything that arrives here comes from the normal world and is hostile: type words, sizes,
//! pointers' contents, the number and order of calls. `keybearer-ta-entry` is the only code that
//! touches shared memory, and the core behind it sees nothing but private copies.
//!
//! Limits: the login of sessions is public, as OP-TEE's usual configuration has it, so that any
//! program of the normal world that reaches the TEE is a client. Clients cannot touch each other's
//! sessions, but there is one device: each may erase its identity, and with it the worth of a factory
//! token that named the old key. Open the TEE's device node to one service account where that matters.

#![no_std]

extern crate alloc;

pub mod caller;
pub mod command;
pub mod config;
pub mod media;
pub mod platform;
