//! The decoder configuration record, `avcC` (ISO/IEC 14496-15 clause 5.3.3.1).

use alloc::vec::Vec;

use crate::bits::Read;
use crate::nal::Nal;
use crate::refusal::Refusal;

/// What the record says.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// Bytes of the length field in front of each NAL unit: 1, 2 or 4.
    pub(crate) length_size: usize,
    /// Sequence and picture parameter sets, in that order.
    pub(crate) sets: Vec<Nal<'a>>,
}

impl<'a> Record<'a> {
    /// Reads a record. What follows the parameter sets repeats what the sequence parameter sets say
    /// and is not read.
    pub(crate) fn parse(bytes: &'a [u8]) -> Read<Self> {
        let mut at = Cursor(bytes);
        if at.byte()? != 1 {
            return Err(Refusal::ContentRejected);
        }
        // Profile, constraints and level: the sequence parameter set is what counts.
        at.take(3)?;
        let length_size = match at.byte()? & 3 {
            0 => 1,
            1 => 2,
            3 => 4,
            _ => return Err(Refusal::ContentRejected),
        };
        let mut sets = Vec::new();
        let sequence_sets = at.byte()? & 31;
        at.sets(sequence_sets, Nal::SPS, &mut sets)?;
        let picture_sets = at.byte()?;
        at.sets(picture_sets, Nal::PPS, &mut sets)?;
        Ok(Self { length_size, sets })
    }
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(Refusal::ContentRejected)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Read<u8> {
        self.take(1)?
            .first()
            .copied()
            .ok_or(Refusal::ContentRejected)
    }

    fn sets(&mut self, count: u8, kind: u8, sets: &mut Vec<Nal<'a>>) -> Read<()> {
        for _ in 0..count {
            let length = u16::from_be_bytes([self.byte()?, self.byte()?]);
            let nal = Nal::new(self.take(length.into())?)?;
            if nal.kind != kind {
                return Err(Refusal::ContentRejected);
            }
            sets.push(nal);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
