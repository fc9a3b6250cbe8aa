//! Progressive files: samples listed in `moov`, in chunks anywhere in `mdat` (ISO/IEC 14496-12 section
//! 8.7). They are handed out in the order of the file, in pieces of a few megabytes, as fragments are.

use core::cmp::Reverse;
use core::ops::Range;

use crate::boxes::Mp4Box;
use crate::limits::{self, MAX_FRAGMENT_BYTES, MAX_UNORDERED_CHUNKS, PIECE_BYTES, PIECE_SAMPLES};
use crate::movie::track_id;
use crate::run::{AuxiliaryKind, AuxiliarySource, ReadAt, Run};
use crate::tables::{self, TablePlaces, TablePosition};
use crate::{Expected, FourCc, MediaError, Presentation, Sample, TrackFragment, Unsupported};

/// The samples of a file that are listed in `moov`.
#[derive(Debug)]
pub(crate) struct Progressive {
    tracks: Vec<TrackState>,
    /// Where `moov` is in the file.
    moov_offset: u64,
    /// End of the last sample taken.
    end: u64,
}

#[derive(Debug)]
struct TrackState {
    /// Index in the presentation.
    index: usize,
    places: TablePlaces,
    auxiliary: AuxiliaryKind,
    position: TablePosition,
    /// Where the chunks to come begin, if they do not lie in their own order; the last is the next.
    unordered: Option<Vec<TablePosition>>,
}

/// What a piece is made of, before its bytes are there.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    /// Its bytes in the file.
    pub(crate) range: Range<u64>,
    pub(crate) tracks: Vec<TrackFragment>,
    pub(crate) samples: usize,
    pub(crate) subsamples: usize,
    /// Samples just being taken: kept for its memory.
    pub(crate) taken: Vec<Sample>,
}

impl TrackState {
    fn new(
        index: usize,
        places: TablePlaces,
        moov: &Mp4Box<'_>,
        presentation: &Presentation,
    ) -> Result<Self, MediaError> {
        let tables = places.tables(moov.bytes)?;
        let auxiliary = AuxiliaryKind::of(&tables)?;
        let mut state = Self {
            index,
            places,
            auxiliary,
            position: TablePosition::default(),
            unordered: None,
        };
        let source = AuxiliarySource::new(auxiliary, &tables, moov.bytes, moov.offset)?;
        let mut position = source.start();
        source.enter_chunk(&mut position)?;
        state.position = position;
        if tables.in_order()? {
            return Ok(state);
        }
        let count = usize::try_from(tables.chunk_count()).unwrap_or(usize::MAX);
        let field = "number of chunks that do not lie in order";
        let (kind, offset) = tables.chunk_place();
        limits::within(count, MAX_UNORDERED_CHUNKS, field, kind, offset)?;
        // Once through all samples, to know where in the tables each chunk begins.
        let mut chunks = Vec::new();
        while position.left > 0 {
            chunks.push(position);
            while position.left > 0 {
                let run = Run {
                    index,
                    places: &state.places,
                    source: &source,
                    presentation,
                };
                let mut piece = Piece::default();
                run.samples(&mut position, &mut piece, u64::MAX, PIECE_SAMPLES, None)?;
            }
            source.enter_chunk(&mut position)?;
        }
        chunks.sort_unstable_by_key(|chunk| Reverse(chunk.at));
        state.position = chunks.pop().unwrap_or_default();
        state.unordered = Some(chunks);
        Ok(state)
    }
}

impl Progressive {
    /// Finds the samples in a `moov`, or `None` if it lists none.
    pub(crate) fn find(
        moov: &Mp4Box<'_>,
        presentation: &Presentation,
    ) -> Result<Option<Self>, MediaError> {
        let mut tracks = Vec::new();
        for child in moov.children() {
            let child = child?;
            if child.kind != FourCc::TRAK {
                continue;
            }
            let id = track_id(&child.required(FourCc::TKHD)?)?;
            let mut all = presentation.tracks.iter().enumerate();
            let Some((index, track)) = all.find(|(_, track)| track.id == id) else {
                continue;
            };
            let Some(places) = TablePlaces::find(moov, &child, track)? else {
                continue;
            };
            if tables::is_elsewhere(&child)? {
                if track.protection().is_none() {
                    continue;
                }
                let what = Unsupported::SamplesInOtherFiles;
                return Err(MediaError::Unsupported {
                    what,
                    offset: child.offset,
                });
            }
            tracks.push(TrackState::new(index, places, moov, presentation)?);
        }
        let progressive = Self {
            tracks,
            moov_offset: moov.offset,
            end: 0,
        };
        Ok((!progressive.tracks.is_empty()).then_some(progressive))
    }

    /// Where the next sample is in the file; `None` behind the last.
    pub(crate) fn next_sample(&self) -> Option<u64> {
        self.next_track().map(|(at, _)| at)
    }

    fn next_track(&self) -> Option<(u64, usize)> {
        let open = self.tracks.iter().enumerate();
        let open = open.filter(|(_, state)| state.position.left > 0);
        open.map(|(index, state)| (state.position.at, index)).min()
    }

    /// Refuses the next sample, which is where samples must not be.
    pub(crate) fn refuse_next(&self, moov: &[u8], expected: Expected) -> Result<(), MediaError> {
        let next = self
            .next_track()
            .and_then(|(at, index)| Some((at, self.tracks.get(index)?)));
        let Some((at, state)) = next else {
            return Ok(());
        };
        Err(state.places.tables(moov)?.out_of_place(at, expected))
    }

    /// Takes the next samples. All of them must end before `limit`, where their `mdat` does.
    pub(crate) fn next_piece(
        &mut self,
        moov: &[u8],
        presentation: &Presentation,
        limit: u64,
        read_at: &mut ReadAt<'_>,
    ) -> Result<Piece, MediaError> {
        let mut piece = Piece::default();
        while let Some((at, index)) = self.next_track() {
            let Some(state) = self.tracks.get_mut(index) else {
                break;
            };
            if piece.samples == 0 {
                piece.range = at..at;
            } else if at >= limit {
                break;
            }
            let tables = state.places.tables(moov)?;
            // Two samples must not share bytes: decrypting one would spoil the other.
            if at < self.end {
                return Err(tables.out_of_place(at, Expected::AtLeast(self.end)));
            }
            let source = AuxiliarySource::new(state.auxiliary, &tables, moov, self.moov_offset)?;
            let run = Run {
                index: state.index,
                places: &state.places,
                source: &source,
                presentation,
            };
            let room = PIECE_SAMPLES.saturating_sub(piece.samples);
            let end = piece.range.start.saturating_add(PIECE_BYTES);
            let mut position = state.position;
            let taken = run.samples(&mut position, &mut piece, end, room, Some(read_at))?;
            if taken == 0 {
                break;
            }
            if position.at > limit {
                return Err(tables.out_of_place(at, Expected::Words("inside 'mdat', whole")));
            }
            self.end = self.end.max(position.at);
            piece.range.end = piece.range.end.max(position.at);
            match &mut state.unordered {
                Some(chunks) if position.left == 0 => position = chunks.pop().unwrap_or_default(),
                Some(_) => {}
                None => source.enter_chunk(&mut position)?,
            }
            state.position = position;
        }
        let size = piece.range.end.saturating_sub(piece.range.start);
        if size > MAX_FRAGMENT_BYTES {
            return Err(MediaError::TooLarge {
                kind: FourCc::MDAT,
                offset: piece.range.start,
                field: "size of a sample",
                found: size,
                limit: MAX_FRAGMENT_BYTES,
            });
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests;
