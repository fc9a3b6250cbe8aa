//! What a key is for, how it is applied, and how long it lives.

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};

codes! {
    /// What a track carries. One key serves one track type.
    TrackType: u8 {
        /// Audio.
        Audio = 1,
        /// Standard definition video.
        Sd = 2,
        /// High definition video.
        Hd = 3,
        /// Ultra high definition video, first step.
        Uhd1 = 4,
        /// Ultra high definition video, second step.
        Uhd2 = 5,
        /// Anything else.
        Other = 6,
    }

    /// Protection scheme (ISO/IEC 23001-7 section 10).
    Scheme: u8 {
        /// AES-CTR, full sample or subsample.
        Cenc = 1,
        /// AES-CTR with a pattern.
        Cens = 2,
        /// AES-CBC.
        Cbc1 = 3,
        /// AES-CBC with a pattern, IV reset at each subsample.
        Cbcs = 4,
    }

    /// Where a sample's initialisation vector comes from and how long it is.
    IvKind: u8 {
        /// 8 bytes with each sample.
        PerSample8 = 1,
        /// 16 bytes with each sample.
        PerSample16 = 2,
        /// 8 bytes, one for the track.
        Constant8 = 3,
        /// 16 bytes, one for the track.
        Constant16 = 4,
    }

    /// How long a licence lives.
    LicenseKind: u8 {
        /// In memory, with its session.
        Session = 1,
        /// Sealed on the device.
        Stored = 2,
    }

    /// How a limit is enforced.
    Enforcement: u8 {
        /// When a session starts.
        Soft = 1,
        /// At each call.
        Hard = 2,
    }

    /// Where a key's policy came from (`keybearer explain` shows it).
    PolicyOrigin: u8 {
        /// A profile named by the token.
        TokenProfile = 1,
        /// Rules written in the token.
        TokenRules = 2,
        /// The track's profile.
        TrackProfile = 3,
        /// The channel's profile.
        ChannelProfile = 4,
        /// The default profile.
        Default = 5,
        /// The server's own configuration.
        Configured = 6,
    }
}

impl Scheme {
    /// The scheme's four characters (ISO/IEC 23001-7).
    #[must_use]
    pub const fn fourcc(self) -> [u8; 4] {
        match self {
            Self::Cenc => *b"cenc",
            Self::Cens => *b"cens",
            Self::Cbc1 => *b"cbc1",
            Self::Cbcs => *b"cbcs",
        }
    }

    /// The scheme of four characters, if there is one.
    #[must_use]
    pub fn from_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|scheme| scheme.fourcc() == fourcc)
    }
}

/// Blocks encrypted and left clear in turn (ISO/IEC 23001-7 section 9.6), 0 to 15 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Encrypted blocks.
    pub crypt: u8,
    /// Clear blocks.
    pub skip: u8,
}

impl Pattern {
    /// Largest number either half may have: the field has four bits.
    const MAX: u8 = 15;

    pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
        if self.crypt > Self::MAX || self.skip > Self::MAX {
            return Err(Cbor::Value);
        }
        e.list([self.crypt, self.skip], |e, blocks| {
            e.uint(u64::from(blocks))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        let half = |d: &mut Decoder<'_>| match d.u8()? {
            blocks if blocks <= Self::MAX => Ok(blocks),
            _ => Err(Cbor::Value),
        };
        d.array(2..=2, |a| {
            Ok(Self {
                crypt: a.item(half)?,
                skip: a.item(half)?,
            })
        })
    }
}
