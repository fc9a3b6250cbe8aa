//! Sessions and their handles.
//!
//! A handle is a place in a fixed table and a generation that is never used twice, and it belongs
//! to the client that opened the session. A stale, foreign or invented handle resolves to nothing.

use alloc::vec::Vec;

use keybearer_crypto::{Crypto, Digest};
use keybearer_license::{
    AnchorRef, Challenge, KeyId, LicenseId, PendingLicense, PendingTime, Roles, Service,
    open_service_info,
};
use keybearer_wire::Status;
use keybearer_wire::body::KeyStatus;
use keybearer_wire::limits::{
    MAX_KEYS_PER_SESSION, MAX_LICENSES_PER_SESSION, MAX_PENDING_PER_SESSION, MAX_SESSIONS,
};

use crate::anchor::AnchorState;
use crate::core::ClientId;
use crate::license::{Circumstances, LoadedKey, LoadedLicense};
use crate::platform::{Moment, PlatformError};
use crate::refusal;

/// Places in the table, as handles count them.
const PLACES: u64 = 256;

/// A request that waits for its answer.
pub(crate) struct Pending {
    pub(crate) kind: PendingKind,
    /// When it was built; `None` without a clock.
    pub(crate) sent: Option<Moment>,
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
    /// The service's last challenge that no request has used yet.
    pub(crate) challenge: Option<Challenge>,
    /// Oldest first.
    pub(crate) pending: Vec<Pending>,
    /// Oldest first.
    pub(crate) licenses: Vec<LoadedLicense>,
    /// Grows with every change of a status.
    pub(crate) sequence: u64,
}

impl Session {
    /// Notes that something about the statuses changed.
    pub(crate) fn changed(&mut self) {
        self.sequence = self.sequence.saturating_add(1);
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

    /// Takes a newer service info of the same service, for its certificate and its challenge.
    ///
    /// # Errors
    /// [`Status::WrongService`] for another service's; those of a message of the service.
    pub(crate) fn renew_service<C: Crypto + ?Sized>(
        &mut self,
        crypto: &C,
        state: &AnchorState,
        bytes: &[u8],
    ) -> Result<(), Status> {
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
        self.service = opened.service;
        self.challenge = Some(opened.info.challenge);
        Ok(())
    }

    /// Tests that the service, verified when the session was opened, may still be talked to.
    ///
    /// # Errors
    /// [`Status::OutsideValidity`], [`Status::Revoked`].
    pub(crate) fn check_service(&self, state: &AnchorState) -> Result<(), Status> {
        if !state.time.allows(&self.service.validity) {
            return Err(Status::OutsideValidity);
        }
        if state
            .revocation
            .serials
            .contains(&self.service.claims.serial)
        {
            return Err(Status::Revoked);
        }
        Ok(())
    }

    /// Keeps a request until its answer comes; beyond the limit the oldest one is forgotten.
    pub(crate) fn wait_for(&mut self, pending: Pending) {
        if self.pending.len() >= MAX_PENDING_PER_SESSION {
            self.pending.remove(0);
        }
        self.pending.push(pending);
    }

    /// The licence with this id.
    pub(crate) fn license(&self, id: LicenseId) -> Option<&LoadedLicense> {
        self.licenses.iter().find(|license| license.id == id)
    }

    /// Tests whether [`Self::load`] may take a licence in. Licences that are over would make room;
    /// one with a key that may still be used never does.
    ///
    /// # Errors
    /// [`Status::StaleSequence`], [`Status::TooManyLicenses`], [`Status::TooManyKeys`].
    pub(crate) fn admit(&self, license: &LoadedLicense) -> Result<(), Status> {
        let previous = self.license(license.id);
        if previous.is_some_and(|previous| license.sequence <= previous.sequence) {
            return Err(Status::StaleSequence);
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
        if keys.saturating_add(license.keys.len()) > MAX_KEYS_PER_SESSION {
            return Err(Status::TooManyKeys);
        }
        Ok(())
    }

    /// Takes in a licence that [`Self::admit`] let pass, as the newest; one with the same id is
    /// replaced at once.
    pub(crate) fn load(&mut self, mut license: LoadedLicense) {
        if let Some(previous) = self.license(license.id) {
            license.continue_from(previous);
        }
        self.licenses.retain(|other| other.id != license.id);
        while self.licenses.len() >= MAX_LICENSES_PER_SESSION
            || self.key_count().saturating_add(license.keys.len()) > MAX_KEYS_PER_SESSION
        {
            let Some(over) = self.licenses.iter().position(LoadedLicense::is_over) else {
                break;
            };
            self.licenses.remove(over);
        }
        self.licenses.push(license);
        self.changed();
    }

    fn key_count(&self) -> usize {
        self.licenses.iter().map(|license| license.keys.len()).sum()
    }

    /// Erases a licence with its keys.
    ///
    /// # Errors
    /// [`Status::UnknownLicense`].
    pub(crate) fn remove(&mut self, id: LicenseId) -> Result<(), Status> {
        let at = self.licenses.iter().position(|license| license.id == id);
        self.licenses.remove(at.ok_or(Status::UnknownLicense)?);
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
            let usable = |key: &LoadedKey| key.status == KeyStatus::Usable;
            if loaded.keys.get(held).is_some_and(usable) {
                return Ok((at, held));
            }
            refusal = Status::KeyNotUsable;
        }
        Err(refusal)
    }
}

/// All sessions of all clients.
pub(crate) struct Sessions {
    table: Vec<Option<(u64, Session)>>,
    generation: u64,
}

impl Sessions {
    /// An empty table; the only allocation it ever makes.
    ///
    /// # Errors
    /// [`PlatformError::Memory`].
    pub(crate) fn new() -> Result<Self, PlatformError> {
        let mut table = Vec::new();
        table
            .try_reserve_exact(MAX_SESSIONS)
            .map_err(|_| PlatformError::Memory)?;
        table.resize_with(MAX_SESSIONS, || None);
        Ok(Self {
            table,
            generation: 0,
        })
    }

    /// True when no session can be opened.
    pub(crate) fn is_full(&self) -> bool {
        self.table.iter().all(Option::is_some)
    }

    /// Opens a session and returns its handle.
    ///
    /// # Errors
    /// [`Status::TooManySessions`], also when the generations are used up.
    pub(crate) fn open(&mut self, session: Session) -> Result<u64, Status> {
        let (place, slot) = (0_u64..)
            .zip(&mut self.table)
            .find(|(_, slot)| slot.is_none())
            .ok_or(Status::TooManySessions)?;
        let generation = self
            .generation
            .checked_add(1)
            .ok_or(Status::TooManySessions)?;
        let handle = generation
            .checked_mul(PLACES)
            .and_then(|handle| handle.checked_add(place))
            .ok_or(Status::TooManySessions)?;
        self.generation = generation;
        *slot = Some((handle, session));
        Ok(handle)
    }

    /// The session of a handle.
    ///
    /// # Errors
    /// [`Status::UnknownSession`] for a stale handle and for another client's.
    pub(crate) fn get(&mut self, client: ClientId, handle: u64) -> Result<&mut Session, Status> {
        match self.slot(handle) {
            Some(Some((current, session))) if *current == handle && session.owner == client => {
                Ok(session)
            }
            _ => Err(Status::UnknownSession),
        }
    }

    /// Closes a session and erases what it holds.
    ///
    /// # Errors
    /// [`Status::UnknownSession`].
    pub(crate) fn close(&mut self, client: ClientId, handle: u64) -> Result<(), Status> {
        self.get(client, handle)?;
        if let Some(slot) = self.slot(handle) {
            *slot = None;
        }
        Ok(())
    }

    /// Closes every session that `which` picks.
    pub(crate) fn close_all(&mut self, which: impl Fn(&Session) -> bool) {
        for slot in &mut self.table {
            if slot.as_ref().is_some_and(|(_, session)| which(session)) {
                *slot = None;
            }
        }
    }

    /// All open sessions.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.table.iter_mut().flatten().map(|(_, session)| session)
    }

    fn slot(&mut self, handle: u64) -> Option<&mut Option<(u64, Session)>> {
        let place = usize::try_from(handle % PLACES).ok()?;
        self.table.get_mut(place)
    }
}
