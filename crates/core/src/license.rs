//! A loaded licence: its terms, its keys, and the status of each.
//!
//! A key is expanded once, when its licence is loaded, and kept only as long as it may ever be used
//! again: a key above this device's level is never expanded, and the keys of a licence that has
//! ended are wiped at the first call after the end.

use alloc::vec::Vec;

use keybearer_cenc::ContentKey;
use keybearer_license::{
    KeyId, KeyUse, License, LicenseId, Renewal, UnixTime, UsageRecord, Validity,
};
use keybearer_rules::{Allowance, Level, Outputs, Term};
use keybearer_wire::Status;
use keybearer_wire::body::{KeyStatus, ReasonField};

use crate::config::Config;
use crate::outputs::{self, Barrier};
use crate::platform::Moment;
use crate::report;
use crate::time::Interval;
use crate::timing::{End, Overdue, Standing, Terms};

/// What a status depends on besides the licence.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) config: &'a Config,
    /// Level of the session, which may be lower than the configuration's ceiling.
    pub(crate) level: Level,
    pub(crate) now: Option<Moment>,
    pub(crate) time: Option<Interval>,
    /// Whether a decoder makes the picture smaller where it has to be.
    pub(crate) scales: bool,
    /// What is known of the outputs.
    pub(crate) outputs: Outputs<'a>,
}

/// A licence whose signer was verified while there was no trusted time.
#[derive(Clone, Copy)]
struct Unproven {
    loaded: Option<Moment>,
    validity: Validity,
}

/// A loaded licence.
pub(crate) struct LoadedLicense {
    pub(crate) id: LicenseId,
    pub(crate) sequence: u64,
    pub(crate) terms: Terms,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) keys: Vec<LoadedKey>,
    last_use: Option<UnixTime>,
    /// Whether a key was ever used, at whatever time: there may be none to date a use by.
    used: bool,
    unproven: Option<Unproven>,
    standing: Standing,
}

/// What is left of a licence when its keys are gone: how far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) id: LicenseId,
    pub(crate) sequence: u64,
    first_use: Option<UnixTime>,
    last_use: Option<UnixTime>,
    used: bool,
}

/// One of its keys.
pub(crate) struct LoadedKey {
    pub(crate) id: KeyId,
    pub(crate) usage: KeyUse,
    pub(crate) barrier: Option<Barrier>,
    pub(crate) status: KeyStatus,
    /// How large a picture the outputs allow now.
    pub(crate) allowed: Allowance,
    /// How many rejected units in a row closed it, if they did.
    pub(crate) closed: Option<u32>,
    /// Expanded where it stays: the list of keys is reserved whole, so neither a further key nor a
    /// licence that moves moves this.
    cipher: Option<ContentKey>,
}

impl LoadedLicense {
    /// Takes a verified licence in. `time` is what is known when it is loaded, `validity` that of
    /// the chain which signed it.
    ///
    /// # Errors
    /// [`Status::OutOfMemory`].
    pub(crate) fn new(
        license: License,
        issued: UnixTime,
        validity: Validity,
        circumstances: &Circumstances<'_>,
    ) -> Result<Self, Status> {
        let mut keys = Vec::new();
        keys.try_reserve_exact(license.keys.len())
            .map_err(|_| Status::OutOfMemory)?;
        for mut key in license.keys {
            // Nobody asks for the profile's name any more; it is the server's.
            key.usage.source.profile = None;
            keys.push(LoadedKey {
                id: key.key_id,
                barrier: outputs::barrier(
                    &key.usage,
                    circumstances.level,
                    circumstances.config.isolation,
                ),
                usage: key.usage,
                status: KeyStatus::StatusPending,
                allowed: Allowance::Nothing,
                closed: None,
                cipher: None,
            });
            if let Some(held) = keys.last_mut()
                && held.barrier.is_none()
            {
                ContentKey::expand(&mut held.cipher, key.key.expose());
            }
        }
        let unproven = circumstances.time.is_none().then_some(Unproven {
            loaded: circumstances.now,
            validity,
        });
        let mut loaded = Self {
            id: license.license_id,
            sequence: license.sequence,
            terms: Terms {
                timing: license.timing,
                issued,
                first_use: None,
                overdue: license.renewal.as_ref().and_then(Overdue::of),
            },
            renewal: license.renewal,
            keys,
            last_use: None,
            used: false,
            unproven,
            standing: Standing::Waits,
        };
        loaded.refresh(circumstances);
        Ok(loaded)
    }

    /// Brings the statuses up to date and wipes keys whose end has come. True when a status
    /// changed.
    pub(crate) fn refresh(&mut self, circumstances: &Circumstances<'_>) -> bool {
        if !matches!(self.standing, Standing::Ended(_)) {
            self.prove(circumstances);
        }
        if !matches!(self.standing, Standing::Ended(_)) {
            self.standing = self.terms.standing(circumstances.time);
        }
        let mut changed = false;
        for key in &mut self.keys {
            if matches!(self.standing, Standing::Ended(_)) {
                key.cipher = None;
            }
            let (status, allowed) = key.evaluate(self.standing, circumstances);
            changed |= (status, allowed) != (key.status, key.allowed);
            (key.status, key.allowed) = (status, allowed);
        }
        changed
    }

    /// Ends a licence that was loaded before there was trusted time, if time has come and shows
    /// that its signer's certificate did not cover the moment of loading.
    fn prove(&mut self, circumstances: &Circumstances<'_>) {
        let (Some(unproven), Some(time)) = (self.unproven, circumstances.time) else {
            return;
        };
        // Without the moment of loading on this clock the present stands for it.
        let since = match (unproven.loaded, circumstances.now) {
            (Some(loaded), Some(now)) if loaded.boot == now.boot => {
                now.millis.saturating_sub(loaded.millis)
            }
            _ => 0,
        };
        self.unproven = None;
        if !time.before(since).inside(&unproven.validity) {
            self.standing = Standing::Ended(End {
                field: ReasonField::ServiceCertificate,
                at: unproven.validity.not_after,
            });
        }
    }

    /// What the clock says, as of the last [`Self::refresh`].
    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// True when none of its keys will ever be usable again.
    pub(crate) fn is_over(&self) -> bool {
        self.keys.iter().all(|key| key.cipher.is_none())
    }

    /// Notes a use; the first one starts the playback clock.
    pub(crate) fn note_use(&mut self, time: Option<Interval>) {
        self.used = true;
        if let Some(time) = time {
            let now = time.earliest_seconds();
            self.terms.first_use.get_or_insert(now);
            self.last_use = Some(now);
        }
    }

    /// Goes on where the instance that this one replaces stood: a renewal does not restart the
    /// playback clock.
    pub(crate) fn continue_from(&mut self, previous: &Trace) {
        self.terms.first_use = previous.first_use;
        self.last_use = previous.last_use;
        self.used = previous.used;
    }

    /// How far it got.
    pub(crate) fn trace(&self) -> Trace {
        Trace {
            id: self.id,
            sequence: self.sequence,
            first_use: self.terms.first_use,
            last_use: self.last_use,
            used: self.used,
        }
    }

    /// What a renewal request tells of the use so far; `None` when the licence does not ask.
    pub(crate) fn usage_record(&self) -> Option<UsageRecord> {
        let asked = self
            .renewal
            .as_ref()
            .is_some_and(|renewal| renewal.with_usage);
        asked.then(|| UsageRecord {
            license_id: self.id,
            first_use: self.terms.first_use,
            last_use: self.last_use,
            plays: u32::from(self.used),
            counter: 0,
            previous: None,
            released: false,
            // It was never stored, so nothing but this session vouches for it.
            rollback_possible: true,
        })
    }
}

impl LoadedKey {
    /// Its status, and how large a picture the outputs allow.
    fn evaluate(
        &self,
        standing: Standing,
        circumstances: &Circumstances<'_>,
    ) -> (KeyStatus, Allowance) {
        if self.closed.is_some() {
            return (KeyStatus::InternalError, Allowance::Nothing);
        }
        if self.barrier.is_some() {
            return (KeyStatus::OutputRestricted, Allowance::Nothing);
        }
        let term = match standing {
            Standing::Ended(_) => Term::Over,
            Standing::Waits => Term::Pending,
            Standing::Begins(_) => Term::Future,
            Standing::Runs => Term::Running,
        };
        let decision = outputs::decision(&self.usage, term, circumstances);
        (report::status(decision.status), decision.largest)
    }

    /// Closes it for good after this many rejected units. True when it was not closed before.
    pub(crate) fn close(&mut self, rejected: u32) -> bool {
        let first = self.closed.is_none();
        self.closed = Some(rejected);
        self.status = KeyStatus::InternalError;
        self.allowed = Allowance::Nothing;
        self.cipher = None;
        first
    }

    /// Whether its status allows its use. A downscaled picture is one that a decoder makes: no key
    /// of a clear session has that status.
    pub(crate) fn serves(&self) -> bool {
        matches!(self.status, KeyStatus::Usable | KeyStatus::OutputDownscaled)
    }

    /// The expanded key, while the status allows its use.
    pub(crate) fn cipher(&self) -> Option<&ContentKey> {
        self.cipher.as_ref().filter(|_| self.serves())
    }
}
