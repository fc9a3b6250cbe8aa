//! The trusted core on the same operating system: level Low, for devices without a TEE.
//!
//! By default the core runs in a worker, a sandboxed process of its own ([`WorkerTee`]): its keys are
//! never in the application's memory, and a bug in the core reaches nothing but the core. For
//! platforms that cannot start another process, the feature `in-process` brings the core into the
//! application. The evidence in every licence request says which of the two it is.
//!
//! What it does not promise: resistance to whoever controls the operating system or the account, who
//! can read any process; that is what level Low means.
//!
//! Whom it distrusts: the state directory (records beyond their size, damaged or readable by others
//! are refused, and what the core stores there is sealed), and the worker's answers, which are
//! checked before they are believed. A worker that dies, hangs or answers wrongly is killed, the call
//! ends with an error at once, and the next connection starts another. The host trusts its worker
//! with the media memory it shares with it, and with no other memory.

#![deny(unsafe_code)]

pub mod channel;
mod error;
#[cfg(feature = "in-process")]
mod in_process;
pub mod lookout;
mod memory;
#[cfg(feature = "platform")]
pub mod platform;
mod process;
mod program;
mod session;
pub mod socket;
#[allow(
    unsafe_code,
    reason = "maps shared memory; the only place of this crate that may"
)]
mod sys;
mod tee;
mod worker;

pub use error::SoftError;
#[cfg(feature = "in-process")]
pub use in_process::{SoftConfig, SoftTee};
pub use program::{WORKER_VARIABLE, WorkerProgram};
pub use tee::{DEADLINE, WorkerConfig, WorkerTee};
