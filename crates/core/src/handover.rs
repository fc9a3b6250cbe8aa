//! How a protected session's media reaches a decoder: tickets, channels, and what became of the
//! units that a decoder was given.
//!
//! The host gets a ticket and no more: who redeems one must be a decoder, and that the platform
//! says. Everything here belongs to one session and dies with it. All memory is taken when the
//! session is opened, so that nothing of it can fail later.

use alloc::vec::Vec;

use keybearer_license::{KeyId, TrackType};
use keybearer_wire::Status;
use keybearer_wire::limits::{MAX_CHANNELS_PER_SESSION, MAX_TICKETS_PER_SESSION};

use crate::core::ClientId;
use crate::rejections::{Rejections, Report};

/// A random name that stands for a track until it is redeemed.
struct Ticket {
    name: [u8; 16],
    track: TrackType,
}

/// A decoder's way to one track.
struct Channel {
    handle: u64,
    decoder: ClientId,
    track: TrackType,
    /// What its last call decrypted and nobody has reported on: the key and the number of units.
    open: Option<(KeyId, u32)>,
}

/// What a protected session has beyond a clear one.
pub(crate) struct Handover {
    /// Oldest first.
    tickets: Vec<Ticket>,
    channels: Vec<Channel>,
    rejections: Rejections,
}

impl Handover {
    /// No tickets, no channels, nothing rejected.
    ///
    /// # Errors
    /// [`Status::OutOfMemory`].
    pub(crate) fn new() -> Result<Self, Status> {
        let (mut tickets, mut channels) = (Vec::new(), Vec::new());
        tickets
            .try_reserve_exact(MAX_TICKETS_PER_SESSION)
            .map_err(|_| Status::OutOfMemory)?;
        channels
            .try_reserve_exact(MAX_CHANNELS_PER_SESSION)
            .map_err(|_| Status::OutOfMemory)?;
        Ok(Self {
            tickets,
            channels,
            rejections: Rejections::new()?,
        })
    }

    /// Takes a ticket in; beyond the limit the oldest one is forgotten.
    pub(crate) fn issue(&mut self, name: [u8; 16], track: TrackType) {
        if self.tickets.len() >= MAX_TICKETS_PER_SESSION {
            self.tickets.remove(0);
        }
        self.tickets.push(Ticket { name, track });
    }

    /// True when it waits for this ticket.
    ///
    /// Not in constant time: a ticket is random, redeemed once, and worth nothing to whoever could
    /// measure this, because only a decoder may redeem one.
    pub(crate) fn waits_for(&self, name: &[u8; 16]) -> bool {
        self.tickets.iter().any(|ticket| ticket.name == *name)
    }

    /// Redeems a ticket for a channel of `decoder` with this handle.
    ///
    /// # Errors
    /// [`Status::UnknownTicket`]; [`Status::TooManyChannels`], the ticket is then still good.
    pub(crate) fn redeem(
        &mut self,
        name: &[u8; 16],
        decoder: ClientId,
        handle: u64,
    ) -> Result<TrackType, Status> {
        let at = self.tickets.iter().position(|ticket| ticket.name == *name);
        let at = at.ok_or(Status::UnknownTicket)?;
        if self.channels.len() >= MAX_CHANNELS_PER_SESSION {
            return Err(Status::TooManyChannels);
        }
        let track = self.tickets.remove(at).track;
        self.channels.push(Channel {
            handle,
            decoder,
            track,
            open: None,
        });
        Ok(track)
    }

    /// The track of a decoder's channel.
    pub(crate) fn track(&self, decoder: ClientId, handle: u64) -> Option<TrackType> {
        let own = |channel: &&Channel| channel.handle == handle && channel.decoder == decoder;
        self.channels.iter().find(own).map(|channel| channel.track)
    }

    /// Notes that a channel is about to get units under a key.
    pub(crate) fn give(&mut self, handle: u64, key: KeyId, units: usize) {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let given = self.channels.iter_mut().find(|it| it.handle == handle);
        if let Some(channel) = given {
            channel.open = Some((key, units));
        }
    }

    /// Notes what a decoder says of the units that its channel's last call decrypted. A report on
    /// nothing is nothing.
    pub(crate) fn report(&mut self, handle: u64, report: Report) {
        let told = self.channels.iter_mut().find(|it| it.handle == handle);
        if let Some((key, _)) = told.and_then(|channel| channel.open.take()) {
            self.rejections.note(key, report);
        }
    }

    /// Forgets the channels that `which` picks by handle and decoder. What nobody has reported on
    /// counts as rejected: a decoder that dies of a unit has rejected it.
    pub(crate) fn close(&mut self, which: impl Fn(u64, ClientId) -> bool) {
        let Self {
            channels,
            rejections,
            ..
        } = self;
        channels.retain(|channel| {
            let closes = which(channel.handle, channel.decoder);
            if let (true, Some((key, units))) = (closes, channel.open) {
                rejections.note(key, Report::rejected(units));
            }
            !closes
        });
    }

    /// How many units in a row were rejected under a key, if that closes it.
    pub(crate) fn closed(&self, key: KeyId) -> Option<u32> {
        self.rejections.closed(key)
    }
}

#[cfg(test)]
mod tests;
