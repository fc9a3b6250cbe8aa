//! The media slots of a decrypt call.

/// The platform could not reach media that the call said is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the media slot cannot be reached")]
pub struct MediaError;

/// Protected media in, clear media out, by copies only: the host may change its side at any time.
///
/// The core reads every input byte at most once and writes every output byte at most once, in
/// rising order, and never reads the output. For each piece the read comes before the write, so
/// input and output may be the same memory; any other overlap gives undefined bytes, safely.
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
