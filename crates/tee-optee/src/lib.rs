//! The trusted core inside OP-TEE, reached through libteec.
//!
//! A connection is a session of a trusted application with one arena of registered shared memory:
//! request and response have fixed places in it. Media that the caller holds in memory of
//! `TeeSession::shared_memory` is decrypted where it stands; other media is copied into the arena
//! and back. Registered memory costs a quarter of what temporary references cost a call, and nothing
//! is registered while samples flow. Protected buffers of a board are named by their descriptors
//! (`TeeSession::register_buffer`) and come from the kernel's heap ([`protected_buffer`]) or from whoever
//! has such.
//!
//! Each connection has a thread that alone uses its libteec objects; a caller waits for it, or
//! cancels what it does from another thread (`TeeSession::canceller`).
//!
//! When the trusted application has died, a connection on which nothing depends is opened once more,
//! and what leaves nothing behind is asked again; everything else is [`TeeError::Dead`], since nobody
//! can tell whether it was done.
//!
//! The trusted application is trusted with its answers' meaning, never with their sizes: every
//! length that comes back is checked against the arena before a byte is copied out of it.

#![deny(unsafe_code)]

mod application;
mod error;
mod heap;
mod owner;
mod session;
#[allow(unsafe_code)] // the C interface of libteec; every block says why it is sound
mod sys;

pub use heap::{PROTECTED_HEAP, protected_buffer};

use session::OpteeSession;

use keybearer_tee::{BackendInfo, Tee, TeeError, TeeSession};

/// UUID of the key TA, as its signed header carries it.
pub const KEY_TA: &str = include_str!("../../../ta/keybearer/uuid.txt").trim_ascii();

/// UUID of the decoder TA.
pub const DECODER_TA: &str = include_str!("../../../ta/decoder/uuid.txt").trim_ascii();

/// OP-TEE on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpteeTee;

impl OpteeTee {
    /// A connection to the test monitor of the outputs.
    ///
    /// # Errors
    /// Those of `connect`; there is none but where a test has installed it.
    #[cfg(feature = "test-monitor")]
    pub fn connect_test_monitor(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(OpteeSession::open(&application::TEST_MONITOR)?))
    }
}

impl Tee for OpteeTee {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "optee",
            detail: format!("trusted core in OP-TEE's trusted application {KEY_TA}, over libteec"),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(OpteeSession::open(&application::KEY)?))
    }

    fn connect_decoder(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(OpteeSession::open(&application::DECODER)?))
    }
}

#[cfg(test)]
mod tests;
