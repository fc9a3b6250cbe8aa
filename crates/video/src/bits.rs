//! Reading bits of a raw byte sequence payload (ITU-T H.264 clauses 7.2 and 9.1).

use crate::refusal::Refusal;

/// The result of reading; the one error there is, is malformed content.
pub(crate) type Read<T> = Result<T, Refusal>;

/// Reads from the most significant bit on, never past the end.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits read.
    at: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits read so far.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// `u(1)`.
    pub(crate) fn flag(&mut self) -> Read<bool> {
        let byte = self
            .bytes
            .get(self.at >> 3)
            .ok_or(Refusal::ContentRejected)?;
        let bit = byte.wrapping_shl(u32::from(self.at.to_le_bytes()[0] & 7)) & 0x80 != 0;
        self.at = self.at.saturating_add(1);
        Ok(bit)
    }

    /// `u(count)`, at most 32 bits.
    pub(crate) fn unsigned(&mut self, count: u32) -> Read<u32> {
        let mut value = 0_u32;
        for _ in 0..count {
            value = value.wrapping_shl(1) | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// Passes over `count` bits.
    pub(crate) fn skip(&mut self, count: u32) -> Read<()> {
        for _ in 0..count {
            self.flag()?;
        }
        Ok(())
    }

    /// `ue(v)` not above `most`.
    pub(crate) fn exp_golomb(&mut self, most: u32) -> Read<u32> {
        let mut zeros = 0_u32;
        while !self.flag()? {
            zeros = zeros.saturating_add(1);
            // Codes of more than 32 bits after the zeros stand for no value that H.264 uses.
            if zeros > 31 {
                return Err(Refusal::ContentRejected);
            }
        }
        let value = 1_u32
            .wrapping_shl(zeros)
            .saturating_sub(1)
            .saturating_add(self.unsigned(zeros)?);
        if value > most {
            return Err(Refusal::ContentRejected);
        }
        Ok(value)
    }

    /// `se(v)` within `-most..=most`.
    pub(crate) fn signed_exp_golomb(&mut self, most: u32) -> Read<i32> {
        let code = self.exp_golomb(u32::MAX)?;
        let magnitude = code.div_ceil(2);
        if magnitude > most {
            return Err(Refusal::ContentRejected);
        }
        let magnitude = i32::try_from(magnitude).map_err(|_| Refusal::ContentRejected)?;
        Ok(if code & 1 == 0 {
            magnitude.saturating_neg()
        } else {
            magnitude
        })
    }

    /// `more_rbsp_data()`: whether anything stands before the last set bit, the stop bit.
    pub(crate) fn more(&self) -> bool {
        let Some(last) = self.bytes.iter().rposition(|&byte| byte != 0) else {
            return false;
        };
        let zeros = self.bytes.get(last).map_or(0, |byte| byte.trailing_zeros());
        let stop = last
            .saturating_mul(8)
            .saturating_add(7)
            .saturating_sub(usize::try_from(zeros).unwrap_or(0));
        self.at < stop
    }
}

#[cfg(test)]
mod tests;
