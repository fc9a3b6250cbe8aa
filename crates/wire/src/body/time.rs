//! Bodies of the question for the service's time and of its answer.

use super::DenialReport;
use crate::field::{Blob, body};
use crate::limits::MAX_SERVICE_MESSAGE;

body! {
    /// Asks for the service's time.
    BuildTimeRequest<'a> {
        /// The session's handle.
        0 => session: u64,
        /// A newer service info, for its challenge.
        1 => service_info: Option<Blob<'a, MAX_SERVICE_MESSAGE>>,
    }
}

body! {
    /// Brings the service's time.
    LoadTimeAnswer<'a> {
        /// The session's handle.
        0 => session: u64,
        /// The time answer.
        1 => answer: Blob<'a, MAX_SERVICE_MESSAGE>,
    }
}

body! {
    /// What a time answer brought.
    TimeLoaded<'a> {
        /// The denial; absent: the time is now anchored.
        0 => denial: Option<DenialReport<'a>>,
    }
}
