//! The key TA, apart from its entry points so that it is tested on any machine.
//!
//! Everything that arrives here comes from the normal world and is hostile: type words, sizes,
//! pointers' contents, the number and order of calls. [`params`] is the only code that touches
//! shared memory, [`serve`] decides how much of it a command may move, and the core behind them
//! sees nothing but private copies.

#![no_std]

extern crate alloc;

pub mod config;
pub mod instance;
pub mod params;
pub mod platform;
pub mod serve;

#[cfg(test)]
mod shared_memory;
