//! What is known of a device's outputs, and whose word it is.

use core::num::NonZeroU32;

use crate::code::codes;
use crate::video::{CgmsA, Hdcp};

/// How old a report of the outputs may be, in milliseconds. An older one says nothing.
pub const MAX_REPORT_AGE_MS: u64 = 2000;

codes! {
    /// Where a picture or its sound can go. The order is that of the numbers and means nothing.
    OutputKind {
        /// Something that this build does not know: closed to whatever demands anything of outputs.
        Unknown = 0 "unknown",
        /// A built-in panel with its speakers.
        Internal = 1 "internal",
        /// HDMI.
        Hdmi = 2 "hdmi",
        /// DisplayPort.
        DisplayPort = 3 "displayport",
        /// Analogue composite video.
        AnalogComposite = 4 "composite",
        /// Analogue component video.
        AnalogComponent = 5 "component",
        /// Wireless, AirPlay included.
        Wireless = 6 "wireless",
        /// Compressed export, such as DTCP.
        CompressedExport = 7 "export",
        /// A recording.
        Recording = 8 "recording",
        /// HDMI through a digital AV adapter.
        AvAdapter = 9 "adapter",
    }
}

codes! {
    /// The form in which sound leaves on a digital output.
    SoundForm {
        /// It is not known, so that it may be either.
        Unknown = 0 "unknown",
        /// None leaves.
        None = 1 "none",
        /// Uncompressed.
        Uncompressed = 2 "uncompressed",
        /// Compressed.
        Compressed = 3 "compressed",
    }
}

/// An active output. What is not known is the weaker value throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output {
    /// What it is.
    pub kind: OutputKind,
    /// The HDCP reached over the whole topology behind it; `None` for none.
    pub hdcp: Option<Hdcp>,
    /// The CGMS-A state asserted on it; `None` for none.
    pub cgms_a: Option<CgmsA>,
    /// Automatic gain control is on.
    pub agc: bool,
    /// Colour stripes are on.
    pub color_stripe: bool,
    /// The serial copy management bits say "copy never".
    pub scms: bool,
    /// The form in which sound leaves.
    pub sound: SoundForm,
    /// The picture that leaves, in pixels, width times height; `None` where it is not known.
    pub picture: Option<NonZeroU32>,
}

impl Output {
    /// An output of which nothing is known but what it is.
    #[must_use]
    pub const fn of(kind: OutputKind) -> Self {
        Self {
            kind,
            hdcp: None,
            cgms_a: None,
            agc: false,
            color_stripe: false,
            scms: false,
            sound: SoundForm::Unknown,
            picture: None,
        }
    }
}

/// Who vouches for a statement about outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The trusted side itself: a monitor, or a constant compiled into a signed build.
    Platform,
    /// Only the host.
    Host,
}

/// The newest report of the outputs: all that are active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Who says so.
    pub source: Source,
    /// How old it is, in milliseconds by the trusted clock.
    pub age_ms: u64,
    /// The active outputs.
    pub outputs: &'a [Output],
}

/// All that is known of the outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs<'a> {
    /// Who says that the device has a built-in panel; `None` when nobody does. It is what counts
    /// where no report does.
    pub panel: Option<Source>,
    /// The newest report.
    pub report: Option<Report<'a>>,
}

impl Hdcp {
    /// Whether a link that reached `self` meets the demand `wanted`.
    #[must_use]
    pub fn meets(self, wanted: Self) -> bool {
        self.version() >= wanted.version() && self.stream_type() >= wanted.stream_type()
    }
}
