//! One command, from the caller's slots to what answers it and back.
//!
//! The order is the promise: sizes first, then one copy of the request, then the command, then one
//! write of the response. A command is either refused before it runs or answered whole.

use crate::params::{CommandSlots, SharedInput, SharedOutput};
use alloc::vec::Vec;
use core::ops::Deref;
use keybearer_wire::{Status, encode_status, fallback_response, limits::MAX_REQUEST};
use optee_utee::{ErrorKind, Result};

/// The media of a call: protected bytes to read, room for clear ones. Both may be the same memory,
/// so a piece is to be read before the like piece is written.
pub struct SharedMedia<'s, 'a> {
    request: &'s SharedInput<'a>,
    response: &'s SharedOutput<'a>,
    input: &'s SharedInput<'a>,
    output: &'s mut SharedOutput<'a>,
    written: usize,
}

impl<'s, 'a> SharedMedia<'s, 'a> {
    /// The protected bytes, for whoever copies them or names them to another trusted application.
    #[must_use]
    pub fn input(&self) -> &'s SharedInput<'a> {
        self.input
    }

    /// Bytes that there is room for.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.output.capacity()
    }

    /// Whether any byte of request or media may come from memory that the normal world cannot read.
    #[must_use]
    pub fn input_is_protected(&self) -> bool {
        self.request.is_protected() || self.input.is_protected()
    }

    /// Whether every byte of room for media is memory that the normal world cannot read.
    #[must_use]
    pub fn output_is_protected(&self) -> bool {
        self.output.is_protected()
    }

    /// Whether the response goes to such memory.
    #[must_use]
    pub fn response_is_protected(&self) -> bool {
        self.response.is_protected()
    }

    /// Copies `from` to the output at `offset`; the caller learns how far the clear media reaches.
    ///
    /// # Errors
    /// `ShortBuffer` when it does not fit; nothing is copied then.
    pub fn write(&mut self, offset: usize, from: &[u8]) -> Result<()> {
        self.output.write(offset, from)?;
        self.written = self.written.max(offset.saturating_add(from.len()));
        Ok(())
    }
}

/// Runs one command whose response takes at most `room` bytes: `command` gets a private copy of the
/// request, and the media.
///
/// A refusal is a response like any other. The caller learns how far the clear media reaches; after
/// a refusal that is nowhere, because a command refuses before it writes.
///
/// # Errors
/// `ShortBuffer` when the response slot has not even room for a refusal.
pub fn serve<R: Deref<Target = [u8]>>(
    slots: &mut CommandSlots<'_>,
    room: usize,
    command: impl FnOnce(&[u8], &mut SharedMedia<'_, '_>) -> R,
) -> Result<()> {
    let CommandSlots {
        request,
        response,
        media_in,
        media_out,
    } = slots;
    // No command does its work and then cannot say so.
    if response.capacity() < room {
        return refuse(response, Status::ResponseTooSmall);
    }
    if request.len() > MAX_REQUEST {
        return refuse(response, Status::RequestTooLarge);
    }
    let mut private = Vec::new();
    if private.try_reserve_exact(request.len()).is_err() {
        return answer(response, fallback_response());
    }
    private.resize(request.len(), 0);
    request.read(0, &mut private)?;

    let mut media = SharedMedia {
        request,
        response,
        input: media_in,
        output: media_out,
        written: 0,
    };
    let body = command(&private, &mut media);
    let written = media.written;
    answer(response, &body)?;
    media_out.set_len(written)
}

fn refuse(response: &mut SharedOutput<'_>, status: Status) -> Result<()> {
    match encode_status(status) {
        Ok(body) => answer(response, &body),
        Err(_) => answer(response, fallback_response()),
    }
}

fn answer(response: &mut SharedOutput<'_>, body: &[u8]) -> Result<()> {
    if body.len() > response.capacity() {
        return Err(ErrorKind::ShortBuffer.into());
    }
    response.write(0, body)?;
    response.set_len(body.len())
}

#[cfg(test)]
mod tests;
