//! Box headers and the boxes of a container, ISO/IEC 14496-12 section 4.2.

use crate::cursor::{Cursor, to_u64};
use crate::{Expected, FourCc, MediaError};

/// Length of a header with a 32-bit size.
pub(crate) const SHORT_HEADER: usize = 8;
/// Length of a header with a 64-bit size.
pub(crate) const LONG_HEADER: usize = 16;

/// How far a box reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoxSize {
    /// This many bytes, header included; at least the header.
    Bytes(u64),
    /// To the end of the file (size field 0), allowed for the last box of a file only.
    ToEndOfFile,
}

/// The first 8 or 16 bytes of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BoxHeader {
    pub(crate) kind: FourCc,
    pub(crate) size: BoxSize,
    pub(crate) header: usize,
}

impl BoxHeader {
    /// Whether a header that starts with these 8 bytes has 8 more, for a 64-bit size.
    pub(crate) fn is_long(first: [u8; SHORT_HEADER]) -> bool {
        first.starts_with(&[0, 0, 0, 1])
    }

    /// Reads a header; `bytes` holds it whole (see [`Self::is_long`]), `offset` is for errors.
    pub(crate) fn parse(bytes: &[u8], offset: u64) -> Result<Self, MediaError> {
        let mut cursor = Cursor::over(bytes, FourCc::FILE, offset);
        let small = cursor.u32()?;
        let kind = cursor.fourcc()?;
        let (size, header) = match small {
            0 => (BoxSize::ToEndOfFile, SHORT_HEADER),
            1 => {
                let mut cursor = Cursor::over(cursor.bytes(cursor.remaining())?, kind, offset);
                (BoxSize::Bytes(cursor.u64()?), LONG_HEADER)
            }
            _ => (BoxSize::Bytes(small.into()), SHORT_HEADER),
        };
        if let BoxSize::Bytes(found) = size
            && found < to_u64(header)
        {
            let expected = Expected::AtLeast(to_u64(header));
            return Err(MediaError::Invalid {
                kind,
                offset,
                field: "size",
                found,
                expected,
            });
        }
        Ok(Self { kind, size, header })
    }
}

/// A box in memory, whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mp4Box<'a> {
    pub(crate) kind: FourCc,
    /// Where it starts in the input, for errors.
    pub(crate) offset: u64,
    /// All of it.
    pub(crate) bytes: &'a [u8],
    /// What follows the header.
    pub(crate) payload: &'a [u8],
}

impl<'a> Mp4Box<'a> {
    /// Takes the top-level box that fills `bytes`.
    pub(crate) fn whole(bytes: &'a [u8], offset: u64) -> Result<Self, MediaError> {
        Boxes::top_level(bytes, offset)
            .next()
            .unwrap_or(Err(MediaError::Truncated {
                kind: FourCc::FILE,
                offset,
                needed: to_u64(SHORT_HEADER),
                available: 0,
            }))
    }

    /// Its header: 8 or 16 bytes.
    pub(crate) fn header(&self) -> &'a [u8] {
        // The payload is the end of the box.
        let length = self.bytes.len().saturating_sub(self.payload.len());
        self.bytes.get(..length).unwrap_or(self.bytes)
    }

    /// The boxes in it, for a container without fields of its own.
    pub(crate) fn children(&self) -> Boxes<'a> {
        Boxes::new(
            self.payload,
            self.offset.saturating_add(to_u64(self.header().len())),
        )
    }

    /// The one box of this type in it, or none.
    pub(crate) fn child(&self, kind: FourCc) -> Result<Option<Mp4Box<'a>>, MediaError> {
        let mut found = None;
        for child in self.children() {
            let child = child?;
            if child.kind == kind {
                once(&mut found, child)?;
            }
        }
        Ok(found)
    }

    /// The one box of this type in it, which must be there.
    pub(crate) fn required(&self, kind: FourCc) -> Result<Mp4Box<'a>, MediaError> {
        self.child(kind)?.ok_or_else(|| self.missing(kind))
    }

    pub(crate) fn missing(&self, kind: FourCc) -> MediaError {
        MediaError::Missing {
            kind,
            parent: self.kind,
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

/// Keeps a box that may come once, refusing the second.
pub(crate) fn once<'a>(
    place: &mut Option<Mp4Box<'a>>,
    found: Mp4Box<'a>,
) -> Result<(), MediaError> {
    if place.is_some() {
        return Err(MediaError::Repeated {
            kind: found.kind,
            offset: found.offset,
        });
    }
    *place = Some(found);
    Ok(())
}

/// Iterates over the boxes that fill a slice. Ends after the first error.
#[derive(Clone)]
pub(crate) struct Boxes<'a> {
    rest: &'a [u8],
    offset: u64,
    padded: bool,
    top_level: bool,
}

impl<'a> Boxes<'a> {
    pub(crate) fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self {
            rest: bytes,
            offset,
            padded: false,
            top_level: false,
        }
    }

    /// For sample entries, behind whose boxes QuickTime writers leave a few zero bytes.
    pub(crate) fn with_padding(bytes: &'a [u8], offset: u64) -> Self {
        Self {
            padded: true,
            ..Self::new(bytes, offset)
        }
    }

    /// For whole files, whose last box may say size 0: to the end.
    pub(crate) fn top_level(bytes: &'a [u8], offset: u64) -> Self {
        Self {
            top_level: true,
            ..Self::new(bytes, offset)
        }
    }

    /// What has not been iterated over; after the last box, the padding.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn advance(&mut self) -> Result<Mp4Box<'a>, MediaError> {
        let offset = self.offset;
        let BoxHeader { kind, size, header } = BoxHeader::parse(self.rest, offset)?;
        let size = match size {
            BoxSize::Bytes(size) => size,
            BoxSize::ToEndOfFile if self.top_level => to_u64(self.rest.len()),
            // In a container the end of the file is not in reach: this can only be a mistake.
            BoxSize::ToEndOfFile => {
                let expected = Expected::AtLeast(to_u64(header));
                return Err(MediaError::Invalid {
                    kind,
                    offset,
                    field: "size",
                    found: 0,
                    expected,
                });
            }
        };
        let truncated = MediaError::Truncated {
            kind,
            offset,
            needed: size,
            available: to_u64(self.rest.len()),
        };
        let Some((bytes, rest)) = usize::try_from(size)
            .ok()
            .and_then(|size| self.rest.split_at_checked(size))
        else {
            return Err(truncated);
        };
        let Some(payload) = bytes.get(header..) else {
            return Err(truncated);
        };
        self.rest = rest;
        self.offset = offset.saturating_add(size);
        Ok(Mp4Box {
            kind,
            offset,
            bytes,
            payload,
        })
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Mp4Box<'a>, MediaError>;

    fn next(&mut self) -> Option<Self::Item> {
        let padding =
            self.padded && self.rest.len() < SHORT_HEADER && self.rest.iter().all(|b| *b == 0);
        if self.rest.is_empty() || padding {
            return None;
        }
        let next = self.advance();
        if next.is_err() {
            self.rest = &[];
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests;
