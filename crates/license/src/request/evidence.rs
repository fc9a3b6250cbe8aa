//! What the trusted side says about itself.

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};
use keybearer_rules::Level;

use crate::codes::{CounterStrength, DebugStatus, Isolation};
use crate::ids::{BootId, Version};

/// Evidence, signed with the request. A service grants at most what it proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The level that really runs.
    pub level: Level,
    /// Where the core runs.
    pub isolation: Isolation,
    /// Release of the core.
    pub core_version: Version,
    /// Release of the trusted application around it.
    pub ta_version: Option<Version>,
    /// Debug state, now.
    pub debug: DebugStatus,
    /// This boot, derived per anchor.
    pub boot_id: BootId,
    /// Strongest counter the platform has.
    pub counter: CounterStrength,
    /// Whether the core holds a time anchor.
    pub time_anchored: bool,
}

mod field {
    pub(super) const LEVEL: i64 = 1;
    pub(super) const ISOLATION: i64 = 2;
    pub(super) const CORE_VERSION: i64 = 3;
    pub(super) const TA_VERSION: i64 = 4;
    pub(super) const DEBUG: i64 = 5;
    pub(super) const BOOT_ID: i64 = 6;
    pub(super) const COUNTER: i64 = 7;
    pub(super) const TIME_ANCHORED: i64 = 8;
}

impl Evidence {
    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.map(|m| {
            m.entry(field::LEVEL, |e| self.level.encode(e))?;
            m.entry(field::ISOLATION, |e| self.isolation.encode(e))?;
            m.entry(field::CORE_VERSION, |e| self.core_version.encode(e))?;
            m.optional(field::TA_VERSION, self.ta_version, |e, version| {
                version.encode(e)
            })?;
            m.entry(field::DEBUG, |e| self.debug.encode(e))?;
            m.entry(field::BOOT_ID, |e| self.boot_id.encode(e))?;
            m.entry(field::COUNTER, |e| self.counter.encode(e))?;
            m.entry(field::TIME_ANCHORED, |e| e.bool(self.time_anchored))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                level: m.required(field::LEVEL, Level::decode)?,
                isolation: m.required(field::ISOLATION, Isolation::decode)?,
                core_version: m.required(field::CORE_VERSION, Version::decode)?,
                ta_version: m.optional(field::TA_VERSION, Version::decode)?,
                debug: m.required(field::DEBUG, DebugStatus::decode)?,
                boot_id: m.required(field::BOOT_ID, BootId::decode)?,
                counter: m.required(field::COUNTER, CounterStrength::decode)?,
                time_anchored: m.required(field::TIME_ANCHORED, Decoder::bool)?,
            })
        })
    }
}
