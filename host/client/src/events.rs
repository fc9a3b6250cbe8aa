//! Changes of key statuses: what is known of a session's keys, and who waits for that to change.
//!
//! The trusted side is not heard from unless it is asked. It is asked by whoever waits here, once a
//! second, and at once where an answer to some other call carries a new status sequence number. So the
//! tick runs only while somebody waits, on that caller's own thread.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keybearer_wire::body::{KeyStatus, Reason};

use crate::error::Ended;
use crate::session::Watch;
use crate::{Cancel, ClientError, KeyId, Statuses};

/// How often the trusted side is asked while somebody waits.
pub(crate) const TICK: Duration = Duration::from_secs(1);
/// Changes that may wait for one subscriber; beyond it those of each key are drawn together, so that
/// memory is bounded by the keys of a session.
const MAX_QUEUED: usize = 1024;

/// A key's status changed, or the largest picture that it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key.
    pub key_id: KeyId,
    /// Its status before; `None`: no licence held it.
    pub old: Option<KeyStatus>,
    /// Its status now; `None`: no licence holds it any more.
    pub new: Option<KeyStatus>,
    /// The largest picture before, see [`crate::Key::largest_picture`].
    pub old_largest_picture: Option<u32>,
    /// The largest picture now.
    pub largest_picture: Option<u32>,
    /// Why it has that status.
    pub reasons: Vec<Reason>,
}

impl KeyChange {
    /// Whether anything is other than it was.
    fn is_one(&self) -> bool {
        (self.old, self.old_largest_picture) != (self.new, self.largest_picture)
    }
}

/// The changes of one session's key statuses from the subscription on: each once, in order.
///
/// A key's status is the one it would be used under, see [`Statuses::key`]. The trusted side tells the
/// present only: what changes and changes back between two looks at it is not seen. There is a look
/// before and after whatever this client does to the licences, and one a second while somebody waits.
pub struct StatusEvents {
    watch: Watch,
    number: u64,
}

impl fmt::Debug for StatusEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusEvents").finish_non_exhaustive()
    }
}

impl StatusEvents {
    pub(crate) const fn new(watch: Watch, number: u64) -> Self {
        Self { watch, number }
    }

    /// The next change. Blocks until there is one, `timeout` is over (`None`: never; then `Ok(None)`)
    /// or `cancel` is triggered.
    ///
    /// # Errors
    /// [`ClientError::Cancelled`], also once the session is closed and what came before is read;
    /// [`ClientError::Tee`] when the trusted side cannot be asked: after [`crate::TeeError::Dead`] the
    /// changes go on once [`crate::Client::reopen`] has opened the session anew.
    pub fn next(
        &self,
        timeout: Option<Duration>,
        cancel: &Cancel,
    ) -> Result<Option<KeyChange>, ClientError> {
        let during = "waiting for a change of status";
        self.watch.wait(during, timeout, cancel, |known| {
            known.queue(self.number).and_then(VecDeque::pop_front)
        })
    }
}

impl Drop for StatusEvents {
    fn drop(&mut self) {
        let mut known = self.watch.changes().known();
        known.queues.retain(|(number, _)| *number != self.number);
    }
}

/// What is known of a session's keys, shared by the session and those who watch it.
pub(crate) struct Changes {
    known: Mutex<Known>,
    woken: Condvar,
    tick: Duration,
    /// Triggered when the client goes: nobody brings keys any more.
    client: Cancel,
}

/// How a key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: KeyStatus,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) largest_picture: Option<u32>,
}

#[derive(Default)]
pub(crate) struct Known {
    keys: BTreeMap<KeyId, Standing>,
    sequence: u64,
    looked: Option<Instant>,
    closed: bool,
    /// One for each subscriber, by its number.
    queues: Vec<(u64, VecDeque<KeyChange>)>,
    last: u64,
    waiting: usize,
    /// How often this client changed what the session holds.
    moves: u64,
}

impl Changes {
    pub(crate) fn new(tick: Duration, client: Cancel) -> Self {
        Self {
            known: Mutex::default(),
            woken: Condvar::new(),
            tick,
            client,
        }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody would like to know.
    pub(crate) fn is_observed(&self) -> bool {
        let known = self.known();
        known.waiting > 0 || !known.queues.is_empty()
    }

    /// Whether statuses have changed since the last look, by the number that an answer carries.
    pub(crate) fn is_news(&self, sequence: u64) -> bool {
        let known = self.known();
        (known.waiting > 0 || !known.queues.is_empty()) && known.sequence != sequence
    }

    /// Takes in what the trusted side reports; `None`: it holds nothing any more.
    ///
    /// Callers hold the session's connection, so that reports arrive in the order they were made.
    pub(crate) fn saw(&self, statuses: Option<&Statuses>) {
        let mut now = BTreeMap::new();
        let licenses = statuses.map_or(&[][..], |statuses| &statuses.licenses);
        for id in licenses.iter().flat_map(|license| &license.keys) {
            if let Some(key) = statuses.and_then(|statuses| statuses.key(&id.id)) {
                let standing = Standing {
                    status: key.status,
                    reasons: key.reasons.clone(),
                    largest_picture: key.largest_picture,
                };
                now.insert(key.id, standing);
            }
        }
        let mut known = self.known();
        known.take(now);
        known.sequence = statuses.map_or(0, |statuses| statuses.sequence);
        known.looked = Some(Instant::now());
        drop(known);
        self.woken.notify_all();
    }

    /// Ends all waits: the session is closed.
    pub(crate) fn close(&self) {
        self.known().closed = true;
        self.woken.notify_all();
    }

    /// Notes that this client changed what the session holds.
    pub(crate) fn moves(&self) {
        self.known().moves += 1;
        self.woken.notify_all();
    }

    /// How often this client changed what the session holds.
    pub(crate) fn moved(&self) -> u64 {
        self.known().moves
    }

    /// Blocks until that is more often than `moved` or `time` is over. False when `cancel` is triggered
    /// or the session closed.
    pub(crate) fn rest(self: &Arc<Self>, moved: u64, time: Duration, cancel: &Cancel) -> bool {
        let start = Instant::now();
        let _registration = cancel.on_cancel(self.waker());
        let mut known = self.known();
        loop {
            if known.closed || cancel.is_cancelled() {
                return false;
            }
            let left = time.saturating_sub(start.elapsed());
            if known.moves != moved || left.is_zero() {
                return true;
            }
            let woken = self.woken.wait_timeout(known, left);
            known = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What wakes whoever waits here, to see that he shall not.
    fn waker(self: &Arc<Self>) -> impl Fn() + Send + Sync + 'static {
        let changes = Arc::clone(self);
        move || {
            // Whoever has looked at the flag and does not wait yet still holds the lock.
            drop(changes.known());
            changes.woken.notify_all();
        }
    }

    /// Begins a queue of changes and gives its number.
    pub(crate) fn subscribe(&self) -> u64 {
        let mut known = self.known();
        known.last += 1;
        let number = known.last;
        known.queues.push((number, VecDeque::new()));
        number
    }

    /// Blocks until `ready` finds what it wants; `None` when the time is over. Whoever finds that a
    /// second has passed asks the trusted side with `look`.
    pub(crate) fn wait<T>(
        self: &Arc<Self>,
        during: &'static str,
        timeout: Option<Duration>,
        cancel: &Cancel,
        look: impl Fn() -> Result<(), ClientError>,
        mut ready: impl FnMut(&mut Known) -> Option<T>,
    ) -> Result<Option<T>, ClientError> {
        let start = Instant::now();
        let _asked = cancel.on_cancel(self.waker());
        let _gone = self.client.on_cancel(self.waker());
        let _waiting = Waiting::new(self);
        let ended = |why| ClientError::Cancelled { during, why };
        let mut known = self.known();
        loop {
            if let Some(found) = ready(&mut known) {
                return Ok(Some(found));
            }
            if cancel.is_cancelled() {
                return Err(ended(Ended::Caller));
            }
            if self.client.is_cancelled() {
                return Err(ended(Ended::Client));
            }
            if known.closed {
                return Err(ended(Ended::Session));
            }
            let since = known.looked.map(|looked| looked.elapsed());
            let tick = since.map_or(Duration::ZERO, |since| self.tick.saturating_sub(since));
            if tick.is_zero() {
                // Before the lock goes, so that nobody else asks for the same second.
                known.looked = Some(Instant::now());
                drop(known);
                look()?;
                known = self.known();
                continue;
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let pause = left.map_or(tick, |left| left.min(tick));
            known = self
                .woken
                .wait_timeout(known, pause)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Known {
    /// Puts `now` in the place of what is known, and tells every subscriber the difference.
    fn take(&mut self, now: BTreeMap<KeyId, Standing>) {
        let status = |known: Option<&Standing>| known.map(|known| known.status);
        let picture = |known: Option<&Standing>| known.and_then(|known| known.largest_picture);
        let before = std::mem::replace(&mut self.keys, now);
        let gone = before.keys().filter(|id| !self.keys.contains_key(*id));
        let changes = self.keys.keys().chain(gone).filter_map(|id| {
            let (was, is) = (before.get(id), self.keys.get(id));
            let change = KeyChange {
                key_id: *id,
                old: status(was),
                new: status(is),
                old_largest_picture: picture(was),
                largest_picture: picture(is),
                reasons: is.map(|is| is.reasons.clone()).unwrap_or_default(),
            };
            change.is_one().then_some(change)
        });
        let changes: Vec<KeyChange> = changes.collect();
        for (_, queue) in &mut self.queues {
            queue.extend(changes.iter().cloned());
            if queue.len() > MAX_QUEUED {
                draw_together(queue);
            }
        }
    }

    fn queue(&mut self, number: u64) -> Option<&mut VecDeque<KeyChange>> {
        let mut queues = self.queues.iter_mut();
        queues
            .find(|(other, _)| *other == number)
            .map(|(_, queue)| queue)
    }

    /// How a key stands.
    pub(crate) fn key(&self, id: &KeyId) -> Option<&Standing> {
        self.keys.get(id)
    }
}

/// Makes one change of each key's many, from how it stood first to how it stands last, in the order of
/// their last; those that came back to where they were are left out.
fn draw_together(queue: &mut VecDeque<KeyChange>) {
    let mut first = BTreeMap::new();
    for change in queue.iter() {
        let before = (change.old, change.old_largest_picture);
        first.entry(change.key_id).or_insert(before);
    }
    let mut last: VecDeque<KeyChange> = VecDeque::new();
    for mut change in queue.drain(..).rev() {
        // The first found from behind is the last; its key is then taken care of.
        if let Some(before) = first.remove(&change.key_id) {
            (change.old, change.old_largest_picture) = before;
            if change.is_one() {
                last.push_front(change);
            }
        }
    }
    *queue = last;
}

/// Counts somebody who waits.
struct Waiting<'a>(&'a Changes);

impl<'a> Waiting<'a> {
    fn new(changes: &'a Changes) -> Self {
        changes.known().waiting += 1;
        Self(changes)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.known().waiting -= 1;
    }
}

#[cfg(test)]
mod tests;
