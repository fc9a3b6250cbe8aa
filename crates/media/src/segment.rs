//! Fragments that are in memory already, as players hold the segments that they fetch.

use crate::boxes::{BoxHeader, BoxSize, LONG_HEADER, SHORT_HEADER};
use crate::cursor::to_u64;
use crate::fragment::Tables;
use crate::layout::FragmentBytes;
use crate::limits::{self, MAX_MOOF_BYTES};
use crate::{FourCc, MediaError, Presentation, Pssh, TrackFragment, Unsupported};

/// The fragments of a media segment, decrypted where they lie: nothing of the media data is copied.
///
/// Everything beside the fragments (`styp`, `sidx`, `emsg`, ...) is left alone. The boxes that say how
/// samples are protected stay as they are too; a player that hands the segment on as a file writes it
/// with [`ClearWriter`](crate::ClearWriter) instead.
///
/// After an error there are no more.
#[derive(Debug)]
pub struct Segment<'p, 'a> {
    presentation: &'p Presentation,
    rest: &'a mut [u8],
    /// Where `rest` starts in the segment.
    offset: u64,
}

/// A fragment in the caller's memory.
#[derive(Debug)]
pub struct FragmentInPlace<'a> {
    tables: Tables,
    media: &'a mut [u8],
}

impl FragmentInPlace<'_> {
    /// The `pssh` boxes in its `moof`.
    #[must_use]
    pub fn pssh(&self) -> &[Pssh] {
        &self.tables.pssh
    }

    /// Its track fragments, in file order. A track may have several.
    #[must_use]
    pub fn tracks(&self) -> &[TrackFragment] {
        &self.tables.tracks
    }

    /// Sample tables and media data side by side; [`Sample::range`](crate::Sample::range) counts in the
    /// latter.
    #[must_use]
    pub fn split(&mut self) -> (&[TrackFragment], &mut [u8]) {
        (&self.tables.tracks, self.media)
    }
}

impl<'p, 'a> Segment<'p, 'a> {
    /// The fragments of a segment of this presentation.
    #[must_use]
    pub fn new(presentation: &'p Presentation, segment: &'a mut [u8]) -> Self {
        Self {
            presentation,
            rest: segment,
            offset: 0,
        }
    }

    /// The header of the box at `at` of the rest, and where that box ends.
    fn header(&self, at: usize) -> Result<Option<(BoxHeader, usize)>, MediaError> {
        let rest = self.rest.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let offset = self.offset.saturating_add(to_u64(at));
        // What there is of a header is read; one that is cut is an error that says so.
        let length = match rest.first_chunk() {
            Some(first) if BoxHeader::is_long(*first) => LONG_HEADER,
            _ => SHORT_HEADER,
        };
        let header = BoxHeader::parse(rest.get(..length).unwrap_or(rest), offset)?;
        let size = match header.size {
            BoxSize::ToEndOfFile => rest.len(),
            BoxSize::Bytes(size) => usize::try_from(size)
                .ok()
                .filter(|size| *size <= rest.len())
                .ok_or(MediaError::Truncated {
                    kind: header.kind,
                    offset,
                    needed: size,
                    available: to_u64(rest.len()),
                })?,
        };
        Ok(Some((header, at.saturating_add(size))))
    }

    /// Takes so many bytes off the rest.
    fn take(&mut self, count: usize) -> &'a mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        // Never beyond the end: `header` has measured it.
        let (taken, rest) = rest.split_at_mut(count.min(rest.len()));
        self.rest = rest;
        self.offset = self.offset.saturating_add(to_u64(count));
        taken
    }

    fn fragment(&mut self, moof: usize) -> Result<FragmentInPlace<'a>, MediaError> {
        let limit = usize::try_from(MAX_MOOF_BYTES).unwrap_or(usize::MAX);
        limits::within(moof, limit, "size", FourCc::MOOF, self.offset)?;
        // As far as `mdat`, as a reader of streams takes it.
        let mut end = moof;
        let mut payload = 0..0;
        while let Some((header, next)) = self.header(end)? {
            match header.kind {
                FourCc::MDAT => {
                    let start = end.saturating_add(header.header);
                    payload = start.saturating_sub(moof)..next.saturating_sub(moof);
                    end = next;
                    break;
                }
                FourCc::MOOF | FourCc::MOOV | FourCc::STYP | FourCc::SIDX | FourCc::MFRA => break,
                _ => end = next,
            }
        }
        let offset = self.offset;
        let (moof, media) = self.take(end).split_at_mut(moof);
        let tables = Tables::read(
            self.presentation,
            FragmentBytes {
                moof,
                media,
                payload,
                offset,
            },
        )?;
        Ok(FragmentInPlace { tables, media })
    }

    fn advance(&mut self) -> Result<Option<FragmentInPlace<'a>>, MediaError> {
        while let Some((header, end)) = self.header(0)? {
            match header.kind {
                FourCc::MOOF => return self.fragment(end).map(Some),
                FourCc::MOOV => {
                    let (what, offset) = (Unsupported::SecondMovie, self.offset);
                    return Err(MediaError::Unsupported { what, offset });
                }
                _ => _ = self.take(end),
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Segment<'_, 'a> {
    type Item = Result<FragmentInPlace<'a>, MediaError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.rest = &mut [];
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests;
