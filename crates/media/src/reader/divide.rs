//! Hands large fragments out in pieces.

use std::io::Read;

use super::{MediaReader, Next};
use crate::boxes::BoxSize;
use crate::cursor::to_u64;
use crate::division::Division;
use crate::fragment::Tables;
use crate::input::{RawHeader, append_header};
use crate::layout::FragmentBytes;
use crate::limits::{MAX_FRAGMENT_BYTES, PIECE_BYTES};
use crate::{FourCc, MediaError};

impl<R: Read> MediaReader<R> {
    /// Hands large fragments out in pieces of about a megabyte, one [`Part::Fragment`](super::Part)
    /// each, where their samples can be told apart before their media data are read. The first has the
    /// `moof`, the others are [continued](crate::Fragment::is_continued). A fragment that is cut off is
    /// noticed only when its end is reached.
    #[must_use]
    pub fn in_pieces(self) -> Self {
        Self {
            divide_from: usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX),
            ..self
        }
    }

    /// Divides the fragment that was read as far as this header, if it is a large one.
    pub(super) fn divide(&mut self, mdat: &RawHeader) -> Result<(), MediaError> {
        let fragment = &mut self.fragment;
        let BoxSize::Bytes(size) = mdat.header.size else {
            return Ok(());
        };
        let whole = size.saturating_add(to_u64(fragment.moof.len()));
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if mdat.header.kind != FourCc::MDAT
            || size <= self.divide_from
            || whole > MAX_FRAGMENT_BYTES
            || fragment.media.len() > 0
        {
            return Ok(());
        }
        let place = FragmentBytes {
            moof: &fragment.moof,
            media: &[],
            payload: mdat.header.header..size,
            offset: fragment.offset,
        };
        // Tables that need more than `moof`, and wrong ones, are read once more with the whole fragment.
        let Ok(mut tables) = Tables::read(&self.presentation, place) else {
            return Ok(());
        };
        let tracks = core::mem::take(&mut tables.tracks);
        self.division = Division::new(tracks, size);
        if self.division.is_some() {
            append_header(&mut fragment.media, mdat)?;
            fragment.tables = tables;
            self.begin_part(*mdat);
        }
        Ok(())
    }

    /// Finds the samples of the next piece.
    pub(super) fn begin_part(&mut self, mdat: RawHeader) {
        let Some(division) = &mut self.division else {
            return;
        };
        let (range, tracks) = division.next_piece(self.divide_from);
        let fragment = &mut self.fragment;
        if range.start == 0 {
            fragment.tables.tracks = tracks;
        } else {
            fragment.set_next(mdat.offset.saturating_add(to_u64(range.start)), tracks);
        }
        fragment.media_size = range.len();
        self.next = Next::Part(mdat);
    }

    /// Reads the bytes of a piece.
    pub(super) fn end_part(&mut self, mdat: RawHeader) -> Result<(), MediaError> {
        let fragment = &mut self.fragment;
        let left = fragment.media_size.saturating_sub(fragment.media.len());
        let filled = self
            .input
            .fill(&mut fragment.media, to_u64(left), FourCc::MDAT, mdat.offset);
        filled.map_err(|error| match (error, mdat.header.size) {
            // It is the box that is too short, not the piece.
            (
                MediaError::Truncated {
                    kind,
                    offset,
                    available,
                    ..
                },
                BoxSize::Bytes(needed),
            ) => MediaError::Truncated {
                kind,
                offset,
                needed,
                available,
            },
            (error, _) => error,
        })?;
        self.next = match &self.division {
            Some(division) if !division.is_over() => Next::Divided(mdat),
            _ => Next::Box,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
