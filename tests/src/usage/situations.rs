//! The ten situations of the outputs.

use keybearer_wire::body::OutputReport;

/// What is connected, as far as the situations need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A built-in panel.
    Panel,
    /// HDMI.
    Hdmi,
    /// Analogue composite video.
    Composite,
    /// Wireless, such as Miracast.
    Wireless,
    /// A recording.
    Recording,
}

impl Kind {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Panel => 1,
            Self::Hdmi => 2,
            Self::Composite => 4,
            Self::Wireless => 6,
            Self::Recording => 8,
        }
    }
}

/// The form in which sound leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Not in digital form.
    None,
    /// Uncompressed.
    Uncompressed,
    /// Compressed.
    Compressed,
}

/// Version in tenths (14 is 1.4) and content stream type; 0 and 0: none.
pub type Hdcp = (u8, u8);

/// An active output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// What it is.
    pub kind: Kind,
    /// The HDCP that it reached.
    pub hdcp: Hdcp,
    /// CGMS-A says "copy never".
    pub copy_never: bool,
    /// How sound leaves.
    pub sound: Sound,
}

impl Connected {
    const fn of(kind: Kind, sound: Sound) -> Self {
        Self {
            kind,
            hdcp: (0, 0),
            copy_never: false,
            sound,
        }
    }

    const fn under(self, version: u8, stream_type: u8) -> Self {
        Self {
            hdcp: (version, stream_type),
            ..self
        }
    }

    /// As the wire has it.
    #[must_use]
    pub fn report(&self) -> OutputReport {
        OutputReport {
            kind: self.kind.number(),
            hdcp_version: match self.hdcp.0 {
                0 => 0,
                10..=14 => 1,
                version => version - 18,
            },
            hdcp_stream_type: self.hdcp.1,
            cgms_a: if self.copy_never { 3 } else { 0 },
            agc: false,
            color_stripe: false,
            scms: false,
            sound: match self.sound {
                Sound::None => 1,
                Sound::Uncompressed => 2,
                Sound::Compressed => 3,
            },
            picture: None,
        }
    }
}

/// HDMI without HDCP.
pub const BARE_HDMI: Connected = Connected::of(Kind::Hdmi, Sound::Uncompressed);
/// HDMI under HDCP 1.4.
pub const OLD_HDMI: Connected = BARE_HDMI.under(14, 0);
/// HDMI under HDCP 2.2, stream type 1.
pub const GOOD_HDMI: Connected = BARE_HDMI.under(22, 1);
/// Analogue video that nothing protects.
pub const ANALOG: Connected = Connected::of(Kind::Composite, Sound::None);

/// One situation.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// For tables and failures.
    pub name: &'static str,
    /// What is connected; `None`: nobody says.
    pub outputs: Option<&'static [Connected]>,
}

const fn situation(name: &'static str, outputs: &'static [Connected]) -> Situation {
    Situation {
        name,
        outputs: Some(outputs),
    }
}

/// All ten. The last one comes in two ways, nothing reported and a report too old, to the same end.
pub const SITUATIONS: [Situation; 10] = [
    situation("panel", &[Connected::of(Kind::Panel, Sound::None)]),
    situation("HDMI", &[BARE_HDMI]),
    situation("HDMI 1.4", &[OLD_HDMI]),
    situation(
        "HDMI 2.2 type 0",
        &[Connected::of(Kind::Hdmi, Sound::Compressed).under(22, 0)],
    ),
    situation("HDMI 2.2 type 1", &[GOOD_HDMI]),
    situation("analogue", &[ANALOG]),
    situation(
        "analogue, copy never",
        &[Connected {
            copy_never: true,
            ..ANALOG
        }],
    ),
    situation(
        "wireless 2.3 type 1",
        &[Connected::of(Kind::Wireless, Sound::Compressed).under(23, 1)],
    ),
    situation(
        "recording",
        &[Connected::of(Kind::Recording, Sound::Compressed)],
    ),
    Situation {
        name: "nothing known",
        outputs: None,
    },
];
