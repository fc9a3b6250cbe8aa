//! What a call brings back.
//!
//! The answers of the sample path and all refusals are short and are written into the value itself,
//! so that they take no memory and cannot fail.

use alloc::vec::Vec;
use core::ops::Deref;

use keybearer_wire::body::{ChannelOpened, Decrypted, SessionOpened, Ticket, UnitDecrypted};
use keybearer_wire::limits::MAX_RESPONSE;
use keybearer_wire::{Body, Command, Status, encode_answer, fallback_response};

/// Bytes of the largest response that is kept inline.
const INLINE: usize = 32;

/// Largest response body, in bytes, that a command can bring. A transport with less room refuses
/// the call with [`Status::ResponseTooSmall`] before it reaches the core, so that nothing is done.
#[must_use]
pub const fn response_limit(command: u32) -> usize {
    match Command::from_code(command) {
        None
        | Some(
            Command::Decrypt
            | Command::CloseSession
            | Command::RemoveLicense
            | Command::EraseIdentity
            | Command::LoadRevocationList
            | Command::ReportOutputs
            | Command::OpenSession
            | Command::IssueTicket
            | Command::RedeemTicket
            | Command::DecryptUnit
            | Command::CloseChannel
            | Command::WipeBuffer,
        ) => INLINE,
        Some(_) => MAX_RESPONSE,
    }
}

/// An encoded response; dereferences to its bytes.
#[derive(Debug)]
pub struct Response(Bytes);

#[derive(Debug)]
enum Bytes {
    Inline { bytes: [u8; INLINE], len: usize },
    Heap(Vec<u8>),
    Fallback,
}

impl Response {
    /// A refusal.
    pub(crate) fn refusal(status: Status) -> Self {
        let mut writer = Writer::new();
        writer.head(MAP, 1);
        writer.head(UINT, 0);
        writer.head(UINT, u64::from(status.code()));
        writer.done()
    }

    /// The answer of the sample path.
    pub(crate) fn decrypted(answer: &Decrypted) -> Self {
        let mut writer = Writer::answer(2);
        writer.head(UINT, 0);
        writer.head(UINT, answer.bytes);
        writer.head(UINT, 1);
        writer.head(UINT, answer.sequence);
        writer.done()
    }

    /// The answer that carries a handle: it comes once the session is open, so it cannot fail.
    pub(crate) fn session_opened(answer: &SessionOpened) -> Self {
        let mut writer = Writer::answer(1);
        writer.head(UINT, 0);
        writer.head(UINT, answer.session);
        writer.done()
    }

    /// The answer that carries a ticket: it comes once the session waits for it, so it cannot fail.
    pub(crate) fn ticket(answer: &Ticket) -> Self {
        let mut writer = Writer::answer(1);
        writer.head(UINT, 0);
        writer.head(
            BYTES,
            u64::try_from(answer.ticket.len()).unwrap_or(u64::MAX),
        );
        writer.put(&answer.ticket);
        writer.done()
    }

    /// The answer that carries a channel's handle: it comes once the ticket is redeemed.
    pub(crate) fn channel_opened(answer: &ChannelOpened) -> Self {
        let mut writer = Writer::answer(2);
        writer.head(UINT, 0);
        writer.head(UINT, answer.channel);
        writer.head(UINT, 1);
        writer.head(UINT, u64::from(answer.track_type));
        writer.done()
    }

    /// The answer of the protected sample path.
    pub(crate) fn unit_decrypted(answer: &UnitDecrypted) -> Self {
        let entries = if answer.largest_picture.is_some() {
            3
        } else {
            2
        };
        let mut writer = Writer::answer(entries);
        writer.head(UINT, 0);
        writer.head(UINT, answer.bytes);
        writer.head(UINT, 1);
        writer.head(UINT, answer.sequence);
        if let Some(pixels) = answer.largest_picture {
            writer.head(UINT, 2);
            writer.head(UINT, u64::from(pixels));
        }
        writer.done()
    }

    /// The answer without content, of commands that have done their work by then.
    pub(crate) fn empty() -> Self {
        Writer::answer(0).done()
    }

    /// An answer that is encoded before what it tells of is done, so that a command without the
    /// memory to answer does nothing.
    ///
    /// # Errors
    /// [`Status::OutOfMemory`].
    pub(crate) fn encoded<'a>(answer: &impl Body<'a>) -> Result<Self, Status> {
        let bytes = encode_answer(answer).map_err(|_| Status::OutOfMemory)?;
        Ok(Self(Bytes::Heap(bytes)))
    }

    /// The answer of a command that changes nothing; the fixed fallback when there is no memory to encode it.
    pub(crate) fn answer<'a>(answer: &impl Body<'a>) -> Self {
        encode_answer(answer).map_or(Self(Bytes::Fallback), |bytes| Self(Bytes::Heap(bytes)))
    }
}

impl Deref for Response {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Inline { bytes, len } => bytes.get(..*len).unwrap_or(fallback_response()),
            Bytes::Heap(bytes) => bytes,
            Bytes::Fallback => fallback_response(),
        }
    }
}

/// CBOR major type of an unsigned integer, in its place in the head byte.
const UINT: u8 = 0x00;
/// CBOR major type of a byte string.
const BYTES: u8 = 0x40;
/// CBOR major type of a map.
const MAP: u8 = 0xa0;

/// Writes CBOR heads into a fixed buffer. A test compares every response with the codec's.
struct Writer {
    bytes: [u8; INLINE],
    len: usize,
}

impl Writer {
    const fn new() -> Self {
        Self {
            bytes: [0; INLINE],
            len: 0,
        }
    }

    /// Begins an answer under [`Status::Ok`] with so many entries.
    fn answer(entries: u64) -> Self {
        let mut writer = Self::new();
        writer.head(MAP, 2);
        writer.head(UINT, 0);
        writer.head(UINT, u64::from(Status::Ok.code()));
        writer.head(UINT, 1);
        writer.head(MAP, entries);
        writer
    }

    fn head(&mut self, major: u8, value: u64) {
        let [.., w4, w3, w2, w1, b3, b2, b1, b0] = value.to_be_bytes();
        match value {
            0..=23 => self.put(&[major | b0]),
            24..=0xff => self.put(&[major | 24, b0]),
            0x100..=0xffff => self.put(&[major | 25, b1, b0]),
            0x1_0000..=0xffff_ffff => self.put(&[major | 26, b3, b2, b1, b0]),
            _ => self.put(&[major | 27, w4, w3, w2, w1, b3, b2, b1, b0]),
        }
    }

    /// The longest answer, of a protected unit: five bytes of frame, then three keys and integers of
    /// nine, nine and five bytes, 31 in all.
    fn put(&mut self, part: &[u8]) {
        let end = self.len.saturating_add(part.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(part);
        }
        self.len = end;
    }

    fn done(self) -> Response {
        Response(Bytes::Inline {
            bytes: self.bytes,
            len: self.len,
        })
    }
}

#[cfg(test)]
mod tests;
