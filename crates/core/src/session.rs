//! Sessions and their handles.
//!
//! A handle is a place in a fixed table and a generation that is never used twice, and it belongs
//! to the client that opened the session. A stale, foreign or invented handle resolves to nothing.
//!
//! A session is clear or protected, and has one level, from when it is opened.

use alloc::vec::Vec;

use keybearer_crypto::{Crypto, Digest};
use keybearer_license::{
    AnchorRef, Challenge, KeyId, LicenseId, OpenedServiceInfo, PendingLicense, PendingTime, Roles,
    Service, open_service_info,
};
use keybearer_rules::Level;
use keybearer_wire::Status;
use keybearer_wire::limits::{
    MAX_ERASED_PER_SESSION, MAX_LICENSES_PER_SESSION, MAX_PENDING_PER_SESSION,
};

use crate::anchor::AnchorState;
use crate::config::Config;
use crate::core::ClientId;
use crate::handover::Handover;
use crate::license::{Circumstances, LoadedKey, LoadedLicense, Trace};
use crate::outputs::Sight;
use crate::platform::Moment;
use crate::refusal;
use crate::rejections::Report;
use crate::time::Interval;

/// A request that waits for its answer.
pub(crate) struct Pending {
    pub(crate) kind: PendingKind,
    /// When it was built; `None` without a clock.
    pub(crate) sent: Option<Moment>,
}

/// A licence that was erased, and when in the order of requests.
struct Erased {
    trace: Trace,
    /// Requests that had been built by then.
    requests: u64,
}

/// What the request asked for.
pub(crate) enum PendingKind {
    License(PendingLicense),
    Time(PendingTime),
}

/// A licence session towards one verified service.
pub(crate) struct Session {
    pub(crate) owner: ClientId,
    pub(crate) anchor: Digest,
    pub(crate) service: Service,
    /// What requests, statuses and grants of this session go by.
    pub(crate) level: Level,
    /// Of a protected session: the way to its decoders. `None`: a clear one.
    pub(crate) handover: Option<Handover>,
    /// The service's last challenge that no request has used yet.
    pub(crate) challenge: Option<Challenge>,
    /// Oldest first, each with its number in the order of requests.
    pending: Vec<(u64, Pending)>,
    /// Requests built so far.
    requests: u64,
    /// Oldest first.
    pub(crate) licenses: Vec<LoadedLicense>,
    /// What is left of licences that were erased, oldest first: a host that removes a licence gains
    /// neither a new playback clock nor an older instance.
    erased: Vec<Erased>,
    /// Grows with every change of a status.
    pub(crate) sequence: u64,
}

impl Session {
    /// A session of `owner` towards a service that `opened` verified under `anchor`.
    pub(crate) fn new(
        owner: ClientId,
        anchor: Digest,
        opened: OpenedServiceInfo,
        level: Level,
        handover: Option<Handover>,
    ) -> Self {
        Self {
            owner,
            anchor,
            service: opened.service,
            level,
            handover,
            challenge: Some(opened.info.challenge),
            pending: Vec::new(),
            requests: 0,
            licenses: Vec::new(),
            erased: Vec::new(),
            sequence: 0,
        }
    }

    /// Notes that something about the statuses changed.
    pub(crate) fn changed(&mut self) {
        self.sequence = self.sequence.saturating_add(1);
    }

    /// What the statuses of its keys depend on at this call.
    pub(crate) fn circumstances<'a>(
        &self,
        config: &'a Config,
        sight: &'a Sight,
        now: Option<Moment>,
        time: Option<Interval>,
    ) -> Circumstances<'a> {
        Circumstances {
            config,
            level: self.level,
            // The decoder of a protected session makes a picture as small as it has to be.
            scales: self.handover.is_some(),
            now,
            time,
            outputs: sight.of(self.owner, now),
        }
    }

    /// Brings all statuses up to date.
    pub(crate) fn refresh(&mut self, circumstances: &Circumstances<'_>) {
        let mut changed = false;
        for license in &mut self.licenses {
            changed |= license.refresh(circumstances);
        }
        if changed {
            self.changed();
        }
    }

    /// Verifies a newer service info of the same service, whose certificate and challenge may take
    /// the place of those at hand. Nothing is replaced here.
    ///
    /// Who is "the same service" is for the certificate authority to say: an issuer may name any
    /// service id.
    ///
    /// # Errors
    /// [`Status::WrongService`] for another service's; [`Status::StaleServiceInfo`] where its
    /// certificate is older than the one at hand, so that no request goes to an agreement key that
    /// was replaced; those of a message of the service.
    pub(crate) fn newer_service<C: Crypto + ?Sized>(
        &self,
        crypto: &C,
        state: &AnchorState,
        bytes: &[u8],
    ) -> Result<OpenedServiceInfo, Status> {
        let opened = open_service_info(
            crypto,
            AnchorRef::Digest(&self.anchor),
            state.time.view(),
            &state.revocation.serials,
            bytes,
        )
        .map_err(refusal::of_message)?;
        if opened.service.claims.service != self.service.claims.service {
            return Err(Status::WrongService);
        }
        if !opened.service.claims.roles.contains(Roles::LICENSE) {
            return Err(Status::RoleMissing);
        }
        let begins = |service: &Service| service.claims.validity.not_before;
        if begins(&opened.service) < begins(&self.service) {
            return Err(Status::StaleServiceInfo);
        }
        Ok(opened)
    }

    /// Tests that the service, verified when the session was opened, may still be talked to.
    ///
    /// # Errors
    /// [`Status::OutsideValidity`], [`Status::Revoked`].
    pub(crate) fn check_service(&self, state: &AnchorState) -> Result<(), Status> {
        if !state.time.allows(&self.service.validity) {
            return Err(Status::OutsideValidity);
        }
        if self.service.is_revoked(&state.revocation.serials) {
            return Err(Status::Revoked);
        }
        Ok(())
    }

    /// Takes the memory that [`Self::wait_for`] needs.
    ///
    /// # Errors
    /// [`Status::OutOfMemory`].
    pub(crate) fn make_room(&mut self) -> Result<(), Status> {
        self.pending.try_reserve(1).map_err(|_| Status::OutOfMemory)
    }

    /// Keeps a request until its answer comes; beyond the limit the oldest one is forgotten.
    pub(crate) fn wait_for(&mut self, pending: Pending) {
        if self.pending.len() >= MAX_PENDING_PER_SESSION {
            self.pending.remove(0);
        }
        self.requests = self.requests.saturating_add(1);
        self.pending.push((self.requests, pending));
    }

    /// The requests that wait for their answers, oldest first, each with its number.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (u64, &Pending)> {
        self.pending
            .iter()
            .map(|(number, pending)| (*number, pending))
    }

    /// Forgets a request that was answered.
    pub(crate) fn answered(&mut self, number: u64) {
        self.pending.retain(|(other, _)| *other != number);
    }

    /// The licence with this id.
    pub(crate) fn license(&self, id: LicenseId) -> Option<&LoadedLicense> {
        self.licenses.iter().find(|license| license.id == id)
    }

    /// Tests whether [`Self::load`] may take a licence in, and lets it go on where an earlier
    /// instance of it stood, held or erased. Licences that are over would make room; one with a key
    /// that may still be used never does.
    ///
    /// # Errors
    /// [`Status::StaleSequence`], [`Status::TooManyLicenses`], [`Status::TooManyKeys`],
    /// [`Status::OutOfMemory`].
    ///
    /// `room` is [`Sessions::room_for_keys`].
    pub(crate) fn admit(&mut self, license: &mut LoadedLicense, room: usize) -> Result<(), Status> {
        if let Some(previous) = self.trace(license.id) {
            if license.sequence <= previous.sequence {
                return Err(Status::StaleSequence);
            }
            license.continue_from(&previous);
        }
        if let Some(handover) = &self.handover {
            // A key stays closed whichever licence brings it again.
            for key in &mut license.keys {
                if let Some(rejected) = handover.closed(key.id) {
                    key.close(rejected);
                }
            }
        }
        let stays = |other: &&LoadedLicense| other.id != license.id && !other.is_over();
        let licenses = self.licenses.iter().filter(stays).count();
        let keys: usize = self
            .licenses
            .iter()
            .filter(stays)
            .map(|other| other.keys.len())
            .sum();
        if licenses >= MAX_LICENSES_PER_SESSION {
            return Err(Status::TooManyLicenses);
        }
        if keys.saturating_add(license.keys.len()) > room {
            return Err(Status::TooManyKeys);
        }
        self.licenses
            .try_reserve(1)
            .map_err(|_| Status::OutOfMemory)?;
        // Whatever is erased later is remembered without asking for memory.
        let more = self
            .licenses
            .len()
            .saturating_add(1)
            .min(MAX_ERASED_PER_SESSION.saturating_sub(self.erased.len()));
        self.erased
            .try_reserve(more)
            .map_err(|_| Status::OutOfMemory)
    }

    /// What is known of a licence that is held or was: how far it got.
    fn trace(&self, id: LicenseId) -> Option<Trace> {
        let erased = || {
            let mut erased = self.erased.iter().map(|erased| &erased.trace);
            erased.find(|trace| trace.id == id).copied()
        };
        self.license(id).map(LoadedLicense::trace).or_else(erased)
    }

    /// Remembers a licence that is being erased. Where that makes it forget another one, the
    /// requests built before that one's erasure go too: no answer to them can bring it back.
    fn remember(&mut self, trace: Trace) {
        if self.erased.len() >= MAX_ERASED_PER_SESSION {
            let forgotten = self.erased.remove(0);
            self.pending
                .retain(|(number, _)| *number > forgotten.requests);
        }
        self.erased.push(Erased {
            trace,
            requests: self.requests,
        });
    }

    /// Takes in a licence that [`Self::admit`] let pass, as the newest; one with the same id is
    /// replaced at once.
    pub(crate) fn load(&mut self, license: LoadedLicense, room: usize) {
        self.erased.retain(|erased| erased.trace.id != license.id);
        self.licenses.retain(|other| other.id != license.id);
        while self.licenses.len() >= MAX_LICENSES_PER_SESSION
            || self.key_count().saturating_add(license.keys.len()) > room
        {
            let Some(over) = self.licenses.iter().position(LoadedLicense::is_over) else {
                break;
            };
            let over = self.licenses.remove(over);
            self.remember(over.trace());
        }
        self.licenses.push(license);
        self.changed();
    }

    fn key_count(&self) -> usize {
        self.licenses.iter().map(|license| license.keys.len()).sum()
    }

    /// Erases a licence with its keys; how far it got is remembered.
    ///
    /// # Errors
    /// [`Status::UnknownLicense`].
    pub(crate) fn remove(&mut self, id: LicenseId) -> Result<(), Status> {
        let at = self.licenses.iter().position(|license| license.id == id);
        let removed = self.licenses.remove(at.ok_or(Status::UnknownLicense)?);
        self.remember(removed.trace());
        self.changed();
        Ok(())
    }

    /// The one licence under which a key is used: the one named, or the newest under which its
    /// status is usable. Returns the places of licence and key.
    ///
    /// # Errors
    /// [`Status::UnknownLicense`], [`Status::UnknownKey`], [`Status::KeyNotUsable`].
    pub(crate) fn grant(
        &self,
        key: KeyId,
        license: Option<LicenseId>,
    ) -> Result<(usize, usize), Status> {
        if license.is_some_and(|id| self.license(id).is_none()) {
            return Err(Status::UnknownLicense);
        }
        let mut refusal = Status::UnknownKey;
        for (at, loaded) in self.licenses.iter().enumerate().rev() {
            if license.is_some_and(|id| loaded.id != id) {
                continue;
            }
            let holds = |held: &LoadedKey| held.id == key;
            let Some(held) = loaded.keys.iter().position(holds) else {
                continue;
            };
            if loaded.keys.get(held).is_some_and(LoadedKey::serves) {
                return Ok((at, held));
            }
            refusal = Status::KeyNotUsable;
        }
        Err(refusal)
    }

    /// Takes in what a decoder says of the units it was given last.
    pub(crate) fn hear(&mut self, channel: u64, report: Report) {
        if let Some(handover) = &mut self.handover {
            handover.report(channel, report);
        }
        self.close_keys();
    }

    /// Closes the channels that `which` picks by handle and decoder.
    pub(crate) fn hang_up(&mut self, which: impl Fn(u64, ClientId) -> bool) {
        if let Some(handover) = &mut self.handover {
            handover.close(which);
        }
        self.close_keys();
    }

    /// Closes the keys under which too many units in a row were rejected.
    fn close_keys(&mut self) {
        let Some(handover) = &self.handover else {
            return;
        };
        let mut changed = false;
        for key in self
            .licenses
            .iter_mut()
            .flat_map(|license| &mut license.keys)
        {
            if let Some(rejected) = handover.closed(key.id) {
                changed |= key.close(rejected);
            }
        }
        if changed {
            self.changed();
        }
    }
}

mod table;

pub(crate) use table::Sessions;
