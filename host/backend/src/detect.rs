//! Tries backends in the order of their level and takes the first that answers.

use std::fmt;
use std::sync::Arc;

use keybearer_tee::{BackendInfo, ClearSession, Tee, TeeError};
use keybearer_wire::body::Describe;
use keybearer_wire::limits::ABI_VERSION;

use crate::{BackendChoice, BackendError, BackendOptions, probe};

/// Backends from the highest level down.
const BACKENDS: &[(BackendChoice, probe::Start)] = &[
    (BackendChoice::Optee, probe::optee),
    (BackendChoice::Worker, probe::worker),
    (BackendChoice::InProcess, probe::in_process),
];

/// What was chosen and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The backend that will be used.
    pub taken: BackendInfo,
    /// Every backend considered, in order, the taken one last.
    pub considered: Vec<Considered>,
}

/// One line a backend.
impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, considered) in self.considered.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{considered}")?;
        }
        Ok(())
    }
}

/// One backend considered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// Its name.
    pub backend: &'static str,
    /// Whether it was taken.
    pub taken: bool,
    /// It is there, but does not work: not what a device without it looks like.
    pub failing: bool,
    /// Why it was taken or not.
    pub reason: String,
}

impl fmt::Display for Considered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.taken { "taken" } else { "not taken" };
        write!(f, "{}: {verdict}: {}", self.backend, self.reason)
    }
}

/// Finds a backend that answers.
///
/// With [`BackendChoice::Auto`] those of a higher level come first, and each that cannot be used is
/// in the result with its reason. Any other choice is taken or is an error.
///
/// # Errors
/// [`BackendError`].
pub fn detect(
    choice: BackendChoice,
    options: &BackendOptions,
) -> Result<(Arc<dyn Tee>, Detection), BackendError> {
    choose(choice, options, BACKENDS)
}

fn choose(
    choice: BackendChoice,
    options: &BackendOptions,
    backends: &[(BackendChoice, probe::Start)],
) -> Result<(Arc<dyn Tee>, Detection), BackendError> {
    let mut considered = Vec::new();
    for (backend, start) in backends {
        let asked_for = choice == *backend;
        if !asked_for && choice != BackendChoice::Auto {
            continue;
        }
        match start(options).and_then(|tee| answers(backend.name(), &*tee).map(|said| (tee, said)))
        {
            Ok((tee, said)) => {
                let taken = tee.info();
                let how = if asked_for {
                    "asked for"
                } else {
                    "the first that answers"
                };
                let reason = format!("{how}; {said}; {}", taken.detail);
                considered.push(Considered {
                    backend: backend.name(),
                    taken: true,
                    failing: false,
                    reason,
                });
                return Ok((tee, Detection { taken, considered }));
            }
            Err(error) if asked_for => return Err(error),
            Err(error) => considered.push(Considered {
                backend: backend.name(),
                taken: false,
                failing: is_there(&error),
                reason: error.to_string(),
            }),
        }
    }
    Err(BackendError::NoneUsable { considered })
}

/// Whether a backend that cannot be used is there all the same.
fn is_there(error: &BackendError) -> bool {
    match error {
        BackendError::NotBuiltIn { .. } => false,
        BackendError::Unusable { source, .. } => !matches!(
            source.downcast_ref::<TeeError>(),
            Some(TeeError::Unavailable(_))
        ),
        // It answered, though not as it should.
        _ => true,
    }
}

/// Asks a backend what it is, so that a TEE without our trusted application, or with that of another
/// release, is seen now and not at the first licence.
fn answers(backend: &'static str, tee: &dyn Tee) -> Result<String, BackendError> {
    let session = tee
        .connect()
        .map_err(|source| BackendError::from((backend, source)))?;
    let mut session = ClearSession::new(session);
    let said = session
        .exchange(&Describe {})
        .map_err(|source| BackendError::Silent { backend, source })?;
    if said.abi != ABI_VERSION {
        let (found, expected) = (said.abi, ABI_VERSION);
        return Err(BackendError::AbiMismatch {
            backend,
            found,
            expected,
        });
    }
    Ok(format!("core version {}", said.version.0))
}

#[cfg(test)]
mod tests;
