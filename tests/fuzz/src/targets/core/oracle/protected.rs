//! Protected sessions as the model has them.

use keybearer_core::ClientId;
use keybearer_wire::limits::MAX_TICKETS_PER_SESSION;
use keybearer_wire::{Command, body};

use super::{Exchange, Held, Oracle, answer, decode};
use crate::verdict::{Verdict, claim};

impl Oracle {
    /// A ticket is of a protected session and redeemed once, and a channel is closed by its decoder.
    pub(super) fn handover(&mut self, call: &Exchange<'_>, command: Command) -> Verdict {
        match command {
            Command::IssueTicket => {
                let request = decode::<body::IssueTicket>(call.request)?;
                let issued: body::Ticket = answer(call.response)?;
                let held = self.open.get_mut(&request.session);
                let held = held.ok_or("a ticket of a closed session")?;
                claim!(held.protected, "a ticket of a clear session");
                held.tickets.push(issued.ticket);
                if held.tickets.len() > MAX_TICKETS_PER_SESSION {
                    held.tickets.remove(0);
                }
                self.tracks.insert(issued.ticket, request.track_type);
            }
            Command::RedeemTicket => {
                let request = decode::<body::RedeemTicket>(call.request)?;
                let opened: body::ChannelOpened = answer(call.response)?;
                let holds = |held: &&mut Held| held.tickets.contains(&request.ticket);
                let mut sessions = self.open.iter_mut();
                let found = sessions.find(|(_, held)| holds(held));
                let (session, held) = found.ok_or("a ticket was redeemed that was not good")?;
                held.tickets.retain(|ticket| *ticket != request.ticket);
                let track = self.tracks.get(&request.ticket).copied();
                claim!(track == Some(opened.track_type), "another track");
                let channel = (call.client, *session, opened.track_type);
                claim!(
                    self.issued.insert(opened.channel),
                    "a handle was given twice"
                );
                self.channels.insert(opened.channel, channel);
            }
            _ => {
                let request = decode::<body::CloseChannel>(call.request)?;
                let own = self.channels.remove(&request.channel);
                let open = |channel: &(ClientId, u64, u8)| {
                    channel.0 == call.client && self.open.contains_key(&channel.1)
                };
                claim!(own.as_ref().is_some_and(open), "closed another's channel");
            }
        }
        Ok(())
    }

    /// A decoder's call as the call of its session that it amounts to.
    pub(super) fn of_unit<'a>(
        &self,
        decoder: ClientId,
        unit: &body::DecryptUnit<'a>,
    ) -> Result<body::Decrypt<'a>, String> {
        let channel = self.channels.get(&unit.channel);
        let own = channel.filter(|channel| channel.0 == decoder);
        let Some((_, session, track)) = own else {
            // A media failure must come after all checks, so this is what the call was served for.
            return Err("a unit over a channel that is not the decoder's".into());
        };
        Ok(body::Decrypt {
            session: *session,
            key_id: unit.key_id,
            license: unit.license,
            track_type: *track,
            scheme: unit.scheme,
            iv_size: unit.iv_size,
            constant_iv: unit.constant_iv,
            crypt_blocks: unit.crypt_blocks,
            skip_blocks: unit.skip_blocks,
            duration_ms: unit.duration_ms,
            width: None,
            height: None,
            samples: unit.samples,
            subsamples: unit.subsamples,
        })
    }
}
