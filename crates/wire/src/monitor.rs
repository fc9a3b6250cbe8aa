//! The interface between the key TA and the platform's monitor of the outputs: a command table of its
//! own.
//!
//! The monitor is a trusted application that sees the device's outputs as they are. The key TA asks it
//! at each of its own calls, so that no answer is older than the call it counts for, and no answer can
//! be replayed: none ever passes through the normal world. A board's maker writes it and answers
//! [`Command::Look`] to nobody but the key TA. The other commands are those of the test monitor, which
//! shows what a test on the host says.

pub mod body;

use crate::table::commands;

/// The largest response of a monitor in bytes.
pub const MAX_MONITOR_RESPONSE: usize = 1024;

commands! {
    "A command of the monitor of the outputs.";
    0x60 => Look, Look, Seen, "Tells the key TA which outputs are active now.";

    0x6e => Show, Show, Empty, "Says what the test monitor shall tell from now on; test monitors only.";
    0x6f => Die, Die, Empty, "Ends the test monitor as a fault of its own would; test monitors only.";
}

#[cfg(test)]
mod tests;
