//! Why the software backend did not start.

use std::io;
use std::path::PathBuf;

use keybearer_core::PlatformError;

/// Why the software backend did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoftError {
    /// A file operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process uses the state directory.
    #[error(
        "{} is in use by another process; stop it or choose another state directory",
        path.display()
    )]
    InUse {
        /// The state directory.
        path: PathBuf,
    },
    /// Others than the user may read the state directory.
    #[error("{} has mode {mode:o} and may be read by others; run `chmod 700` on it", path.display())]
    Permissions {
        /// The state directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The core could not be made.
    #[error("the trusted core did not start: {0}")]
    Platform(#[from] PlatformError),
}
