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
//! | recovery | when the renewal is due: some time after issue, or the first use | hard |

use core::num::NonZeroU32;

use keybearer_license::{Enforcement, Renewal, Timing, UnixTime};
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

/// How long a licence may be used past the moment at which its renewal is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overdue {
    /// Seconds from issue to that moment; `None`: it is the first use.
    due: Option<u32>,
    recovery: NonZeroU32,
}

impl Overdue {
    /// What the renewal terms say; `None`: nothing, the licence's own limits suffice.
    pub(crate) fn of(renewal: &Renewal) -> Option<Self> {
        Some(Self {
            due: (!renewal.on_first_use).then_some(renewal.delay_seconds),
            recovery: renewal.recovery_seconds?,
        })
    }

    fn end(self, issued: UnixTime, first_use: Option<UnixTime>) -> Option<UnixTime> {
        let due = match self.due {
            Some(delay) => issued.saturating_add(u64::from(delay)),
            None => first_use?,
        };
        Some(due.saturating_add(u64::from(self.recovery.get())))
    }
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
    /// What binds when no renewal comes.
    pub(crate) overdue: Option<Overdue>,
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
            || self.overdue.is_some()
    }

    /// The limit that comes first among those that bind now.
    pub(crate) fn end(&self) -> Option<End> {
        let timing = &self.timing;
        let unused = self.first_use.is_none();
        let binds = |kind: Enforcement| unused || kind == Enforcement::Hard;
        let after = |from: UnixTime, span: Option<NonZeroU32>| {
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
            (
                ReasonField::Recovery,
                Enforcement::Hard,
                self.overdue
                    .and_then(|overdue| overdue.end(self.issued, self.first_use)),
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
