//! Time as the protocol knows it: whole seconds, and what a verifier knows about now.

use core::num::NonZeroU32;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};

use crate::error::LicenseError;
use crate::limits::MAX_UNIX_TIME;

/// Whole seconds since 1970-01-01T00:00:00 UTC, leap seconds not counted (RFC 8392 NumericDate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// This time and `seconds` more, at most [`MAX_UNIX_TIME`].
    #[must_use]
    pub fn saturating_add(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds).min(MAX_UNIX_TIME))
    }

    pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
        if self.0 > MAX_UNIX_TIME {
            Err(Cbor::Range)
        } else {
            e.uint(self.0)
        }
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        match d.uint()? {
            seconds if seconds <= MAX_UNIX_TIME => Ok(Self(seconds)),
            _ => Err(Cbor::Range),
        }
    }
}

/// Writes a duration or limit for which zero would mean "none".
pub(crate) fn encode_nonzero(e: &mut Encoder, value: NonZeroU32) -> Result<(), Cbor> {
    e.uint(u64::from(value.get()))
}

/// Reads what [`encode_nonzero`] writes; zero is left out on the wire, never written.
pub(crate) fn decode_nonzero(d: &mut Decoder<'_>) -> Result<NonZeroU32, Cbor> {
    NonZeroU32::new(d.u32()?).ok_or(Cbor::Value)
}

/// When a certificate, or a whole chain, counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second it counts.
    pub not_before: UnixTime,
    /// First second it no longer counts.
    pub not_after: UnixTime,
}

impl Validity {
    /// What a bare anchor allows.
    pub(crate) const ALWAYS: Self = Self {
        not_before: UnixTime(0),
        not_after: UnixTime(MAX_UNIX_TIME),
    };

    /// Length in seconds.
    ///
    /// # Errors
    /// [`LicenseError::Invalid`] when it ends before it begins.
    pub(crate) fn seconds(self) -> Result<u64, LicenseError> {
        match self.not_after.0.checked_sub(self.not_before.0) {
            Some(seconds) if seconds > 0 => Ok(seconds),
            _ => Err(LicenseError::Invalid),
        }
    }

    /// When both count.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    /// Whether `time` lies inside.
    #[must_use]
    pub fn contains(self, time: UnixTime) -> bool {
        self.not_before <= time && time < self.not_after
    }
}

/// What a verifier knows about the present.
///
/// Ends are tested at the upper edge and beginnings at the lower, so that doubt never helps the
/// other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeView {
    /// Nothing: a device that never had an anchor. Neither edge is tested.
    Unknown,
    /// Not anchored since boot, but it cannot be earlier than this: only ends are tested.
    Floor(UnixTime),
    /// Anchored: now lies between these two, both included.
    Interval {
        /// Now is not before this.
        earliest: UnixTime,
        /// Now is not after this.
        latest: UnixTime,
    },
}

impl TimeView {
    /// A clock that is trusted as it is, as a server's.
    #[must_use]
    pub const fn exactly(now: UnixTime) -> Self {
        Self::Interval {
            earliest: now,
            latest: now,
        }
    }

    /// Tests one certificate's validity.
    ///
    /// # Errors
    /// [`LicenseError::Expired`], [`LicenseError::NotYetValid`].
    pub(crate) fn check(self, validity: Validity) -> Result<(), LicenseError> {
        match self {
            Self::Unknown => Ok(()),
            Self::Floor(floor) if floor < validity.not_after => Ok(()),
            Self::Floor(_) => Err(LicenseError::Expired),
            Self::Interval { latest, .. } if latest >= validity.not_after => {
                Err(LicenseError::Expired)
            }
            Self::Interval { earliest, .. } if earliest < validity.not_before => {
                Err(LicenseError::NotYetValid)
            }
            Self::Interval { .. } => Ok(()),
        }
    }
}
