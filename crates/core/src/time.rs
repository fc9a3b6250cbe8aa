//! Trusted time under one anchor.
//!
//! Time is an interval, not a point: a server's answer says what time it was at some moment between
//! our request and its arrival. From then on both edges move with the monotonic clock. Ends are
//! tested at the upper edge and beginnings at the lower, so whatever a host does to delay messages
//! only narrows what a licence allows.
//!
//! The lower edge never falls: not when a server's clock goes back, not across restarts, within
//! what the sealed record keeps. Each anchor has its own time, so that a service under one cannot
//! end licences under another. The host's wall clock is never read.

use keybearer_license::{TimeView, UnixTime, Validity};

use crate::platform::Moment;

/// A server time counts only if it came within this many milliseconds of the request.
const ANSWER_WINDOW_MS: u64 = 30_000;
/// Seconds that reported time may run on before the sealed record is written again.
const SEAL_STEP: u64 = 60;

/// Edges of what the time may be, in milliseconds since 1970-01-01 UTC; `earliest <= latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) earliest: u64,
    pub(crate) latest: u64,
}

impl Interval {
    /// True when the time is certainly not before `begin`.
    pub(crate) fn has_begun(&self, begin: UnixTime) -> bool {
        self.earliest >= millis(begin)
    }

    /// True when the time may be at or past `end`.
    pub(crate) fn may_have_reached(&self, end: UnixTime) -> bool {
        self.latest >= millis(end)
    }

    /// True when the time certainly lies inside `validity`.
    pub(crate) fn inside(&self, validity: &Validity) -> bool {
        self.has_begun(validity.not_before) && !self.may_have_reached(validity.not_after)
    }

    /// The interval `span` milliseconds ago.
    pub(crate) fn before(&self, span: u64) -> Self {
        Self {
            earliest: self.earliest.saturating_sub(span),
            latest: self.latest.saturating_sub(span),
        }
    }

    /// Lower edge in whole seconds.
    pub(crate) fn earliest_seconds(&self) -> UnixTime {
        UnixTime(self.earliest / 1000)
    }

    /// Upper edge in whole seconds.
    pub(crate) fn latest_seconds(&self) -> UnixTime {
        UnixTime(self.latest / 1000)
    }
}

/// What is sealed about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedTime {
    /// Time was at least this, in seconds.
    pub(crate) seen: u64,
    /// No time above this was ever reported, in seconds. It lies a little ahead, so that the
    /// record is not written with every report.
    pub(crate) ceiling: u64,
}

/// Trusted time under one anchor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TrustedTime {
    /// Highest lower edge ever known, in milliseconds.
    floor: Option<u64>,
    /// Reported time never falls below this, in seconds.
    reported: u64,
    /// What is sealed now.
    sealed: Option<SealedTime>,
    /// The interval at a moment of the monotonic clock; `None` before the first anchor.
    fixed: Option<(Moment, Interval)>,
}

impl TrustedTime {
    /// Time after a restart: only the floor is known.
    pub(crate) fn restored(sealed: Option<SealedTime>) -> Self {
        Self {
            floor: sealed.map(|sealed| sealed.seen.saturating_mul(1000)),
            reported: sealed.map_or(0, |sealed| sealed.ceiling),
            sealed,
            fixed: None,
        }
    }

    /// Moves on to `now`; `None` without an anchor of this boot. A clock that went back or came
    /// from another boot takes the anchor away.
    pub(crate) fn observe(&mut self, now: Option<Moment>) -> Option<Interval> {
        let (at, interval) = self.fixed?;
        let elapsed = now
            .filter(|now| now.boot == at.boot)
            .and_then(|now| now.millis.checked_sub(at.millis));
        let (Some(now), Some(elapsed)) = (now, elapsed) else {
            self.fixed = None;
            return None;
        };
        let interval = Interval {
            earliest: interval.earliest.saturating_add(elapsed),
            latest: interval.latest.saturating_add(elapsed),
        };
        self.fixed = Some((now, interval));
        self.floor = self.floor.max(Some(interval.earliest));
        Some(interval)
    }

    /// Takes a server's time that answers a request sent at `sent` and arrived `now`. False, and
    /// nothing changes, when it came too late or the clock cannot tell.
    fn anchor(&mut self, server: UnixTime, sent: Moment, now: Moment) -> bool {
        let Some(elapsed) = answer_time(sent, now) else {
            return false;
        };
        let server = millis(server);
        let heard = Interval {
            earliest: server,
            latest: server.saturating_add(elapsed),
        };
        let interval = match self.observe(Some(now)) {
            // Both are true of honest servers, so the time lies in both.
            Some(known) if known.earliest <= heard.latest && heard.earliest <= known.latest => {
                Interval {
                    earliest: known.earliest.max(heard.earliest),
                    latest: known.latest.min(heard.latest),
                }
            }
            // They contradict each other: the newer one holds, but time does not go back.
            _ => heard,
        };
        let earliest = interval.earliest.max(self.floor.unwrap_or(0));
        let interval = Interval {
            earliest,
            latest: interval.latest.max(earliest),
        };
        self.fixed = Some((now, interval));
        self.floor = Some(earliest);
        true
    }

    /// Takes the server time of a verified answer as an anchor where it counts as one: the signer
    /// has the role, there is a clock, and the answer came in time.
    pub(crate) fn answered(
        &mut self,
        server: Option<UnixTime>,
        sent: Option<Moment>,
        now: Option<Moment>,
    ) -> bool {
        match (server, sent, now) {
            (Some(server), Some(sent), Some(now)) => self.anchor(server, sent, now),
            _ => false,
        }
    }

    /// What may be assumed of the time when a certificate is verified.
    pub(crate) fn view(&self) -> TimeView {
        match (self.fixed, self.floor) {
            (Some((_, interval)), _) => TimeView::Interval {
                earliest: interval.earliest_seconds(),
                latest: interval.latest_seconds(),
            },
            (None, Some(floor)) => TimeView::Floor(UnixTime(floor / 1000)),
            (None, None) => TimeView::Unknown,
        }
    }

    /// The interval as last observed.
    pub(crate) fn known(&self) -> Option<Interval> {
        self.fixed.map(|(_, interval)| interval)
    }

    /// True when a chain of this validity may be relied on now.
    pub(crate) fn allows(&self, validity: &Validity) -> bool {
        match (self.fixed, self.floor) {
            (Some((_, interval)), _) => interval.inside(validity),
            (None, Some(floor)) => floor < millis(validity.not_after),
            (None, None) => true,
        }
    }

    /// The time to report, in seconds; `None` without an anchor. What it returns must be sealed
    /// first when [`Self::seal_due`] says so.
    pub(crate) fn report(&self) -> Option<u64> {
        let (_, interval) = self.fixed?;
        Some(self.reported.max(interval.earliest_seconds().0))
    }

    /// What must be sealed before the time is relied on, if anything.
    pub(crate) fn seal_due(&self) -> Option<SealedTime> {
        let report = self.report()?;
        if self.sealed.is_some_and(|sealed| report <= sealed.ceiling) {
            return None;
        }
        let (_, interval) = self.fixed?;
        Some(SealedTime {
            seen: interval.earliest_seconds().0,
            ceiling: report.saturating_add(SEAL_STEP),
        })
    }

    /// Notes what has been sealed.
    pub(crate) fn note_sealed(&mut self, record: SealedTime) {
        self.sealed = Some(record);
    }

    /// Takes [`Self::report`]'s time to give it out: no later one will be lower.
    pub(crate) fn give_out(&mut self) -> Option<u64> {
        let report = self.report()?;
        self.reported = report;
        Some(report)
    }
}

/// Milliseconds between a request and its answer; `None` when they are too many or the clock was
/// restarted in between.
fn answer_time(sent: Moment, now: Moment) -> Option<u64> {
    if sent.boot != now.boot {
        return None;
    }
    now.millis
        .checked_sub(sent.millis)
        .filter(|elapsed| *elapsed <= ANSWER_WINDOW_MS)
}

fn millis(time: UnixTime) -> u64 {
    time.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests;
