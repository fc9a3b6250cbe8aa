//! One command, from the host's slots to the core and back.
//!
//! The order is the promise: sizes first, then one copy of the request, then the core, then one
//! write of the response. A command is either refused before the core sees it or answered whole.

use crate::params::{CommandSlots, SharedInput, SharedOutput};
use alloc::vec::Vec;
use core::ops::Deref;
use keybearer_core::{Media, MediaError};
use keybearer_wire::{Status, encode_status, fallback_response, limits::MAX_REQUEST};
use optee_utee::{ErrorKind, Result};

/// The media of a call: protected bytes to read, room for clear ones. Both may be the same memory,
/// so a piece is to be read before the like piece is written.
pub struct SharedMedia<'s, 'a> {
    input: &'s SharedInput<'a>,
    output: &'s mut SharedOutput<'a>,
    written: usize,
}

impl Media for SharedMedia<'_, '_> {
    fn input_len(&self) -> usize {
        self.input.len()
    }

    fn output_len(&self) -> usize {
        self.output.capacity()
    }

    fn read(&mut self, offset: usize, into: &mut [u8]) -> core::result::Result<(), MediaError> {
        self.input.read(offset, into).map_err(|_| MediaError)
    }

    fn write(&mut self, offset: usize, from: &[u8]) -> core::result::Result<(), MediaError> {
        self.output.write(offset, from).map_err(|_| MediaError)?;
        self.written = self.written.max(offset.saturating_add(from.len()));
        Ok(())
    }
}

/// Runs one command whose response takes at most `room` bytes: `core` gets a private copy of the
/// request, and the media.
///
/// A refusal is a response like any other. The host learns how far the clear media reaches; after
/// a refusal that is nowhere, because the core refuses before it writes.
///
/// # Errors
/// `ShortBuffer` when the response slot has not even room for a refusal.
pub fn serve<R: Deref<Target = [u8]>>(
    slots: &mut CommandSlots<'_>,
    room: usize,
    core: impl FnOnce(&[u8], &mut SharedMedia<'_, '_>) -> R,
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
        input: media_in,
        output: media_out,
        written: 0,
    };
    let body = core(&private, &mut media);
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
