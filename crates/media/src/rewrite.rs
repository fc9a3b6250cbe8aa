//! A box written anew: which of its bytes stay, and what stands in place of the others. Nothing is copied
//! before it is written.

use core::ops::Range;
use std::io::{self, Write};

use crate::boxes::{LONG_HEADER, Mp4Box, SHORT_HEADER};
use crate::cursor::to_u64;
use crate::{FourCc, MediaError};

/// Zeros to write at once.
const ZEROS: [u8; 4096] = [0; 4096];

#[derive(Clone, Debug)]
enum Part {
    /// Bytes of the source.
    Kept(Range<usize>),
    /// A header; a short one leaves the second half out.
    Header([u8; LONG_HEADER], usize),
    Zeros(usize),
}

/// The new form of a box.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    /// Offset of the source's first byte.
    base: u64,
    parts: Vec<Part>,
    len: usize,
}

impl Rewrite {
    /// Starts with nothing; boxes will be those of a source that begins at this offset.
    pub(crate) fn new(base: u64) -> Self {
        Self {
            base,
            parts: Vec::new(),
            len: 0,
        }
    }

    /// Keeps bytes at the end of a box: `bytes` is a slice of it, and `after` follows it there.
    pub(crate) fn keep_part(&mut self, of: &Mp4Box<'_>, bytes: &[u8], after: usize) {
        let end = self.end_of(of).saturating_sub(after);
        self.keep_range(end.saturating_sub(bytes.len())..end);
    }

    /// Keeps a whole box.
    pub(crate) fn keep(&mut self, found: &Mp4Box<'_>) {
        self.keep_part(found, found.bytes, 0);
    }

    fn end_of(&self, found: &Mp4Box<'_>) -> usize {
        let start = usize::try_from(found.offset.saturating_sub(self.base)).unwrap_or(usize::MAX);
        start.saturating_add(found.bytes.len())
    }

    fn keep_range(&mut self, range: Range<usize>) {
        self.len = self.len.saturating_add(range.len());
        match self.parts.last_mut() {
            Some(Part::Kept(last)) if last.end == range.start => last.end = range.end,
            _ => self.parts.push(Part::Kept(range)),
        }
    }

    /// A box with the header form of `source`, under a name of its own where one is given, and the size
    /// that `payload` comes to.
    pub(crate) fn resized(
        &mut self,
        source: &Mp4Box<'_>,
        payload: impl FnOnce(&mut Self) -> Result<Option<FourCc>, MediaError>,
    ) -> Result<(), MediaError> {
        let (start, index) = (self.len, self.parts.len());
        let length = source.header().len();
        self.parts.push(Part::Header([0; LONG_HEADER], length));
        self.len = self.len.saturating_add(length);
        let kind = payload(self)?.unwrap_or(source.kind);
        let size = self.len.saturating_sub(start);
        let header = header(length, size, kind);
        if let Some(part) = self.parts.get_mut(index) {
            *part = Part::Header(header, length);
        }
        Ok(())
    }

    /// Copies a container, `child` keeping (or leaving out) each box in it.
    pub(crate) fn container(
        &mut self,
        source: &Mp4Box<'_>,
        mut child: impl FnMut(&mut Self, &Mp4Box<'_>) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        self.resized(source, |out| {
            for found in source.children() {
                child(out, &found?)?;
            }
            Ok(None)
        })
    }

    /// Like [`Self::container`], with what was left out made up for by a `free` box of zeros at the end.
    pub(crate) fn same_size(
        &mut self,
        source: &Mp4Box<'_>,
        mut child: impl FnMut(&mut Self, &Mp4Box<'_>) -> Result<(), MediaError>,
    ) -> Result<(), MediaError> {
        let start = self.len;
        self.resized(source, |out| {
            for found in source.children() {
                child(out, &found?)?;
            }
            // Whole boxes are left out, so this is nothing or at least a header.
            let written = out.len.saturating_sub(start);
            let removed = source.bytes.len().saturating_sub(written);
            if let Some(zeros) = removed.checked_sub(SHORT_HEADER) {
                let free = header(SHORT_HEADER, removed, FourCc::FREE);
                out.parts.push(Part::Header(free, SHORT_HEADER));
                out.parts.push(Part::Zeros(zeros));
                out.len = out.len.saturating_add(removed);
            }
            Ok(None)
        })
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Writes it; `source` holds the bytes that are kept.
    pub(crate) fn write(&self, source: &[u8], output: &mut impl Write) -> io::Result<()> {
        for part in &self.parts {
            let mut from = 0;
            while from < part.len() {
                let bytes = part.bytes(source, from);
                output.write_all(bytes)?;
                from = from.saturating_add(bytes.len().max(1));
            }
        }
        Ok(())
    }

    /// Appends the bytes from a position on, `limit` of them at most.
    pub(crate) fn copy(&self, source: &[u8], position: usize, limit: usize, out: &mut Vec<u8>) {
        let (mut skip, mut left) = (position, limit);
        for part in &self.parts {
            let mut from = skip.min(part.len());
            skip = skip.saturating_sub(from);
            while from < part.len() && left > 0 {
                let bytes = part.bytes(source, from);
                let bytes = bytes.get(..left).unwrap_or(bytes);
                out.extend(bytes);
                left = left.saturating_sub(bytes.len());
                from = from.saturating_add(bytes.len().max(1));
            }
        }
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Kept(range) => range.len(),
            Self::Header(_, length) => *length,
            Self::Zeros(count) => *count,
        }
    }

    /// Some of its bytes, from a place inside it on.
    fn bytes<'a>(&'a self, source: &'a [u8], from: usize) -> &'a [u8] {
        let found = match self {
            Self::Kept(range) => source.get(range.start.saturating_add(from)..range.end),
            Self::Header(bytes, length) => bytes.get(from..*length),
            Self::Zeros(count) => ZEROS.get(..count.saturating_sub(from).min(ZEROS.len())),
        };
        found.unwrap_or_default()
    }
}

/// A box header of 8 or 16 bytes.
fn header(length: usize, size: usize, kind: FourCc) -> [u8; LONG_HEADER] {
    let [a, b, c, d] = kind.0;
    let mut bytes = [0, 0, 0, 1, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0];
    if length == SHORT_HEADER {
        // Not larger than the box that is rewritten, whose size is in 32 bits, or than `moov` or `moof`,
        // which have limits far below.
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        if let Some(field) = bytes.first_chunk_mut() {
            *field = size.to_be_bytes();
        }
    } else if let Some(field) = bytes.last_chunk_mut() {
        *field = to_u64(size).to_be_bytes();
    }
    bytes
}
