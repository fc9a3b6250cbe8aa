//! Renewal: which licence is due when, and a driver that sees to it.
//!
//! A renewal is asked for a little before its moment, at random, so that many devices do not come at
//! once. One that fails ends nothing: it is tried again, after the pause that the licence states and
//! then after twice as long each time, until the licence itself ends.

use std::collections::HashMap;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::licensed::waits_for_time;
use crate::retry::share;
use crate::{Cancel, Client, ClientError, License, LicenseId, LicenseWanted, Session, Statuses};

/// How long before its moment a renewal may be asked for, as a share of the time until then.
const EARLY: f64 = 0.1;
/// Longest time before its moment.
const MAX_EARLY: Duration = Duration::from_secs(60);
/// Shortest pause between attempts, whatever a licence says.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between attempts, unless the licence states a longer one.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// Longest time without a look: this clock does not count while the machine sleeps.
const LOOK: Duration = Duration::from_secs(60);
/// The same while a licence waits for its first use to be renewed.
const LOOK_FOR_USE: Duration = Duration::from_secs(1);

/// A renewal to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The licence.
    pub license: License,
    /// Time until its moment, by the trusted clock; zero when that has passed. `None` before there is
    /// trusted time: bring that first.
    pub wait: Option<Duration>,
}

impl Session {
    /// The renewal that comes next, for firmware that brings it about itself: build its request with
    /// [`Self::license_request`] and [`LicenseWanted::renew`]. Licences that have ended are not renewed.
    ///
    /// # Errors
    /// See [`Self::statuses`].
    pub fn due(&self) -> Result<Option<Due>, ClientError> {
        let statuses = self.statuses()?;
        let next = renewable(&statuses).min_by_key(|(_, wait)| *wait);
        Ok(next.map(|(license, wait)| Due {
            license: license.clone(),
            wait,
        }))
    }
}

/// The licences with a moment of renewal that have not ended, and the time until it.
fn renewable(statuses: &Statuses) -> impl Iterator<Item = (&License, Option<Duration>)> {
    statuses.licenses.iter().filter_map(|license| {
        let at = license.renew_at?;
        let ended = statuses.time.zip(license.ends);
        if ended.is_some_and(|(now, end)| end <= now) {
            return None;
        }
        let wait = statuses.time.map(|now| at.saturating_sub(now));
        Some((license, wait.map(Duration::from_secs)))
    })
}

/// What a [`KeepAlive`] has done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Renewal {
    /// A newer instance is loaded.
    Renewed(License),
    /// An attempt failed. The licence stays as it is.
    Failed {
        /// The licence, as it stands.
        license: License,
        /// Why.
        error: ClientError,
        /// Pause before the next attempt.
        again: Duration,
    },
    /// Time could not be brought to a trusted side that knows none.
    NoTime {
        /// Why.
        error: ClientError,
        /// Pause before the next attempt.
        again: Duration,
    },
}

/// Renews a session's licences on a thread of its own until it is dropped, or session or client go.
/// Dropping it ends whatever it does at once and waits for the thread.
#[derive(Debug)]
pub struct KeepAlive {
    cancel: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.cancel.cancel();
        let own = |thread: &JoinHandle<()>| thread.thread().id() == thread::current().id();
        // A report that drops the driver is on that thread, which cannot wait for itself.
        if let Some(thread) = self.thread.take().filter(|thread| !own(thread)) {
            // A report that panicked has said so; there is nothing to add.
            let _ = thread.join();
        }
    }
}

impl Client {
    /// Renews the session's licences as they become due, and brings trusted time where there is none.
    /// `wanted` gives token and capabilities of each request; `report` is told what happens, on the
    /// driver's thread.
    ///
    /// # Errors
    /// The system's, when it has no thread to spare.
    pub fn keep_alive(
        &self,
        session: &Session,
        wanted: LicenseWanted,
        mut report: impl FnMut(Renewal) + Send + 'static,
    ) -> io::Result<KeepAlive> {
        let cancel = session.ended().joined(&Cancel::new());
        // Neither client nor session is kept by it.
        let client = self.lent().cancelled_by(&cancel);
        let (watch, ends) = (session.watch(), client.cancel_handle().clone());
        let mut driver = Driver::new(wanted);
        let start = Instant::now();
        let drive = move || {
            loop {
                let moved = watch.changes().moved();
                let Some(session) = watch.session() else {
                    return;
                };
                let rest = driver.step(&client, &session, start.elapsed(), &mut report);
                drop(session);
                if !watch.changes().rest(moved, rest, &ends) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("renewal".into()).spawn(drive)?;
        Ok(KeepAlive {
            cancel,
            thread: Some(thread),
        })
    }
}

/// The driver without its thread. Times are of a clock of its own, which only has to go on.
struct Driver {
    wanted: LicenseWanted,
    /// What was planned for each licence that is held.
    plans: HashMap<LicenseId, Plan>,
    time: Tries,
}

/// What is planned for a licence.
struct Plan {
    /// The instance it was made for.
    sequence: u64,
    /// How long before its moment to ask.
    early: Duration,
    tries: Tries,
}

/// Attempts so far.
#[derive(Clone, Copy, Default)]
struct Tries {
    failures: u32,
    not_before: Duration,
}

impl Tries {
    /// Notes a failure and gives the pause: `pause`, doubled with each failure before.
    fn failed(&mut self, now: Duration, pause: Duration) -> Duration {
        let doubled = pause.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let pause = doubled.min(MAX_PAUSE.max(pause));
        self.pause(now, pause)
    }

    /// Notes when to go on: after `pause`, and up to a quarter of it more, at random.
    fn pause(&mut self, now: Duration, pause: Duration) -> Duration {
        let pause = pause.saturating_add(share(pause / 4));
        self.not_before = now.saturating_add(pause);
        pause
    }
}

impl Driver {
    fn new(wanted: LicenseWanted) -> Self {
        Self {
            wanted,
            plans: HashMap::new(),
            time: Tries::default(),
        }
    }

    /// Does what is due and says how long there is nothing more to do, unless the session's licences
    /// change meanwhile.
    fn step(
        &mut self,
        client: &Client,
        session: &Session,
        now: Duration,
        report: &mut dyn FnMut(Renewal),
    ) -> Duration {
        let Ok(statuses) = session.statuses() else {
            // Dead, and somebody may open it anew, which is a change; or closed, which ends the rest.
            return LOOK;
        };
        if statuses.time.is_none() && needs_time(&statuses) {
            return self.bring_time(client, session, now, report);
        }
        self.time = Tries::default();
        self.plans.retain(|id, _| {
            let mut held = statuses.licenses.iter();
            held.any(|license| license.id == *id)
        });
        let awaits_use =
            |license: &License| license.renew_at.is_none() && license.renew_retry.is_some();
        let mut rest = match statuses.licenses.iter().any(awaits_use) {
            true => LOOK_FOR_USE,
            false => LOOK,
        };
        for (license, wait) in renewable(&statuses) {
            let wait = self.plan(license, wait.unwrap_or_default(), now);
            if wait.is_zero() {
                self.renew(client, session, license, &statuses, now, report);
                // Its new moment is in a new look.
                return Duration::ZERO;
            }
            rest = rest.min(wait);
        }
        rest
    }

    /// The time until an attempt, of a licence whose moment comes in `wait`.
    fn plan(&mut self, license: &License, wait: Duration, now: Duration) -> Duration {
        let fresh = |tries| Plan {
            sequence: license.sequence,
            early: share(wait.mul_f64(EARLY).min(MAX_EARLY)),
            tries,
        };
        let plan = self.plans.entry(license.id);
        let plan = plan.or_insert_with(|| fresh(Tries::default()));
        if plan.sequence != license.sequence {
            *plan = fresh(plan.tries);
        }
        let due = wait.saturating_sub(plan.early);
        due.max(plan.tries.not_before.saturating_sub(now))
    }

    fn renew(
        &mut self,
        client: &Client,
        session: &Session,
        license: &License,
        statuses: &Statuses,
        now: Duration,
        report: &mut dyn FnMut(Renewal),
    ) {
        let stated = license.renew_retry.unwrap_or_default();
        let pause = Duration::from_secs(stated.into()).max(MIN_PAUSE);
        let Some(plan) = self.plans.get_mut(&license.id) else {
            return;
        };
        match client.renew(session, license, &self.wanted) {
            Ok(renewed) => {
                // A licence that calls its renewal due at once is not renewed without a breath.
                plan.tries = Tries::default();
                plan.tries.pause(now, pause);
                report(Renewal::Renewed(renewed));
            }
            Err(error) => {
                let mut again = plan.tries.failed(now, pause);
                if let ClientError::Denied(denial) = &error
                    && let Some(seconds) = denial.retry_after_seconds
                {
                    again = again.max(Duration::from_secs(seconds.into()));
                }
                // At least one attempt more before the end, if the licence's own pause allows it.
                if let Some((now, end)) = statuses.time.zip(license.ends) {
                    let half = Duration::from_secs(end.saturating_sub(now)) / 2;
                    again = again.min(half.max(pause));
                }
                plan.tries.not_before = now.saturating_add(again);
                if error.is_cancelled() {
                    return;
                }
                let license = license.clone();
                report(Renewal::Failed {
                    license,
                    error,
                    again,
                });
            }
        }
    }

    fn bring_time(
        &mut self,
        client: &Client,
        session: &Session,
        now: Duration,
        report: &mut dyn FnMut(Renewal),
    ) -> Duration {
        let wait = self.time.not_before.saturating_sub(now);
        if !wait.is_zero() {
            return wait;
        }
        match client.sync_time(session) {
            // What it changes is in a new look; a trusted side that knows none nevertheless is not
            // asked again without a breath.
            Ok(()) => {
                self.time.failed(now, MIN_PAUSE);
                Duration::ZERO
            }
            Err(error) => {
                let again = self.time.failed(now, MIN_PAUSE);
                if !error.is_cancelled() {
                    report(Renewal::NoTime { error, again });
                }
                again
            }
        }
    }
}

/// Whether trusted time is all that something waits for.
fn needs_time(statuses: &Statuses) -> bool {
    let mut keys = statuses.licenses.iter().flat_map(|license| &license.keys);
    keys.any(waits_for_time) || renewable(statuses).next().is_some()
}

#[cfg(test)]
mod tests;
