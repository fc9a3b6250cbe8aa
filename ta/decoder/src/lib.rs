//! The decoder TA, apart from its entry points so that it is tested on any machine.
//!
//! It parses and decodes what a High session plays, and holds no key: the key TA decrypts each access
//! unit into this application's memory, for a ticket that the host fetched and this application
//! redeems. Pictures go to the platform's protected output. The host gets back whether a unit was
//! accepted, the order of the pictures, and what the licence allows.
//!
//! Each session has an instance of its own. One that a bitstream breaks has the content of its own
//! session and nothing else; one that dies takes no other along, nor the key TA.
//!
//! Distrusts: the host (every byte of a request, every byte of media, the order of calls) and, above
//! all, the content. The key TA is trusted with what it says.

#![no_std]

extern crate alloc;

pub mod clock;
pub mod config;
mod key_ta;
mod memory;
pub mod output;
mod session;
pub mod sys;

pub use key_ta::{Connect, Connection, Failure, Sizes};
pub use session::{Response, Session};
