//! Why the software backend did not start.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::channel::Failure;

/// Why the software backend did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoftError {
    /// A file operation failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        what: Cow<'static, str>,
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
    /// Others than the user may read the state directory or the file in it.
    #[error(
        "{} or the vault in it has mode {mode:o} and may be read by others; run `chmod -R go=` on it",
        path.display()
    )]
    Permissions {
        /// The state directory.
        path: PathBuf,
        /// The permission bits found.
        mode: u32,
    },
    /// What the state directory holds is damaged beyond the copy that guards against power cuts.
    #[error(
        "the vault in {} is damaged; put it back from a copy, or remove it and provision this device again",
        path.display()
    )]
    Damaged {
        /// The state directory.
        path: PathBuf,
    },
    /// The core could not be made.
    #[error("the trusted core did not start: {0}")]
    Core(String),
    /// The worker could not lock itself in, and so did not start.
    #[error("the worker cannot close its sandbox: {0}")]
    Sandbox(String),
    /// There is no worker program where one is looked for.
    #[error(
        "no worker program found (looked for {}); install keybearer-worker beside this program, \
         or name it in KEYBEARER_WORKER",
        listed(.searched)
    )]
    NoWorker {
        /// The paths looked at, in order.
        searched: Vec<PathBuf>,
    },
    /// The worker program cannot be executed.
    #[error("cannot execute the worker {}: {source}", path.display())]
    Spawn {
        /// The program.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The program was executed, but does not behave as a worker.
    #[error("{} is not a worker of Keybearer, or died: {why}", path.display())]
    NotAWorker {
        /// The program.
        path: PathBuf,
        /// What it did instead.
        why: String,
    },
    /// The worker is of another release.
    #[error(
        "the worker {} speaks version {found} and this program {expected}; install both from one release",
        path.display()
    )]
    Version {
        /// The program.
        path: PathBuf,
        /// Its version: of the channel, and of the interface to the core.
        found: String,
        /// Ours.
        expected: String,
    },
}

impl SoftError {
    /// What a worker says about `state_dir`, in our words.
    pub(crate) fn reported(failure: Failure, state_dir: &Path) -> Self {
        let path = state_dir.to_path_buf();
        match failure {
            Failure::InUse => Self::InUse { path },
            Failure::Permissions { mode } => Self::Permissions { path, mode },
            Failure::Damaged => Self::Damaged { path },
            Failure::Io { what, number } => Self::Io {
                what: what.into(),
                path,
                source: io::Error::from_raw_os_error(number),
            },
            Failure::Core(why) => Self::Core(why),
            Failure::Sandbox(why) => Self::Sandbox(why),
        }
    }

    /// As a worker reports it to its host.
    #[must_use]
    pub fn report(self) -> Failure {
        match self {
            Self::InUse { .. } => Failure::InUse,
            Self::Permissions { mode, .. } => Failure::Permissions { mode },
            Self::Damaged { .. } => Failure::Damaged,
            Self::Io { what, source, .. } => Failure::Io {
                what: what.into_owned(),
                number: source.raw_os_error().unwrap_or(0),
            },
            Self::Core(why) => Failure::Core(why),
            Self::Sandbox(why) => Failure::Sandbox(why),
            other => Failure::Core(other.to_string()),
        }
    }
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}
