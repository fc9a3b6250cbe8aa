//! Why a key has its status: field, wanted, found.

use core::fmt;

use crate::code::codes;
use crate::level::Level;
use crate::output::OutputKind;
use crate::video::{CgmsA, Hdcp, HdcpVersion};

codes! {
    /// What a reason is about; the names are those of the policy's fields. The order is that of the
    /// numbers and means nothing.
    Field {
        /// The least level. Numbers are those of [`Level`]; without one wanted, none suffices.
        MinSecurity = 1 "min_security",
        /// The secure media path, which only the level High has.
        SecureMediaPath = 2 "secure_media_path",
        /// The term of the licence.
        Term = 3 "term",
        /// No report of the outputs that counts.
        Report = 4 "report",
        /// The report that counts is the host's; the one reason that a usable key can have.
        HostReported = 5 "host-reported",
        /// An output of unknown kind.
        Kind = 6 "kind",
        /// HDCP on a digital output.
        DigitalVideo = 7 "digital_video",
        /// Compressed video on a digital output.
        CompressedDigitalVideo = 8 "compressed_digital_video",
        /// Uncompressed audio on a digital output.
        DigitalAudioUncompressed = 9 "digital_audio_uncompressed",
        /// Compressed audio on a digital output.
        DigitalAudioCompressed = 10 "digital_audio_compressed",
        /// CGMS-A on an analogue output.
        AnalogVideo = 11 "analog_video",
        /// Automatic gain control.
        Agc = 12 "agc",
        /// Colour stripes.
        ColorStripe = 13 "color_stripe",
        /// The largest analogue picture, in pixels.
        MaxResAnalog = 14 "max_res_analog",
        /// The largest uncompressed picture on a digital output, in pixels.
        MaxResUncompressedDigital = 15 "max_res_uncompressed_digital",
        /// The largest compressed picture on a digital output, in pixels.
        MaxResCompressedDigital = 16 "max_res_compressed_digital",
        /// The largest picture of the device, in pixels.
        MaxResDevice = 17 "max_res_device",
        /// AirPlay receivers.
        Airplay = 18 "airplay",
        /// Digital AV adapters.
        AvAdapter = 19 "av_adapter",
        /// Export under DTCP.
        ExportDtcp = 20 "export_dtcp",
        /// Recording.
        Recording = 21 "recording",
    }
}

/// Why a key has its status.
///
/// Numbers are those of the field: pixels, a level, an HDCP number ([`Hdcp::number`]), a CGMS-A code.
/// Where nothing would do, nothing is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    /// What it is about.
    pub field: Field,
    /// On which output.
    pub output: Option<OutputKind>,
    /// What would do.
    pub wanted: Option<u32>,
    /// What was found.
    pub found: Option<u32>,
}

impl Hdcp {
    /// The version in tenths, 10 for any 1.x, and 100 more for content stream type 1; 0 is no HDCP.
    #[must_use]
    pub const fn number(self) -> u32 {
        let version = match self.version() {
            HdcpVersion::V1 => 10,
            HdcpVersion::V2_0 => 20,
            HdcpVersion::V2_1 => 21,
            HdcpVersion::V2_2 => 22,
            HdcpVersion::V2_3 => 23,
        };
        match self {
            Self::Type0(_) => version,
            Self::Type1(_) => version + 100,
        }
    }
}

impl Field {
    /// A number of this field in words.
    #[must_use]
    pub const fn words(self, number: u32) -> impl fmt::Display {
        Words(self, number)
    }
}

struct Words(Field, u32);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(field, number) = *self;
        let code = u8::try_from(number).ok();
        match field {
            Field::MinSecurity | Field::SecureMediaPath => match code.and_then(Level::from_code) {
                Some(level) => level.fmt(f),
                None => number.fmt(f),
            },
            Field::DigitalVideo
            | Field::CompressedDigitalVideo
            | Field::DigitalAudioUncompressed
            | Field::DigitalAudioCompressed => match (number % 100, number / 100) {
                (0, 0) => f.write_str("no HDCP"),
                (10, 0) => f.write_str("HDCP 1.x"),
                (tenths, 0) => write!(f, "HDCP {}.{}", tenths / 10, tenths % 10),
                (tenths, kind) => write!(f, "HDCP {}.{} type {kind}", tenths / 10, tenths % 10),
            },
            Field::AnalogVideo => match code.and_then(CgmsA::from_code) {
                Some(state) => write!(f, "CGMS-A {state}"),
                None => f.write_str("no CGMS-A"),
            },
            Field::Agc | Field::ColorStripe => f.write_str(match number {
                0 => "off",
                _ => "on",
            }),
            Field::MaxResAnalog
            | Field::MaxResUncompressedDigital
            | Field::MaxResCompressedDigital
            | Field::MaxResDevice => write!(f, "{number} pixels"),
            Field::Term
            | Field::Report
            | Field::HostReported
            | Field::Kind
            | Field::Airplay
            | Field::AvAdapter
            | Field::ExportDtcp
            | Field::Recording => number.fmt(f),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.field.fmt(f)?;
        if let Some(output) = self.output {
            write!(f, " on {output}")?;
        }
        if let Some(wanted) = self.wanted {
            write!(f, ": wanted {}", self.field.words(wanted))?;
        }
        if let Some(found) = self.found {
            let joint = match self.wanted {
                Some(_) => ", found",
                None => ": found",
            };
            write!(f, "{joint} {}", self.field.words(found))?;
        }
        Ok(())
    }
}

/// Reasons held at most; further ones are counted nowhere, since the first already decide.
const MAX_REASONS: usize = 5;

/// The reasons of one decision, the same one not twice, in the order in which they were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons([Option<Reason>; MAX_REASONS]);

impl Reasons {
    /// How many there can be.
    pub const MAX: usize = MAX_REASONS;

    /// The reasons.
    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.0.iter().flatten()
    }

    /// Whether one is about this field.
    #[must_use]
    pub fn names(&self, field: Field) -> bool {
        self.iter().any(|reason| reason.field == field)
    }

    pub(crate) fn add(&mut self, reason: Reason) {
        if self.iter().any(|other| *other == reason) {
            return;
        }
        if let Some(free) = self.0.iter_mut().find(|place| place.is_none()) {
            *free = Some(reason);
        }
    }
}
