//! What happens to licences and keys while a file is played: renewals on a thread beside, and changes of
//! key statuses.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keybearer_client::{
    Cancel, Client, KeepAlive, KeyChange, LicenseWanted, Renewal, Session, StatusEvents,
    explain::{key_status, kid},
};
use serde_json::{Value, json};

use super::described;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// Keeps a session's licences alive, and notes what becomes of them.
pub(super) struct Course {
    events: StatusEvents,
    renewals: Arc<Mutex<Vec<Value>>>,
    driver: KeepAlive,
}

impl Course {
    /// Begins with a session that holds nothing yet. `token` goes to the service with each renewal.
    pub(super) fn begin(
        client: &Client,
        session: &Session,
        token: Option<Vec<u8>>,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let events = session.subscribe()?;
        let renewals: Arc<Mutex<Vec<Value>>> = Arc::default();
        let noted = Arc::clone(&renewals);
        let report = move |renewal: Renewal| {
            let note = note(&renewal, terminal);
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.extend(note);
        };
        let wanted = LicenseWanted {
            token,
            ..LicenseWanted::default()
        };
        let driver = client
            .keep_alive(session, wanted, report)
            .map_err(|error| {
                Failure::new(Exit::Trusted, "cannot start to renew licences").cause(&error)
            })?;
        Ok(Self {
            events,
            renewals,
            driver,
        })
    }

    /// Ends it, and gives the renewals and the changes of key statuses, for `--json`.
    pub(super) fn end(self) -> (Vec<Value>, Vec<Value>) {
        drop(self.driver);
        let mut renewals = self.renewals.lock().unwrap_or_else(PoisonError::into_inner);
        let cancel = Cancel::new();
        // A trusted side that does not tell any more has told by other errors why.
        let next = || {
            self.events
                .next(Some(Duration::ZERO), &cancel)
                .ok()
                .flatten()
        };
        let changes = std::iter::from_fn(next).map(changed).collect();
        (std::mem::take(&mut renewals), changes)
    }
}

/// A renewal as `--json` gives it. A failed one is said at once: the licence may end meanwhile.
fn note(renewal: &Renewal, terminal: Terminal) -> Option<Value> {
    match renewal {
        Renewal::Renewed(license) => Some(json!({ "renewed": described(license) })),
        Renewal::Failed {
            license,
            error,
            again,
        } => {
            let id = hex::encode(license.id);
            let (error, seconds) = (error.to_string(), again.as_secs());
            terminal.warn(format!(
                "licence {id} was not renewed: {error}; tried again in {seconds} s"
            ));
            Some(json!({ "failed": id, "error": error, "again_seconds": seconds }))
        }
        Renewal::NoTime { error, .. } => {
            terminal.warn(format!("no trusted time could be had: {error}"));
            None
        }
        _ => None,
    }
}

fn changed(change: KeyChange) -> Value {
    json!({
        "key_id": kid(&change.key_id),
        "old": change.old.map(|status| status.text()),
        "new": change.new.map(|status| status.text()),
        "largest_picture": change.largest_picture,
        "why": change.new.map(|status| key_status(status, &change.reasons)),
    })
}
