//! What every trusted side promises to the host above it, as cases that run against any backend.
//!
//! A [`Case`] has a stable id, the promise that it proves in one sentence, and what it needs. It
//! sees a backend as a host does: bytes through [`keybearer_tee::Tee`], nothing behind it. The
//! service beside it is scripted ([`keybearer_scripted_service`]), since most of what has to be
//! proved is what happens when a service, or somebody in its place, says something wrong.
//!
//! To run the suite against a backend, implement [`Subject`] for it, a few lines, and call
//! [`run`]. A case whose needs the backend does not meet is reported with the reason and is never
//! left out in silence; [`Lacks`] holds a run to the cases that may be. What a case breaks (identities, the
//! device's idea of the time) it breaks only where [`Subject::disposable`] allows it.
//!
//! `tests/controls.rs` proves the cases themselves: each fails against a backend that breaks its
//! promise.

#![forbid(unsafe_code)]

mod case;
mod cases;
mod chosen;
mod clip;
mod connection;
mod encryption;
mod ground;
mod lacks;
mod promises;
mod run;
mod subject;

pub use case::{Case, Fault, Need, Verdict};
pub use cases::all;
pub use chosen::Chosen;
pub use lacks::{Difference, Lacks, NoSuchCase};
pub use promises::{BEGIN, END, promises, replaced};
pub use run::{Outcome, Report, Summary, run};
pub use subject::{Device, Subject};
