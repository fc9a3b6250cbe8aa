//! What a caller may ask for.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Which backend to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BackendChoice {
    /// The one of the highest level that answers.
    #[default]
    Auto,
    /// OP-TEE or none.
    Optee,
    /// The core in a sandboxed process of its own, level Low.
    Worker,
    /// The core in this process, level Low.
    InProcess,
}

impl BackendChoice {
    /// All choices.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Optee, Self::Worker, Self::InProcess];

    /// Its name, as [`FromStr`] takes it and as a backend calls itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Optee => "optee",
            Self::Worker => "worker",
            Self::InProcess => "in-process",
        }
    }
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no choice has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no backend is called {0:?}; expected auto, optee, worker or in-process")]
pub struct UnknownBackend(pub String);

impl FromStr for BackendChoice {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        let mut choices = Self::ALL.iter().copied();
        choices
            .find(|choice| choice.name() == name)
            .ok_or_else(|| UnknownBackend(name.to_owned()))
    }
}

/// What backends need to know from the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendOptions {
    /// Where a software backend keeps the device's identities; one process at a time. A TEE has
    /// storage of its own.
    pub state_dir: PathBuf,
    /// The application says that the device has a built-in panel. Only a software backend takes its
    /// word.
    pub internal_panel: bool,
    /// Which program is the worker.
    pub worker: WorkerProgram,
}

/// Which program becomes the worker, for [`BackendChoice::Worker`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WorkerProgram {
    /// The installed one: named by the environment variable `KEYBEARER_WORKER`, else beside this
    /// program or library, else in a `libexec` folder.
    #[default]
    Installed,
    /// The one at this path.
    At(PathBuf),
    /// This very program, which becomes a worker when this is its first argument.
    This {
        /// The argument.
        argument: &'static str,
    },
}

impl BackendOptions {
    /// Options that declare no panel and take the installed worker.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            internal_panel: false,
            worker: WorkerProgram::Installed,
        }
    }
}

/// Where a user's programs keep state (XDG Base Directory Specification 0.8):
/// `$XDG_STATE_HOME/keybearer`, or `~/.local/state/keybearer`. `None` without a home directory.
#[must_use]
pub fn default_state_dir() -> Option<PathBuf> {
    state_dir_of(
        env::var_os("XDG_STATE_HOME").map(PathBuf::from),
        env::home_dir(),
    )
}

fn state_dir_of(state_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The specification says to ignore relative paths.
    let state = state_home.filter(|path| path.is_absolute());
    let home = home.filter(|path| path.is_absolute());
    state
        .or_else(|| home.map(|home| home.join(".local/state")))
        .map(|path| path.join("keybearer"))
}

#[cfg(test)]
mod tests;
