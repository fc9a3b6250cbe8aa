//! NAL units: cutting an access unit into them and removing emulation prevention (ITU-T H.264 clause
//! 7.3.1, ISO/IEC 14496-15 clause 5.3).

use alloc::vec::Vec;

use crate::bits::Read;
use crate::refusal::Refusal;

/// One NAL unit as it stands in the access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nal<'a> {
    /// `nal_ref_idc`: 0 for what nothing refers to.
    pub(crate) ref_idc: u8,
    /// `nal_unit_type`.
    pub(crate) kind: u8,
    /// What follows the header byte, still with emulation prevention bytes.
    escaped: &'a [u8],
}

impl<'a> Nal<'a> {
    /// `nal_unit_type` of slices outside IDR pictures.
    pub(crate) const SLICE: u8 = 1;
    /// Data partition A; B and C are the two after it.
    pub(crate) const PARTITION_A: u8 = 2;
    /// Data partition C.
    pub(crate) const PARTITION_C: u8 = 4;
    /// Slices of IDR pictures.
    pub(crate) const IDR: u8 = 5;
    /// Sequence parameter set.
    pub(crate) const SPS: u8 = 7;
    /// Picture parameter set.
    pub(crate) const PPS: u8 = 8;

    /// Reads the header byte.
    pub(crate) fn new(bytes: &'a [u8]) -> Read<Self> {
        let (&header, escaped) = bytes.split_first().ok_or(Refusal::ContentRejected)?;
        if header & 0x80 != 0 {
            return Err(Refusal::ContentRejected);
        }
        Ok(Self {
            ref_idc: (header >> 5) & 3,
            kind: header & 31,
            escaped,
        })
    }

    /// Bytes of the payload with emulation prevention.
    pub(crate) fn len(&self) -> usize {
        self.escaped.len()
    }

    /// The payload of what stands in the first `most` bytes, without emulation prevention bytes.
    pub(crate) fn head(&self, most: usize) -> Read<Vec<u8>> {
        Self {
            escaped: self.escaped.get(..most).unwrap_or(self.escaped),
            ..*self
        }
        .payload(most)
    }

    /// The payload without emulation prevention bytes, if it has at most `most` bytes.
    pub(crate) fn payload(&self, most: usize) -> Read<Vec<u8>> {
        if self.escaped.len() > most {
            return Err(Refusal::ContentRejected);
        }
        let mut payload = reserved(self.escaped.len())?;
        let mut zeros = 0_u8;
        for &byte in self.escaped {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 {
                zeros.saturating_add(1)
            } else {
                0
            };
            payload.push(byte);
        }
        Ok(payload)
    }

    /// The unit with a start code in front, as the decoder takes it.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] if another start code, or what only looks like emulation
    /// prevention, stands in it: the decoder would see units in it that nobody here has read.
    pub(crate) fn annex_b(&self) -> Read<Vec<u8>> {
        let escaped = self.without_padding();
        let mut zeros = 0_u8;
        let mut prevented = false;
        for &byte in escaped {
            if prevented && byte > 3 || zeros >= 2 && byte < 3 {
                return Err(Refusal::ContentRejected);
            }
            prevented = zeros >= 2 && byte == 3;
            zeros = if byte == 0 {
                zeros.saturating_add(1)
            } else {
                0
            };
        }
        let mut unit = reserved(escaped.len().saturating_add(4))?;
        unit.extend([0, 0, 1, (self.ref_idc << 5) | self.kind]);
        unit.extend_from_slice(escaped);
        Ok(unit)
    }

    /// Without zeros at the end, and without the words of zeros that an encoder may add to a slice
    /// (clause 7.3.2.8): nothing reads them.
    fn without_padding(&self) -> &'a [u8] {
        let mut escaped = self.escaped;
        loop {
            escaped = match escaped {
                [rest @ .., 0] | [rest @ .., 0, 0, 3] => rest,
                _ => return escaped,
            };
        }
    }
}

/// A unit of that payload, with a start code in front and emulation prevention.
pub(crate) fn annex_b(kind: u8, payload: &[u8]) -> Vec<u8> {
    // Its reference count matters to slices only.
    let mut unit = Vec::from([0, 0, 1, 0x60 | kind]);
    let mut zeros = 0_u8;
    for &byte in payload {
        if zeros >= 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 {
            zeros.saturating_add(1)
        } else {
            0
        };
        unit.push(byte);
    }
    unit
}

fn reserved(bytes: usize) -> Read<Vec<u8>> {
    let mut reserved = Vec::new();
    reserved
        .try_reserve_exact(bytes)
        .map_err(|_| Refusal::NoDecoderMemory)?;
    Ok(reserved)
}

/// Cuts `unit` at the length fields of `length_size` bytes in front of each NAL unit. Every byte must
/// belong to one.
pub(crate) fn split(mut unit: &[u8], length_size: usize) -> impl Iterator<Item = Read<Nal<'_>>> {
    core::iter::from_fn(move || {
        if unit.is_empty() {
            return None;
        }
        let next = take(unit, length_size);
        // After an error there is nothing left to cut.
        unit = next.map_or(&[], |(_, rest)| rest);
        Some(next.and_then(|(bytes, _)| Nal::new(bytes)))
    })
}

fn take(unit: &[u8], length_size: usize) -> Read<(&[u8], &[u8])> {
    let (length, rest) = unit
        .split_at_checked(length_size)
        .ok_or(Refusal::ContentRejected)?;
    let length = length.iter().fold(0_usize, |value, &byte| {
        value.wrapping_shl(8) | usize::from(byte)
    });
    rest.split_at_checked(length)
        .ok_or(Refusal::ContentRejected)
}

#[cfg(test)]
mod tests;
