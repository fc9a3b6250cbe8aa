//! Reads big-endian fields of one box, and knows which box it is when they are not there.

use crate::boxes::Mp4Box;
use crate::limits;
use crate::{Expected, FourCc, MediaError, Unsupported};

/// Reads the payload of a box from front to back.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    kind: FourCc,
    offset: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(source: &Mp4Box<'a>) -> Self {
        Self {
            rest: source.payload,
            kind: source.kind,
            offset: source.offset,
        }
    }

    /// Reads bytes that a box describes but that stand elsewhere; errors name that box.
    pub(crate) fn over(bytes: &'a [u8], kind: FourCc, offset: u64) -> Self {
        Self {
            rest: bytes,
            kind,
            offset,
        }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], MediaError> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(MediaError::Truncated {
                kind: self.kind,
                offset: self.offset,
                needed: to_u64(count),
                available: to_u64(self.rest.len()),
            });
        };
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], MediaError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, MediaError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, MediaError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, MediaError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, MediaError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, MediaError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn fourcc(&mut self) -> Result<FourCc, MediaError> {
        Ok(FourCc(self.array()?))
    }

    /// Version and flags of a full box, ISO/IEC 14496-12 section 4.2.
    pub(crate) fn version_and_flags(&mut self) -> Result<(u8, u32), MediaError> {
        let [version, a, b, c] = self.array()?;
        Ok((version, u32::from_be_bytes([0, a, b, c])))
    }

    /// Like [`Self::version_and_flags`], refusing versions this crate does not know: a later version may
    /// have any layout.
    pub(crate) fn known_version(&mut self, newest: u8) -> Result<(u8, u32), MediaError> {
        let (version, flags) = self.version_and_flags()?;
        if version > newest {
            return Err(self.invalid("version", version.into(), Expected::AtMost(newest.into())));
        }
        Ok((version, flags))
    }

    /// A field that is 32 bits wide in version 0 and 64 in version 1.
    pub(crate) fn versioned(&mut self, version: u8) -> Result<u64, MediaError> {
        if version == 0 {
            Ok(self.u32()?.into())
        } else {
            self.u64()
        }
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), MediaError> {
        self.bytes(count).map(drop)
    }

    /// The box must end here: bytes behind its last field mean that its fields were misread.
    pub(crate) fn finish(self) -> Result<(), MediaError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let found = to_u64(self.rest.len());
        Err(self.invalid(
            "number of bytes behind the last field",
            found,
            Expected::Exactly(0),
        ))
    }

    /// Refuses a number above its limit.
    pub(crate) fn within(
        &self,
        found: usize,
        limit: usize,
        field: &'static str,
    ) -> Result<(), MediaError> {
        limits::within(found, limit, field, self.kind, self.offset)
    }

    pub(crate) fn unsupported(&self, what: Unsupported) -> MediaError {
        MediaError::Unsupported {
            what,
            offset: self.offset,
        }
    }

    pub(crate) fn invalid(
        &self,
        field: &'static str,
        found: u64,
        expected: Expected,
    ) -> MediaError {
        MediaError::Invalid {
            kind: self.kind,
            offset: self.offset,
            field,
            found,
            expected,
        }
    }
}

/// A length in memory as a number in the file. Saturates on a machine that has no such lengths.
pub(crate) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
