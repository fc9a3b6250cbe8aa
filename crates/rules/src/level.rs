//! Security levels, and the least one that a policy asks for.

use core::fmt;

use keybearer_cbor::{Decoder, Encoder, Error};

use crate::code::codes;

codes! {
    /// How well keys and content are kept from the operating system.
    ///
    /// It is a property of the backend that really runs, certified and attested, and never a
    /// setting. The order is from weak to strong.
    Level {
        /// Simulated: only what is made for testing.
        None = 0 "none",
        /// Keys and decryption in the operating system.
        Low = 1 "low",
        /// Keys and decryption in the TEE.
        Medium = 2 "medium",
        /// Keys, decryption and content processing in the TEE.
        High = 3 "high",
    }
}

/// The least level a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MinSecurity {
    /// The rules say nothing.
    Unspecified,
    /// This level or a stronger one.
    AtLeast(Level),
    /// No level at all: the rules bar everyone.
    Deny,
}

impl MinSecurity {
    /// Code of [`Deny`](Self::Deny); the levels lie between it and 0.
    const DENY: u8 = 5;

    /// Whether a backend of `level` is good enough.
    #[must_use]
    pub fn permits(self, level: Level) -> bool {
        match self {
            Self::Unspecified => true,
            Self::AtLeast(least) => level >= least,
            Self::Deny => false,
        }
    }

    pub(crate) fn encode(self, encoder: &mut Encoder) -> Result<(), Error> {
        encoder.uint(match self {
            Self::Unspecified => 0,
            Self::AtLeast(level) => u64::from(level.code()) + 1,
            Self::Deny => Self::DENY.into(),
        })
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Error> {
        let code = decoder.u8()?;
        match code.checked_sub(1) {
            None => Ok(Self::Unspecified),
            Some(_) if code == Self::DENY => Ok(Self::Deny),
            Some(level) => Level::from_code(level)
                .map(Self::AtLeast)
                .ok_or(Error::Value),
        }
    }
}

impl fmt::Display for MinSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unspecified => f.write_str("unspecified"),
            Self::AtLeast(level) => level.fmt(f),
            Self::Deny => f.write_str("deny"),
        }
    }
}
