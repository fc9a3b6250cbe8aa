//! Why there is no backend.

use keybearer_tee::TeeError;

use crate::Considered;

/// Why there is no backend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// None of those considered can be used.
    #[error("no trusted core can be used on this device:{}", listed(.considered))]
    NoneUsable {
        /// Each of them, and why not.
        considered: Vec<Considered>,
    },
    /// The backend asked for is not in this build.
    #[error("backend {backend} is not in this build; build with the cargo feature `{feature}`")]
    NotBuiltIn {
        /// The backend.
        backend: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// The backend asked for does not start or does not answer.
    #[error("backend {backend} cannot be used: {source}")]
    Unusable {
        /// The backend.
        backend: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The backend answers with another version of the interface.
    #[error(
        "backend {backend} speaks version {found} of the interface, this program {expected}; \
         install the trusted side and the program from one release"
    )]
    AbiMismatch {
        /// The backend.
        backend: &'static str,
        /// Its version.
        found: u16,
        /// Ours.
        expected: u16,
    },
    /// The backend was reached but did not say what it is.
    #[error("backend {backend} does not answer: {source}")]
    Silent {
        /// The backend.
        backend: &'static str,
        /// Why not.
        source: keybearer_tee::CallError,
    },
}

impl From<(&'static str, TeeError)> for BackendError {
    fn from((backend, source): (&'static str, TeeError)) -> Self {
        Self::Unusable {
            backend,
            source: Box::new(source),
        }
    }
}

fn listed(considered: &[Considered]) -> String {
    considered.iter().map(|one| format!("\n  {one}")).collect()
}
