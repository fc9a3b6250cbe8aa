//! What the host says of the device's outputs.
//!
//! Numbers are those of `keybearer-rules`; one that the core does not know counts as the weaker
//! value, or as an output that nothing is known of. Whether the report counts for a key is the
//! core's decision, never this message's.

use crate::field::{List, body};
use crate::limits::MAX_OUTPUTS;

body! {
    /// One active output.
    OutputReport {
        /// What it is, an `OutputKind` number.
        0 => kind: u8,
        /// HDCP version reached over the whole topology behind it, an `HdcpVersion` number; 0: none.
        1 => hdcp_version: u8,
        /// Content stream type reached, 0 or 1.
        2 => hdcp_stream_type: u8,
        /// CGMS-A state asserted on it, a `CgmsA` number; 0: none.
        3 => cgms_a: u8,
        /// Automatic gain control is on.
        4 => agc: bool,
        /// Colour stripes are on.
        5 => color_stripe: bool,
        /// The serial copy management bits say "copy never".
        6 => scms: bool,
        /// The form in which sound leaves, a `SoundForm` number.
        7 => sound: u8,
        /// The picture that leaves, in pixels; absent: not known.
        8 => picture: Option<u32>,
    }
}

body! {
    /// All outputs that are active, as the host sees them. It counts for two seconds.
    ReportOutputs {
        /// Larger than that of the last report on this connection.
        0 => sequence: u64,
        /// The outputs; none: nothing is connected.
        1 => outputs: List<OutputReport, MAX_OUTPUTS>,
    }
}
