//! How a command enters a trusted application: the one copy of the parameter discipline that all of
//! them share, apart from their entry points so that it is tested on any machine.
//!
//! Everything that arrives here comes from the normal world, or from another trusted application on
//! its behalf, and is hostile: type words, sizes, pointers' contents, the number and order of calls.
//! [`params`] is the only code that touches shared memory, and [`serve`] decides how much of it a
//! command may move; what runs behind them sees nothing but private copies. Which application a caller
//! is, [`caller`] asks the TEE, and [`session`] is how one application calls another. Beside that it has
//! what every image needs ([`image!`], [`instance`]) and what every build says of itself ([`debug`]).

#![no_std]

extern crate alloc;

pub mod caller;
pub mod debug;
pub mod image;
pub mod instance;
pub mod params;
pub mod serve;
pub mod session;

#[cfg(any(test, feature = "mock"))]
pub mod shared_memory;
