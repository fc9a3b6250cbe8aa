//! The table of all sessions, and the handles to them and to their channels.

use alloc::vec::Vec;

use keybearer_license::TrackType;
use keybearer_wire::Status;
use keybearer_wire::limits::{
    MAX_KEYS, MAX_KEYS_PER_CLIENT, MAX_KEYS_PER_SESSION, MAX_SESSIONS, MAX_SESSIONS_PER_CLIENT,
};

use super::Session;
use crate::core::ClientId;
use crate::platform::PlatformError;

/// Places in the table, as handles count them. The handle of a channel has the place of its session.
const PLACES: u64 = 256;

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

    /// True when a client cannot open one more session: all are in use, or all that one client
    /// may open.
    ///
    /// A client is a connection, so this protects clients from each other's mistakes and from one
    /// greedy connection. A hostile program with two connections still takes every session.
    pub(crate) fn is_full_for(&self, client: ClientId) -> bool {
        let open = self.table.iter().flatten();
        let own = open.filter(|(_, session)| session.owner == client).count();
        own >= MAX_SESSIONS_PER_CLIENT || self.table.iter().all(Option::is_some)
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
        let handle = handle(&mut self.generation, place).ok_or(Status::TooManySessions)?;
        *slot = Some((handle, session));
        Ok(handle)
    }

    /// Redeems a ticket for a channel of `decoder`; gives its handle and its track.
    ///
    /// # Errors
    /// [`Status::UnknownTicket`]; [`Status::TooManyChannels`], also when the generations are used up.
    pub(crate) fn redeem(
        &mut self,
        decoder: ClientId,
        ticket: &[u8; 16],
    ) -> Result<(u64, TrackType), Status> {
        let Self { table, generation } = self;
        let sessions = (0_u64..).zip(table.iter_mut().map(Option::as_mut));
        let (place, handover) = sessions
            .filter_map(|(place, slot)| Some((place, slot?.1.handover.as_mut()?)))
            .find(|(_, handover)| handover.waits_for(ticket))
            .ok_or(Status::UnknownTicket)?;
        let handle = handle(generation, place).ok_or(Status::TooManyChannels)?;
        let track = handover.redeem(ticket, decoder, handle)?;
        Ok((handle, track))
    }

    /// The session that a decoder's channel leads to, and the track.
    ///
    /// # Errors
    /// [`Status::UnknownChannel`] for a stale handle, another decoder's, and one whose session is
    /// closed.
    pub(crate) fn of_channel(
        &mut self,
        decoder: ClientId,
        channel: u64,
    ) -> Result<(&mut Session, TrackType), Status> {
        let slot = self.slot(channel).and_then(Option::as_mut);
        let found = slot.and_then(|(_, session)| {
            let track = session.handover.as_ref()?.track(decoder, channel)?;
            Some((session, track))
        });
        found.ok_or(Status::UnknownChannel)
    }

    /// How many keys a session may hold, those it holds included: as many as a session may, as
    /// its client may, and as all others leave. Keys that have ended take room until they go.
    pub(crate) fn room_for_keys(&self, client: ClientId, handle: u64) -> usize {
        let others = || {
            let open = self.table.iter().flatten();
            open.filter(|(other, _)| *other != handle)
                .map(|(_, session)| (session.owner, session.key_count()))
        };
        let all: usize = others().map(|(_, keys)| keys).sum();
        let own = others().filter(|(owner, _)| *owner == client);
        let own: usize = own.map(|(_, keys)| keys).sum();
        MAX_KEYS_PER_SESSION
            .min(MAX_KEYS_PER_CLIENT.saturating_sub(own))
            .min(MAX_KEYS.saturating_sub(all))
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

/// The next handle to a place.
fn handle(generation: &mut u64, place: u64) -> Option<u64> {
    let next = generation.checked_add(1)?;
    let handle = next.checked_mul(PLACES)?.checked_add(place)?;
    *generation = next;
    Some(handle)
}
