//! libteec's C interface (GlobalPlatform TEE Client API 1.0, section 4) over a simulated TEE, so
//! that the genuine `keybearer-tee-optee` and `optee_teec::raw` run in ordinary tests on any machine.
//!
//! What is simulated is the kernel and OP-TEE itself: contexts, sessions, shared memory, and how a
//! client's parameters become those of a trusted application. What runs on them is real: the
//! parameter discipline and the order of a command are the trusted applications' own code
//! ([`keybearer_ta_entry`]), compiled from its own workspace, over the same core and the same decoder
//! ([`keybearer_ta_decoder`]), which calls the key TA as it does in a TEE. Only the platform under the
//! core is another: storage in memory, the clock and the random numbers of this machine; and the
//! decoder's output gives digests. It says so: level None, and the debug mark in every request.
//!
//! A [`Board`] is one simulated device, with a test monitor of its outputs where a test wants one. The C interface cannot name one, so a board is plugged in
//! for a thread while a connection is made; the connection keeps it. Where none is plugged in there
//! is no TEE, as on any other machine. A test reaches past the interface through the board: it
//! kills the trusted application, moves the clock, lets a call fail or answers in the
//! application's place.
//!
//! Distrusts its caller as libteec and OP-TEE do: pointers that may not be null, memories and
//! ranges that were never shared, parameters of no known type. What it cannot check, as no C
//! library can, is that a pointer leads to what it should.

#![deny(unsafe_code)]

#[allow(unsafe_code)] // a C interface; every block says why it is sound
mod abi;
mod application;
mod board;
mod decoder;
mod monitor;
mod platform;
mod protected;

pub use application::Answer;
pub use board::{Board, Call, Plugged};
