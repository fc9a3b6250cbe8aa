//! When a licence begins and ends.
//!
//! A hard limit is tested at every call. A soft one is tested until the licence is first used: a
//! playback that has begun may finish. The limits:
//!
//! | limit | reckoned from | kind |
//! |---|---|---|
//! | not before, not after | - | `enforce_absolute` |
//! | licence duration | issue of this instance | `enforce_absolute` |
//! | rental | issue; binds the first use, and when hard the playback too | `enforce_rental` |
//! | playback | first use, plus the start grace | `enforce_playback` |

use keybearer_license::{Enforcement, Timing, UnixTime};
use keybearer_wire::body::ReasonField;

use crate::time::Interval;

/// A limit that ends a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Which limit.
    pub(crate) field: ReasonField,
    /// Its moment.
    pub(crate) at: UnixTime,
}

/// What the clock says about a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be used.
    Runs,
    /// It begins at this time.
    Begins(UnixTime),
    /// It is limited in time and there is none.
    Waits,
    /// It is over, for good.
    Ended(End),
}

/// The limits of one licence and the moments they are reckoned from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The limits.
    pub(crate) timing: Timing,
    /// Server time at issue.
    pub(crate) issued: UnixTime,
    /// Trusted time of the first use, lower edge.
    pub(crate) first_use: Option<UnixTime>,
}

impl Terms {
    /// True when any limit needs a clock.
    pub(crate) fn limited(&self) -> bool {
        let Timing {
            not_before,
            not_after,
            license_seconds,
            rental_seconds,
            playback_seconds,
            ..
        } = self.timing;
        not_before.is_some()
            || not_after.is_some()
            || license_seconds.is_some()
            || rental_seconds.is_some()
            || playback_seconds.is_some()
    }

    /// The limit that comes first among those that bind now.
    pub(crate) fn end(&self) -> Option<End> {
        let timing = &self.timing;
        let unused = self.first_use.is_none();
        let binds = |kind: Enforcement| unused || kind == Enforcement::Hard;
        let after = |from: UnixTime, span: Option<core::num::NonZeroU32>| {
            span.map(|span| from.saturating_add(u64::from(span.get())))
        };
        // Grace without a playback duration limits nothing.
        let played = self.first_use.and_then(|first| {
            let grace = timing
                .start_grace_seconds
                .map_or(0, |grace| u64::from(grace.get()));
            after(first.saturating_add(grace), timing.playback_seconds)
        });
        let limits = [
            (
                ReasonField::NotAfter,
                timing.enforce_absolute,
                timing.not_after,
            ),
            (
                ReasonField::LicenseDuration,
                timing.enforce_absolute,
                after(self.issued, timing.license_seconds),
            ),
            (
                ReasonField::RentalDuration,
                timing.enforce_rental,
                after(self.issued, timing.rental_seconds),
            ),
            (
                ReasonField::PlaybackDuration,
                timing.enforce_playback,
                played,
            ),
        ];
        limits
            .into_iter()
            .filter(|(_, kind, _)| binds(*kind))
            .filter_map(|(field, _, at)| at.map(|at| End { field, at }))
            .min_by_key(|end| end.at)
    }

    /// What the clock says.
    pub(crate) fn standing(&self, now: Option<Interval>) -> Standing {
        if !self.limited() {
            return Standing::Runs;
        }
        let Some(now) = now else {
            return Standing::Waits;
        };
        if let Some(end) = self.end()
            && now.may_have_reached(end.at)
        {
            return Standing::Ended(end);
        }
        match self.timing.not_before {
            Some(begin) if !now.has_begun(begin) => Standing::Begins(begin),
            _ => Standing::Runs,
        }
    }
}

#[cfg(test)]
mod tests;
