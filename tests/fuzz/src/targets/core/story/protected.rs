//! What hosts and decoders do with protected sessions.

use arbitrary::Unstructured;
use keybearer_core::{Caller, ClientId};
use keybearer_wire::limits::MAX_REQUEST;
use keybearer_wire::{Body, Command, body, decode_response};

use super::{Story, byte};
use crate::targets::core::media;
use crate::verdict::Verdict;

impl Story<'_> {
    /// One step of a protected session.
    pub(super) fn protect(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        match byte(u) % 6 {
            0 => self.open_kind(u, true).map(drop),
            1 => self.issue(u),
            2 => self.redeem(u),
            3 => self.unit(u),
            4 => {
                let ((decoder, channel), told) = (self.channel(u), byte(u));
                let close = body::CloseChannel {
                    channel,
                    rejected: u32::from(told & 0xf),
                    decoded: u32::from(told >> 4),
                };
                self.typed(decoder, &close).map(drop)
            }
            _ => {
                let decoder = self.decoder(u);
                self.subject.disconnect(decoder);
                self.oracle.gone(decoder);
                self.decoders.retain(|other| *other != decoder);
                Ok(())
            }
        }
    }

    fn issue(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let (client, session) = self.handle(u);
        let request = body::IssueTicket {
            session,
            track_type: byte(u),
        };
        let response = self.typed(client, &request)?;
        if let Ok(Ok(issued)) = decode_response::<body::Ticket>(&response) {
            self.tickets.push(issued.ticket);
        }
        Ok(())
    }

    fn redeem(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let (choice, decoder) = (byte(u), self.decoder(u));
        let last = self.tickets.len().saturating_sub(1);
        let known = self
            .tickets
            .get(last.saturating_sub(usize::from(choice & 7)));
        let mut ticket = known.copied().unwrap_or([choice; 16]);
        ticket[0] ^= u8::from(choice >= 0xf0);
        let request = body::RedeemTicket {
            ticket,
            debug: choice & 0x40 != 0,
        };
        let response = self.typed(decoder, &request)?;
        if let Ok(Ok(opened)) = decode_response::<body::ChannelOpened>(&response) {
            self.channels.push((opened.channel, decoder));
        }
        Ok(())
    }

    /// Units over a channel, by its decoder or, now and then, by a host; or a host wipes a buffer.
    fn unit(&mut self, u: &mut Unstructured<'_>) -> Verdict {
        let ((decoder, channel), told) = (self.channel(u), byte(u));
        let client = if told >= 0xf0 {
            self.client(u)
        } else {
            decoder
        };
        let (batch, mut slots) = media::batch(u, 0);
        if (0xe0..0xf0).contains(&told) {
            let client = self.client(u);
            let request = body::WipeBuffer {}.encode(MAX_REQUEST);
            let request = request.expect("a story's requests fit");
            let wipe = Command::WipeBuffer.code();
            return self.send(client, wipe, &request, &mut slots).map(drop);
        }
        slots.of_a_decoder();
        let batch = body::Decrypt::decode(&batch, MAX_REQUEST).expect("it was encoded");
        let request = body::DecryptUnit {
            channel,
            key_id: batch.key_id,
            license: batch.license,
            scheme: batch.scheme,
            iv_size: batch.iv_size,
            constant_iv: batch.constant_iv,
            crypt_blocks: batch.crypt_blocks,
            skip_blocks: batch.skip_blocks,
            duration_ms: batch.duration_ms,
            samples: batch.samples,
            subsamples: batch.subsamples,
            rejected: u32::from(told & 0xf),
            decoded: u32::from(told >> 4 & 0x7),
        };
        let request = request.encode(MAX_REQUEST).expect("a story's requests fit");
        self.send(client, Command::DecryptUnit.code(), &request, &mut slots)
            .map(drop)
    }

    /// One of two decoders, or an earlier one.
    fn decoder(&mut self, u: &mut Unstructured<'_>) -> ClientId {
        let place = usize::from(byte(u)) % 2;
        if let Some(decoder) = self.decoders.get(place) {
            return *decoder;
        }
        match self.subject.connect(Caller::Decoder) {
            Some(decoder) => {
                self.oracle.decoder(decoder);
                self.decoders.push(decoder);
                decoder
            }
            // All places are taken: a host in its stead, which is refused.
            None => self.client(u),
        }
    }

    /// A channel, mostly one that was opened, mostly by the decoder that opened it.
    fn channel(&mut self, u: &mut Unstructured<'_>) -> (ClientId, u64) {
        let (choice, decoder) = (byte(u), self.decoder(u));
        let last = self.channels.len().saturating_sub(1);
        let known = self
            .channels
            .get(last.saturating_sub(usize::from(choice & 7)));
        match (known, choice >> 5) {
            (Some((channel, owner)), 0..=5) => (*owner, *channel),
            (Some((channel, _)), 6) => (decoder, *channel),
            _ => (decoder, u.arbitrary().unwrap_or(0)),
        }
    }
}
