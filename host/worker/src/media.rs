//! Media of one call, in memory that the host may change at any time.

use keybearer_core::{Media, MediaError};

use crate::sys::Mapping;

/// A piece of shared memory, known to lie inside it.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'m> {
    memory: &'m Mapping,
    offset: usize,
    len: usize,
}

impl<'m> Piece<'m> {
    /// `None` unless all of it lies in `memory`.
    pub(crate) fn new(memory: &'m Mapping, offset: u64, len: u64) -> Option<Self> {
        let offset = usize::try_from(offset).ok()?;
        let len = usize::try_from(len).ok()?;
        (offset.checked_add(len)? <= memory.len()).then_some(Self {
            memory,
            offset,
            len,
        })
    }

    /// Where `len` bytes at `offset` of this piece lie in the memory.
    fn at(&self, offset: usize, len: usize) -> Result<usize, MediaError> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(self.offset + offset),
            _ => Err(MediaError),
        }
    }
}

/// Input and output of one call; they may be the same.
pub(crate) struct SharedMedia<'m> {
    pub(crate) input: Piece<'m>,
    pub(crate) output: Piece<'m>,
}

impl Media for SharedMedia<'_> {
    fn input_len(&self) -> usize {
        self.input.len
    }

    fn output_len(&self) -> usize {
        self.output.len
    }

    fn read(&mut self, offset: usize, into: &mut [u8]) -> Result<(), MediaError> {
        let at = self.input.at(offset, into.len())?;
        self.input.memory.read(at, into).ok_or(MediaError)
    }

    fn write(&mut self, offset: usize, from: &[u8]) -> Result<(), MediaError> {
        let at = self.output.at(offset, from.len())?;
        self.output.memory.write(at, from).ok_or(MediaError)
    }
}

#[cfg(test)]
mod tests;
