//! Waiting for a session's keys from any thread.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use keybearer_wire::body::KeyStatus;

use super::{Session, Shared, closed};
use crate::events::{Changes, Known};
use crate::{Cancel, ClientError, KeyId, StatusEvents};

/// Waits for keys of a session without keeping it open: when the session is closed or dropped, or its
/// client is, waits end with [`ClientError::Cancelled`]. Clones watch the same session.
#[derive(Clone)]
pub struct Watch {
    shared: Weak<Shared>,
    changes: Arc<Changes>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Watch {
    pub(crate) const fn new(shared: Weak<Shared>, changes: Arc<Changes>) -> Self {
        Self { shared, changes }
    }

    /// The session, unless it was closed; the value does not keep it open.
    pub(crate) fn session(&self) -> Option<Session> {
        self.shared.upgrade().map(Session::lent)
    }

    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// Follows the changes of key statuses from now on. [`crate::Session::statuses`] says what they
    /// are changes of.
    ///
    /// # Errors
    /// [`ClientError::Tee`], [`ClientError::Refused`] when the trusted side does not tell how things
    /// stand now; [`ClientError::Cancelled`] after the session's end.
    pub fn subscribe(&self) -> Result<StatusEvents, ClientError> {
        let shared = self.shared.upgrade();
        let shared = shared.ok_or(closed("following key statuses"))?;
        // What was known before is nothing that the new subscriber has seen change.
        shared.with("following key statuses", |link| {
            shared.look_with(link)?;
            let number = self.changes.subscribe();
            Ok(StatusEvents::new(self.clone(), number))
        })
    }

    /// Blocks until every one of these keys is usable: loaded by whichever thread, begun, outputs
    /// allowed. The trusted side is asked at once, then each second and at each sign of a change.
    ///
    /// # Errors
    /// [`ClientError::Cancelled`] when `cancel` is triggered or the session or its client ends;
    /// [`ClientError::KeyNotUsable`] or [`ClientError::KeysNotInTime`] when `timeout` is over first
    /// (`None`: never); [`ClientError::Tee`].
    pub fn wait_usable(
        &self,
        key_ids: &[KeyId],
        timeout: Option<Duration>,
        cancel: &Cancel,
    ) -> Result<(), ClientError> {
        let during = "waiting for a key";
        // What is known may be of long ago. One that is cancelled already asks nothing.
        if !cancel.is_cancelled() {
            self.look(during)?;
        }
        let usable = |known: &mut Known| {
            let all = key_ids.iter().all(|id| is_usable(known, id));
            all.then_some(())
        };
        match self.wait(during, timeout, cancel, usable)? {
            Some(()) => Ok(()),
            None => Err(self.unusable(key_ids)),
        }
    }

    fn unusable(&self, key_ids: &[KeyId]) -> ClientError {
        let known = self.changes.known();
        let held = key_ids.iter().filter(|id| !is_usable(&known, id));
        let found = held.filter_map(|id| known.key(id).map(|key| (*id, key)));
        let missing = key_ids.iter().filter(|id| known.key(id).is_none());
        match found.min_by_key(|(id, _)| *id) {
            Some((key_id, key)) => ClientError::KeyNotUsable {
                key_id,
                status: key.status,
                reasons: key.reasons.clone(),
                largest_picture: key.largest_picture,
            },
            None => ClientError::KeysNotInTime {
                key_ids: missing.copied().collect(),
            },
        }
    }

    /// See [`Changes::wait`].
    pub(crate) fn wait<T>(
        &self,
        during: &'static str,
        timeout: Option<Duration>,
        cancel: &Cancel,
        ready: impl FnMut(&mut Known) -> Option<T>,
    ) -> Result<Option<T>, ClientError> {
        let look = || self.look(during);
        self.changes.wait(during, timeout, cancel, look, ready)
    }

    fn look(&self, during: &'static str) -> Result<(), ClientError> {
        // Held for one call only, so that a session which is dropped is closed.
        let shared = self.shared.upgrade().ok_or(closed(during))?;
        shared.look().map(drop)
    }
}

fn is_usable(known: &Known, id: &KeyId) -> bool {
    let usable = |status| matches!(status, KeyStatus::Usable | KeyStatus::OutputDownscaled);
    known.key(id).is_some_and(|key| usable(key.status))
}
