//! The media slots of a call, and whose memory they are.

use keybearer_wire::Status;

use crate::core::Caller;

/// The platform could not reach media that the call said is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the media slot cannot be reached")]
pub struct MediaError;

/// Protected media in, clear media out, by copies only: the host may change its side at any time.
///
/// The core reads every input byte at most once and writes every output byte at most once, in
/// rising order, and never reads the output. For each piece the read comes before the write, so
/// input and output may be the same memory; any other overlap gives undefined bytes, safely.
///
/// Whose memory it is, the platform says and no message can (GlobalPlatform TEE Internal Core API,
/// `TEE_CheckMemoryAccessRights`). What follows from it is the core's to decide; where nobody knows, as
/// on a platform without protected memory, all of it is the host's.
pub trait Media {
    /// Bytes of input.
    fn input_len(&self) -> usize;

    /// Bytes of room for output.
    fn output_len(&self) -> usize;

    /// Copies input from `offset` on; fills `into` entirely.
    ///
    /// # Errors
    /// [`MediaError`] outside the slot, or when the platform is failing.
    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError>;

    /// Copies `from` to the output at `offset`.
    ///
    /// # Errors
    /// [`MediaError`] outside the slot, or when the platform is failing.
    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError>;

    /// Whether anything that goes into this call, request or media, may come from protected memory, which
    /// the normal world cannot read. The platform says `false` only if it knows better.
    fn input_is_protected(&self) -> bool {
        false
    }

    /// Whether every byte of the output is protected memory. Without the platform's word it is not,
    /// and output of no bytes is none.
    fn output_is_protected(&self) -> bool {
        false
    }

    /// Whether the response goes to protected memory, as another trusted application's is.
    fn response_is_protected(&self) -> bool {
        false
    }
}

/// Whether a call takes from protected memory and gives to memory that the normal world can read. No
/// command may, whatever it does: content that was put where only hardware can use it would come out.
///
/// A host never takes from there, wherever the response goes: its size reaches the host all the same,
/// and so does what a later call says of what this one changed.
pub(crate) fn would_leak(caller: Caller, media: &dyn Media) -> bool {
    let gives_to_protected = || {
        caller == Caller::Decoder
            && media.response_is_protected()
            && (media.output_len() == 0 || media.output_is_protected())
    };
    media.input_is_protected() && !gives_to_protected()
}

/// Overwrites the output from `offset` on with zeros, and `scratch` with it.
///
/// # Errors
/// [`Status::Platform`] when the output cannot be reached.
pub(crate) fn wipe(media: &mut dyn Media, offset: usize, scratch: &mut [u8]) -> Result<(), Status> {
    scratch.fill(0);
    let mut at = offset;
    while at < media.output_len() {
        let size = scratch.len().min(media.output_len().saturating_sub(at));
        let (zeros, _) = scratch.split_at(size);
        media.write(at, zeros).map_err(|_| Status::Platform)?;
        at = at.saturating_add(size);
    }
    Ok(())
}

/// A call without media.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMedia;

impl Media for NoMedia {
    fn input_len(&self) -> usize {
        0
    }
    fn output_len(&self) -> usize {
        0
    }
    fn read(&mut self, _offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        if into.is_empty() {
            Ok(())
        } else {
            Err(MediaError)
        }
    }
    fn write(&mut self, _offset: usize, from: &[u8]) -> Result<(), MediaError> {
        if from.is_empty() {
            Ok(())
        } else {
            Err(MediaError)
        }
    }
}

/// Two separate buffers in this address space.
#[derive(Debug)]
pub struct Buffers<'a> {
    /// Protected media.
    pub input: &'a [u8],
    /// Receives clear media.
    pub output: &'a mut [u8],
}

impl Media for Buffers<'_> {
    fn input_len(&self) -> usize {
        self.input.len()
    }
    fn output_len(&self) -> usize {
        self.output.len()
    }
    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        copy_out(self.input, offset, into)
    }
    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        copy_in(self.output, offset, from)
    }
}

/// One buffer in this address space, decrypted where it stands.
#[derive(Debug)]
pub struct InPlace<'a>(pub &'a mut [u8]);

impl Media for InPlace<'_> {
    fn input_len(&self) -> usize {
        self.0.len()
    }
    fn output_len(&self) -> usize {
        self.0.len()
    }
    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        copy_out(self.0, offset, into)
    }
    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        copy_in(self.0, offset, from)
    }
}

fn copy_out(from: &[u8], offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
    let end = offset.checked_add(into.len()).ok_or(MediaError)?;
    into.copy_from_slice(from.get(offset..end).ok_or(MediaError)?);
    Ok(())
}

fn copy_in(into: &mut [u8], offset: usize, from: &[u8]) -> Result<(), MediaError> {
    let end = offset.checked_add(from.len()).ok_or(MediaError)?;
    into.get_mut(offset..end)
        .ok_or(MediaError)?
        .copy_from_slice(from);
    Ok(())
}

#[cfg(test)]
mod tests;
