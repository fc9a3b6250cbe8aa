//! Timing of code that handles secrets.
//!
//! Two means. `ctgrind` runs it under valgrind with the secrets marked as undefined memory, so that
//! every branch and every address that depends on one is reported: deterministic, and a gate.
//! `dudect` measures, and reports how sure it is that two classes of input take different times:
//! evidence, on a machine that is shared with others no more. Each has deliberately leaky code that
//! must be found, or it finds nothing at all.
//!
//! Handles are not among the secrets: a session's handle is a place and a count of sessions, which
//! whoever may call at all can guess, and it is worth nothing to another client.

mod cases;
mod inputs;
mod leaky;
mod valgrind;

pub use cases::{CASES, Case};
pub use inputs::{Fixed, opened_message, sealed_message};
pub use leaky::{LEAKY, naive_equal};
pub use valgrind::{errors, public, running, secret};
