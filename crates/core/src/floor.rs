//! The version floor: which core, and for which protocol, may go on with the records under an
//! anchor.
//!
//! A core writes its own versions there before it seals anything else, and raises them when it is
//! the newer one. An older core, put back over newer records, then refuses them instead of
//! reading them by rules that have changed since. The floor is sealed like the rest, so the host
//! cannot lower it; like the rest it goes back when the host puts old storage back as a whole,
//! which only a counter could tell. Erasing the identity ends it: a device that goes back to an
//! older core on purpose becomes a new one.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, decode, encode};
use keybearer_license::{PROTOCOL_VERSION, Version};

use crate::anchor::record_error;
use crate::config::VERSION;
use crate::platform::PlatformError;

/// Bytes of a floor record at most.
pub(crate) const MAX_RECORD: usize = 32;

/// The versions that sealed what is under an anchor, or may do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    pub(crate) core: Version,
    pub(crate) protocol: u64,
}

impl Floor {
    /// Those of this core.
    pub(crate) const RUNNING: Self = Self {
        core: VERSION,
        protocol: PROTOCOL_VERSION,
    };

    /// Tests this core against a sealed floor: the floor to seal instead, if it is lower.
    ///
    /// # Errors
    /// [`PlatformError::Version`] when the floor lies above this core.
    pub(crate) fn pass(self) -> Result<Option<Self>, PlatformError> {
        if self.core > Self::RUNNING.core || self.protocol > Self::RUNNING.protocol {
            return Err(PlatformError::Version);
        }
        Ok((self != Self::RUNNING).then_some(Self::RUNNING))
    }

    pub(crate) fn to_record(self) -> Result<Vec<u8>, PlatformError> {
        encode(MAX_RECORD, |e| {
            e.array(|e| {
                e.uint(u64::from(self.core.major))?;
                e.uint(u64::from(self.core.minor))?;
                e.uint(u64::from(self.core.patch))?;
                e.uint(self.protocol)
            })
        })
        .map_err(record_error)
    }

    pub(crate) fn from_record(bytes: &[u8]) -> Result<Self, PlatformError> {
        decode(bytes, MAX_RECORD, |d| {
            d.array(4..=4, |items| {
                Ok(Self {
                    core: Version {
                        major: items.item(Decoder::u16)?,
                        minor: items.item(Decoder::u16)?,
                        patch: items.item(Decoder::u16)?,
                    },
                    protocol: items.item(Decoder::uint)?,
                })
            })
        })
        .map_err(record_error)
    }
}

#[cfg(test)]
mod tests;
