//! Movie fragments (ISO/IEC 14496-12 section 8.8): `moof` with its `mdat`, and the samples in it.

use core::ops::Range;

use crate::boxes::{Mp4Box, once};
use crate::cursor::Cursor;
use crate::layout::{FragmentBytes, Layout};
use crate::limits::{self, MAX_TRACK_FRAGMENTS};
use crate::memory::MediaData;
use crate::{FourCc, MediaError, Presentation, Pssh, TrackFragment};

/// One fragment: `moof`, `mdat` and what lies between them, with its sample tables. Or a piece of a
/// progressive file or of a large fragment, which is some bytes of its `mdat` with the tables of the
/// samples in them.
#[derive(Debug, Default)]
pub struct Fragment {
    pub(crate) moof: Vec<u8>,
    /// What follows `moof`, to the end of `mdat`.
    pub(crate) media: MediaData,
    /// Length of `media`, also while they are not there.
    pub(crate) media_size: usize,
    /// Payload of `mdat` in `media`.
    pub(crate) payload: Range<usize>,
    pub(crate) offset: u64,
    pub(crate) tables: Tables,
    continued: bool,
}

/// What a `moof` says.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    sequence: u32,
    pub(crate) tracks: Vec<TrackFragment>,
    pub(crate) pssh: Vec<Pssh>,
}

impl Fragment {
    /// Where the fragment starts in the input.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Its bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.moof.len().saturating_add(self.media_size)
    }

    /// Whether this is a piece of a fragment of which others came before (see
    /// [`MediaReader::in_pieces`](crate::MediaReader::in_pieces)).
    #[must_use]
    pub fn is_continued(&self) -> bool {
        self.continued
    }

    /// `sequence_number`; 0 for a piece of a progressive file.
    #[must_use]
    pub fn sequence_number(&self) -> u32 {
        self.tables.sequence
    }

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

    /// The media data, in which [`Sample::range`](crate::Sample::range) counts.
    #[must_use]
    pub fn media(&self) -> &[u8] {
        self.media.bytes()
    }

    /// Sample tables and media data side by side, so that samples can be decrypted in place.
    #[must_use]
    pub fn split(&mut self) -> (&[TrackFragment], &mut [u8]) {
        (&self.tables.tracks, self.media.bytes_mut())
    }

    /// Becomes a fragment of which nothing is there yet.
    pub(crate) fn start(&mut self, offset: u64) {
        self.set_piece(offset, Vec::new());
    }

    /// Becomes a piece of a progressive file, whose bytes are still to come.
    pub(crate) fn set_piece(&mut self, offset: u64, tracks: Vec<TrackFragment>) {
        self.moof.clear();
        self.media.clear();
        self.payload = 0..0;
        self.offset = offset;
        self.tables = Tables {
            tracks,
            ..Tables::default()
        };
        self.continued = false;
    }

    /// Becomes the next piece of the fragment it is one of, whose bytes are still to come.
    pub(crate) fn set_next(&mut self, offset: u64, tracks: Vec<TrackFragment>) {
        let sequence = self.tables.sequence;
        self.set_piece(offset, tracks);
        self.tables.sequence = sequence;
        self.continued = true;
    }

    /// Reads the tables, once moof, media, payload and offset are set.
    pub(crate) fn index(&mut self, presentation: &Presentation) -> Result<(), MediaError> {
        self.tables = Tables::default();
        let place = FragmentBytes {
            moof: &self.moof,
            media: self.media.bytes(),
            payload: self.payload.clone(),
            offset: self.offset,
        };
        self.tables = Tables::read(presentation, place)?;
        Ok(())
    }
}

impl Tables {
    pub(crate) fn read(
        presentation: &Presentation,
        place: FragmentBytes<'_>,
    ) -> Result<Self, MediaError> {
        let mut tables = Self::default();
        let moof = Mp4Box::whole(place.moof, place.offset)?;
        let mut layout = Layout::new(presentation, place);
        let mut sequence = None;
        for child in moof.children() {
            let child = child?;
            match child.kind {
                FourCc::MFHD => once(&mut sequence, child)?,
                FourCc::TRAF => {
                    tables.tracks.push(layout.track_fragment(&child)?);
                    let (found, limit) = (tables.tracks.len(), MAX_TRACK_FRAGMENTS);
                    limits::within(found, limit, "number in one box", child.kind, child.offset)?;
                }
                FourCc::PSSH => Pssh::parse_into(&mut tables.pssh, &child)?,
                _ => {}
            }
        }
        tables.sequence = sequence_number(&sequence.ok_or_else(|| moof.missing(FourCc::MFHD))?)?;
        layout.refuse_overlap()?;
        Ok(tables)
    }
}

/// `mfhd`, ISO/IEC 14496-12 section 8.8.5.
pub(crate) fn sequence_number(mfhd: &Mp4Box<'_>) -> Result<u32, MediaError> {
    let mut cursor = Cursor::new(mfhd);
    cursor.known_version(0)?;
    cursor.u32()
}
