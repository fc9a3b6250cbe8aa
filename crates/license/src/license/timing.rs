//! When a licence may be used, renewed and rotated.

use alloc::string::String;
use core::num::NonZeroU32;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};

use crate::codes::Enforcement;
use crate::error::LicenseError;
use crate::ids::{decode_text, encode_text};
use crate::limits::MAX_URL;
use crate::time::{UnixTime, decode_nonzero, encode_nonzero};

/// Beginnings and ends. Durations are in seconds; an absent one is unlimited.
///
/// The end is the earliest of `not_after`, issue + `license_seconds`, issue + `rental_seconds`, and,
/// once played, first play + start grace + `playback_seconds`. A limit enforced softly does not end
/// a playback that has begun. So a soft rental, which is the rule, binds the first play only, and a
/// hard one ends the playback too: stricter than reckoning the rental for unplayed licences alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Not before; always with `not_after`, which keeps a clock set back from opening it again.
    pub not_before: Option<UnixTime>,
    /// First second at which the licence no longer counts.
    pub not_after: Option<UnixTime>,
    /// From issue or renewal: how long this instance counts.
    pub license_seconds: Option<NonZeroU32>,
    /// From issue: in which the first play may begin.
    pub rental_seconds: Option<NonZeroU32>,
    /// From the first play.
    pub playback_seconds: Option<NonZeroU32>,
    /// Play time before the playback duration begins to run.
    pub start_grace_seconds: Option<NonZeroU32>,
    /// After a reboot, how long playback may go on without a time anchor; absent: not at all.
    pub offline_grace_seconds: Option<NonZeroU32>,
    /// When a stored licence is to be deleted.
    pub store_until: Option<UnixTime>,
    /// How `not_after` and `license_seconds` are enforced.
    pub enforce_absolute: Enforcement,
    /// How `rental_seconds` is enforced.
    pub enforce_rental: Enforcement,
    /// How `playback_seconds` is enforced.
    pub enforce_playback: Enforcement,
}

mod field {
    pub(super) const NOT_BEFORE: i64 = 1;
    pub(super) const NOT_AFTER: i64 = 2;
    pub(super) const LICENSE: i64 = 3;
    pub(super) const RENTAL: i64 = 4;
    pub(super) const PLAYBACK: i64 = 5;
    pub(super) const START_GRACE: i64 = 6;
    pub(super) const OFFLINE_GRACE: i64 = 7;
    pub(super) const STORE_UNTIL: i64 = 8;
    pub(super) const ENFORCE_ABSOLUTE: i64 = 9;
    pub(super) const ENFORCE_RENTAL: i64 = 10;
    pub(super) const ENFORCE_PLAYBACK: i64 = 11;

    pub(super) mod renewal {
        pub(crate) const URL: i64 = 1;
        pub(crate) const DELAY: i64 = 2;
        pub(crate) const RETRY: i64 = 3;
        pub(crate) const RECOVERY: i64 = 4;
        pub(crate) const ON_FIRST_USE: i64 = 5;
        pub(crate) const WITH_USAGE: i64 = 6;
    }
}

impl Timing {
    /// No limits; what is added later is enforced as the rules' defaults say.
    pub const UNLIMITED: Self = Self {
        not_before: None,
        not_after: None,
        license_seconds: None,
        rental_seconds: None,
        playback_seconds: None,
        start_grace_seconds: None,
        offline_grace_seconds: None,
        store_until: None,
        enforce_absolute: Enforcement::Hard,
        enforce_rental: Enforcement::Soft,
        enforce_playback: Enforcement::Hard,
    };

    pub(crate) fn check(&self) -> Result<(), LicenseError> {
        match (self.not_before, self.not_after) {
            (Some(begin), Some(end)) if begin < end => Ok(()),
            (None, _) => Ok(()),
            _ => Err(LicenseError::Invalid),
        }
    }

    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        let time = |e: &mut Encoder, time: UnixTime| time.encode(e);
        e.map(|m| {
            m.optional(field::NOT_BEFORE, self.not_before, time)?;
            m.optional(field::NOT_AFTER, self.not_after, time)?;
            m.optional(field::LICENSE, self.license_seconds, encode_nonzero)?;
            m.optional(field::RENTAL, self.rental_seconds, encode_nonzero)?;
            m.optional(field::PLAYBACK, self.playback_seconds, encode_nonzero)?;
            m.optional(field::START_GRACE, self.start_grace_seconds, encode_nonzero)?;
            m.optional(
                field::OFFLINE_GRACE,
                self.offline_grace_seconds,
                encode_nonzero,
            )?;
            m.optional(field::STORE_UNTIL, self.store_until, time)?;
            m.entry(field::ENFORCE_ABSOLUTE, |e| self.enforce_absolute.encode(e))?;
            m.entry(field::ENFORCE_RENTAL, |e| self.enforce_rental.encode(e))?;
            m.entry(field::ENFORCE_PLAYBACK, |e| self.enforce_playback.encode(e))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                not_before: m.optional(field::NOT_BEFORE, UnixTime::decode)?,
                not_after: m.optional(field::NOT_AFTER, UnixTime::decode)?,
                license_seconds: m.optional(field::LICENSE, decode_nonzero)?,
                rental_seconds: m.optional(field::RENTAL, decode_nonzero)?,
                playback_seconds: m.optional(field::PLAYBACK, decode_nonzero)?,
                start_grace_seconds: m.optional(field::START_GRACE, decode_nonzero)?,
                offline_grace_seconds: m.optional(field::OFFLINE_GRACE, decode_nonzero)?,
                store_until: m.optional(field::STORE_UNTIL, UnixTime::decode)?,
                enforce_absolute: m.required(field::ENFORCE_ABSOLUTE, Enforcement::decode)?,
                enforce_rental: m.required(field::ENFORCE_RENTAL, Enforcement::decode)?,
                enforce_playback: m.required(field::ENFORCE_PLAYBACK, Enforcement::decode)?,
            })
        })
    }
}

/// When and where a licence is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Where, if elsewhere than it was acquired: 1 to 512 printable ASCII characters.
    pub url: Option<String>,
    /// Seconds from issue to the first attempt.
    pub delay_seconds: u32,
    /// Seconds between attempts.
    pub retry_seconds: u32,
    /// How long playback may go on past a failed renewal, never past a hard end; absent: until
    /// the licence's own end.
    pub recovery_seconds: Option<NonZeroU32>,
    /// Renew at the first use.
    pub on_first_use: bool,
    /// Report usage with each renewal.
    pub with_usage: bool,
}

impl Renewal {
    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.map(|m| {
            m.optional(field::renewal::URL, self.url.as_ref(), |e, url| {
                encode_text(e, url, MAX_URL)
            })?;
            m.entry(field::renewal::DELAY, |e| {
                e.uint(u64::from(self.delay_seconds))
            })?;
            m.entry(field::renewal::RETRY, |e| {
                e.uint(u64::from(self.retry_seconds))
            })?;
            m.optional(
                field::renewal::RECOVERY,
                self.recovery_seconds,
                encode_nonzero,
            )?;
            m.entry(field::renewal::ON_FIRST_USE, |e| e.bool(self.on_first_use))?;
            m.entry(field::renewal::WITH_USAGE, |e| e.bool(self.with_usage))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                url: m.optional(field::renewal::URL, |d| decode_text(d, MAX_URL))?,
                delay_seconds: m.required(field::renewal::DELAY, Decoder::u32)?,
                retry_seconds: m.required(field::renewal::RETRY, Decoder::u32)?,
                recovery_seconds: m.optional(field::renewal::RECOVERY, decode_nonzero)?,
                on_first_use: m.required(field::renewal::ON_FIRST_USE, Decoder::bool)?,
                with_usage: m.required(field::renewal::WITH_USAGE, Decoder::bool)?,
            })
        })
    }
}

/// The periods in which keys rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Number of the current period.
    pub period_index: u64,
    /// When the current period began.
    pub period_start: UnixTime,
    /// Length of a period in seconds.
    pub period_seconds: NonZeroU32,
}

impl Rotation {
    pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
        e.array(|e| {
            e.uint(self.period_index)?;
            self.period_start.encode(e)?;
            encode_nonzero(e, self.period_seconds)
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.array(3..=3, |a| {
            Ok(Self {
                period_index: a.item(Decoder::uint)?,
                period_start: a.item(UnixTime::decode)?,
                period_seconds: a.item(decode_nonzero)?,
            })
        })
    }
}
