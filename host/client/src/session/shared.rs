//! What a session's owner and those who watch it share: the connection, what is known of its keys, and
//! what is said of the outputs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybearer_rules::Output;
use keybearer_wire::Status;

use super::{Link, closed};
use crate::events::Changes;
use crate::reports::Feed;
use crate::{AnchorDigest, Cancel, ClientError, Statuses};

/// What the session's owner and those who watch it share.
pub(crate) struct Shared {
    /// `None` once the session is closed.
    pub(super) link: Mutex<Option<Link>>,
    pub(super) anchor: AnchorDigest,
    pub(super) changes: Arc<Changes>,
    /// What the host says of the outputs. Locked by whoever has the link.
    pub(super) feed: Mutex<Feed>,
    /// Triggered when the session is closed.
    pub(super) ended: Cancel,
}

impl Shared {
    pub(super) fn link(&self) -> MutexGuard<'_, Option<Link>> {
        // A caller that panicked left at most a call unmade: each builds its own request.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn feed(&self) -> MutexGuard<'_, Feed> {
        // A source that panicked told nothing, and is asked again.
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports what the source sees, if that is due.
    pub(super) fn bring_outputs(&self, link: &mut Link) -> Result<(), ClientError> {
        let mut feed = self.feed();
        let Some(outputs) = feed.due() else {
            return Ok(());
        };
        match link.report_outputs(&outputs) {
            Ok(()) => {}
            Err(ClientError::Refused {
                status: Status::NotSupported,
                ..
            }) => {
                feed.not_heard();
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        let news = feed.told(outputs);
        drop(feed);
        if news && self.changes.is_observed() {
            // Said now, and not by a later call that may be refused.
            self.statuses(link)?;
        }
        Ok(())
    }

    pub(super) fn report(&self, link: &mut Link, outputs: &[Output]) -> Result<(), ClientError> {
        let reported = link.report_outputs(outputs);
        // Also where no answer came: it may have been taken.
        self.feed().overruled();
        reported?;
        if self.changes.is_observed() {
            // The report has been taken; the next look says what this one could not.
            let _ = self.statuses(link);
        }
        Ok(())
    }

    /// Tells everybody that the session is closed.
    pub(super) fn end(&self) {
        self.changes.close();
        self.ended.cancel();
    }

    /// Runs a call over the connection.
    pub(super) fn with<T>(
        &self,
        during: &'static str,
        call: impl FnOnce(&mut Link) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut link = self.link();
        let link = link.as_mut().ok_or(closed(during))?;
        let result = call(link);
        if result.as_ref().is_err_and(has_lost_keys) {
            self.changes.saw(None);
        }
        result
    }

    /// Runs a call that may change statuses, and looks at them before and after if anybody would like
    /// to know.
    pub(super) fn change<T>(
        &self,
        during: &'static str,
        call: impl FnOnce(&mut Link) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        self.with(during, |link| {
            let observed = self.changes.is_observed();
            if observed {
                self.look_with(link)?;
            }
            let result = call(link);
            if result.is_ok() {
                if observed {
                    // The call has done what it should; the next look says what this one could not.
                    let _ = self.look_with(link);
                }
                self.changes.moves();
            }
            result
        })
    }

    /// Asks for all statuses and tells those who wait what has changed.
    pub(crate) fn look(&self) -> Result<Statuses, ClientError> {
        self.with("asking for key statuses", |link| self.look_with(link))
    }

    pub(super) fn look_with(&self, link: &mut Link) -> Result<Statuses, ClientError> {
        self.bring_outputs(link)?;
        self.statuses(link)
    }

    pub(super) fn statuses(&self, link: &mut Link) -> Result<Statuses, ClientError> {
        let statuses = link.statuses()?;
        self.changes.saw(Some(&statuses));
        Ok(statuses)
    }
}

/// Whether an error says that the trusted side holds nothing for the session any more.
fn has_lost_keys(error: &ClientError) -> bool {
    let gone = matches!(
        error,
        ClientError::Refused {
            status: Status::UnknownSession,
            ..
        }
    );
    gone || error.is_dead()
}
