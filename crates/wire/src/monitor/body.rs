//! Requests and answers of the monitor, in the order of its command table.

pub use crate::body::{Empty, OutputReport};

use crate::field::{List, body};
use crate::limits::MAX_OUTPUTS;

body! {
    /// Asks what is connected.
    Look {}
}

body! {
    /// All outputs that are active. What the monitor does not know of one is the weaker value.
    Seen {
        /// The outputs; none: nothing is connected.
        0 => outputs: List<OutputReport, MAX_OUTPUTS>,
    }
}

body! {
    /// What the test monitor shall tell.
    Show {
        /// The outputs; absent: it shall not answer, as at first.
        0 => outputs: Option<List<OutputReport, MAX_OUTPUTS>>,
    }
}

body! {
    /// Ends the test monitor.
    Die {}
}

#[cfg(test)]
mod tests;
