//! Finds the trusted core that this device has and says why it chose it.
//!
//! The level of a backend is a property of the backend that really runs; nothing here can raise it.
//! So what is chosen is never silent: [`Detection`] names each backend considered and why it was
//! taken or not, and a backend asked for by name is taken or is an error, never replaced by
//! another. This is the only room that names the backends; which are built in is a cargo feature
//! each.

#![forbid(unsafe_code)]

mod choice;
mod detect;
mod error;
mod probe;

pub use choice::{BackendChoice, BackendOptions, UnknownBackend, WorkerProgram, default_state_dir};
pub use detect::{Considered, Detection, detect};
pub use error::BackendError;
