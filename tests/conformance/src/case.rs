//! What a case is, and how it says that a promise was broken.

use std::fmt;

use keybearer_rules::Level;
use keybearer_wire::Status;

use crate::connection::Failure;
use crate::ground::Ground;

/// A promise and its proof.
pub struct Case {
    /// Stable: a number is never used for another promise.
    pub id: &'static str,
    /// One sentence, as the README prints it.
    pub promise: &'static str,
    /// What the backend must have or allow for it.
    pub needs: &'static [Need],
    /// The proof.
    pub(crate) run: fn(&Ground<'_>) -> Verdict,
}

/// What a case needs of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A clock of the trusted side's own.
    Clock,
    /// The application names the trust anchor.
    OwnAnchors,
    /// The permitted anchors are built into the trusted side.
    BuiltInAnchors,
    /// A device without an identity, or one whose identity may be erased.
    FreshDevice,
    /// A device that may be left in a bad state.
    Disposable,
    /// The trusted side can be ended and started again over what it has stored.
    Restart,
    /// The trusted side can be killed under its clients.
    Kill,
    /// The test can let time pass at once.
    MovableClock,
    /// Memory that the host shares with the trusted side.
    SharedMemory,
    /// A decoder in the trusted side, for protected sessions.
    Decoder,
    /// A test build, which can be told to die.
    TestBuild,
    /// This level at least.
    Level(Level),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock => f.write_str("a clock of the trusted side's own"),
            Self::OwnAnchors => f.write_str("trust anchors that the application names"),
            Self::BuiltInAnchors => f.write_str("trust anchors that are built in"),
            Self::FreshDevice => f.write_str("a device without an identity"),
            Self::Disposable => f.write_str("a disposable device"),
            Self::Restart => f.write_str("a trusted side that a test can restart"),
            Self::Kill => f.write_str("a trusted side that a test can kill"),
            Self::MovableClock => f.write_str("a clock that a test can move"),
            Self::SharedMemory => f.write_str("memory shared with the trusted side"),
            Self::Decoder => f.write_str("a decoder in the trusted side"),
            Self::TestBuild => f.write_str("a test build"),
            Self::Level(level) => write!(f, "level {} or above", level.name()),
        }
    }
}

/// How a case ended.
pub type Verdict = Result<(), Fault>;

/// How a promise was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self(format!("unexpected: {failure}"))
    }
}

/// Holds that `true` is true.
pub(crate) fn hold(truth: bool, otherwise: impl fmt::Display) -> Verdict {
    if truth {
        Ok(())
    } else {
        Err(Fault(otherwise.to_string()))
    }
}

/// Holds that two things are the same.
pub(crate) fn same<T: PartialEq + fmt::Debug>(found: T, expected: T, what: &str) -> Verdict {
    if found == expected {
        return Ok(());
    }
    Err(Fault(format!(
        "{what}: {found:?} where {expected:?} is promised"
    )))
}

/// Holds that the trusted side refuses, with this status.
pub(crate) fn refused<T>(found: Result<T, Failure>, expected: Status, what: &str) -> Verdict {
    match found {
        Err(Failure::Refused(status)) if status == expected => Ok(()),
        Err(other) => Err(Fault(format!(
            "{what}: {other}, where {} is promised",
            expected.name()
        ))),
        Ok(_) => Err(Fault(format!(
            "{what}: done, where {} is promised",
            expected.name()
        ))),
    }
}
