//! A run of samples of one track of a progressive file: sizes, protection, and the auxiliary information
//! that goes with it.

use crate::auxiliary::{self, Entry, Offsets, Sizes};
use crate::boxes::Mp4Box;
use crate::cursor::{Cursor, to_u64};
use crate::groups::{GroupResolver, KeyGroups};
use crate::limits::MAX_SUBSAMPLES;
use crate::progressive::Piece;
use crate::tables::{TablePlaces, TablePosition, Tables};
use crate::{Expected, FourCc, Iv, IvSource, MediaError, Presentation, Sample, TrackFragment};

/// Reads so many bytes at an offset of the file, for what stands outside `moov`.
pub(crate) type ReadAt<'a> = dyn FnMut(u64, usize) -> Result<Vec<u8>, MediaError> + 'a;

/// How the auxiliary information of a track is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuxiliaryKind {
    /// There is none.
    Absent,
    /// In `senc`.
    Table,
    /// By `saiz` and `saio` alone.
    Pointed,
}

impl AuxiliaryKind {
    pub(crate) fn of(tables: &Tables<'_>) -> Result<Self, MediaError> {
        let boxes = &tables.auxiliary;
        let samples = usize::try_from(tables.samples()).unwrap_or(usize::MAX);
        let sizes = boxes.saiz.as_ref().map(|saiz| Sizes::parse(saiz, samples));
        let any = sizes.transpose()?.is_some_and(|sizes| sizes.any());
        let missing = |kind| MediaError::Missing {
            kind,
            parent: FourCc::STBL,
            offset: tables.chunk_place().1,
        };
        if let Some(senc) = &boxes.senc {
            let (count, _) = auxiliary::senc_sample_count(senc)?;
            if count == 0 {
                return Ok(Self::Absent);
            }
            if count != tables.samples() {
                let expected = Expected::Exactly(tables.samples().into());
                return Err(senc.invalid("sample_count", count.into(), expected));
            }
            return Ok(Self::Table);
        }
        match (&boxes.saiz, &boxes.saio) {
            (Some(_), Some(saio)) if any => {
                let offsets = Offsets::parse(saio)?;
                if offsets.count == 1 || offsets.count == tables.chunk_count() {
                    return Ok(Self::Pointed);
                }
                let expected = Expected::Words("1 or the number of chunks");
                Err(saio.invalid("entry_count", offsets.count.into(), expected))
            }
            (Some(_), None) if any => Err(missing(FourCc::SAIO)),
            (None, Some(_)) => Err(missing(FourCc::SAIZ)),
            _ => Ok(Self::Absent),
        }
    }
}

/// The auxiliary information of a track, beside its tables.
pub(crate) struct AuxiliarySource<'a> {
    tables: &'a Tables<'a>,
    moov: &'a [u8],
    moov_offset: u64,
    sizes: Option<Sizes<'a>>,
    offsets: Option<Offsets<'a>>,
    /// What `senc` holds behind its count, and whether that has subsamples.
    table: Option<(&'a Mp4Box<'a>, &'a [u8], bool)>,
    kind: AuxiliaryKind,
}

impl<'a> AuxiliarySource<'a> {
    pub(crate) fn new(
        kind: AuxiliaryKind,
        tables: &'a Tables<'a>,
        moov: &'a [u8],
        moov_offset: u64,
    ) -> Result<Self, MediaError> {
        let samples = usize::try_from(tables.samples()).unwrap_or(usize::MAX);
        let boxes = &tables.auxiliary;
        let sizes = boxes.saiz.as_ref().map(|saiz| Sizes::parse(saiz, samples));
        let table = match &boxes.senc {
            Some(senc) if kind == AuxiliaryKind::Table => {
                let (_, uses_subsamples) = auxiliary::senc_sample_count(senc)?;
                let mut cursor = Cursor::new(senc);
                cursor.skip(8)?;
                Some((senc, cursor.bytes(cursor.remaining())?, uses_subsamples))
            }
            _ => None,
        };
        Ok(Self {
            tables,
            moov,
            moov_offset,
            sizes: sizes.transpose()?,
            offsets: boxes.saio.as_ref().map(Offsets::parse).transpose()?,
            table,
            kind,
        })
    }

    /// Before the first sample.
    pub(crate) fn start(&self) -> TablePosition {
        let mut position = TablePosition::default();
        if let (Some(offsets), AuxiliaryKind::Pointed) = (&self.offsets, self.kind) {
            position.auxiliary = offsets.get(0).unwrap_or(0);
        }
        position
    }

    /// Goes on to the next chunk, if the current one is used up.
    pub(crate) fn enter_chunk(&self, position: &mut TablePosition) -> Result<(), MediaError> {
        let before = position.chunk;
        self.tables.enter_chunk(position)?;
        let Some(offsets) = self.offsets.as_ref().filter(|_| position.chunk != before) else {
            return Ok(());
        };
        let index = match offsets.count {
            // One for all: it leads to the first sample.
            1 if position.sample == 0 => 0,
            0 | 1 => return Ok(()),
            _ => position.chunk.saturating_sub(1),
        };
        let Some(offset) = offsets.get(index) else {
            let expected = Expected::Words("1 or the number of chunks");
            let count = offsets.count.into();
            return Err(offsets.source.invalid("entry_count", count, expected));
        };
        match &self.table {
            None => position.auxiliary = offset,
            // `senc` says it, so `saio` can only lead there.
            Some((senc, table, _)) => {
                let before = to_u64(senc.bytes.len().saturating_sub(table.len()));
                let place = senc
                    .offset
                    .saturating_add(before)
                    .saturating_add(position.auxiliary);
                if offset != place && position.left > 0 {
                    let expected = Expected::Exactly(place);
                    return Err(offsets.source.invalid(
                        "offset, against 'senc',",
                        offset,
                        expected,
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Takes samples of one track.
pub(crate) struct Run<'a> {
    /// Of the track, in the presentation.
    pub(crate) index: usize,
    pub(crate) places: &'a TablePlaces,
    pub(crate) source: &'a AuxiliarySource<'a>,
    pub(crate) presentation: &'a Presentation,
}

impl<'a> Run<'a> {
    /// Adds samples of the current chunk to a piece: at most `room`, and none that ends behind `end`
    /// unless it is the piece's first. Gives how many. Without `read_at`, auxiliary information
    /// elsewhere is passed over.
    pub(crate) fn samples(
        &self,
        position: &mut TablePosition,
        piece: &mut Piece,
        end: u64,
        room: usize,
        read_at: Option<&mut ReadAt<'_>>,
    ) -> Result<usize, MediaError> {
        let Some(track) = self.presentation.tracks.get(self.index) else {
            return Ok(0);
        };
        let (start, entry) = (*position, position.entry);
        let mut samples = Vec::new();
        std::mem::swap(&mut samples, &mut piece.taken);
        samples.clear();
        while position.left > 0 && samples.len() < room {
            let timed = self.source.tables.sample(position)?;
            let sample_end = position.at.saturating_add(timed.size.into());
            let first = piece.samples == 0 && samples.is_empty();
            if sample_end > end && !first {
                break;
            }
            samples.push(Sample {
                // Pieces are far below 4 GiB; a larger first sample begins at 0.
                start: u32::try_from(position.at.saturating_sub(piece.range.start))
                    .unwrap_or(u32::MAX),
                size: timed.size,
                duration: timed.duration,
                iv: Iv::NONE,
                first_subsample: 0,
                subsamples: 0,
            });
            self.source.tables.advance(position, timed)?;
        }
        let taken = samples.len();
        if taken > 0 {
            let mut all = piece.tracks.iter();
            let place = all.position(|found| found.track == self.index && found.entry == entry);
            let place = place.unwrap_or(piece.tracks.len());
            if place == piece.tracks.len() {
                piece.tracks.push(TrackFragment {
                    track: self.index,
                    track_id: track.id,
                    entry,
                    timescale: track.timescale,
                    decode_time: Some(start.time),
                    protections: Default::default(),
                    samples: Vec::new(),
                    subsamples: Vec::new(),
                });
            }
            if let Some(fragment) = piece.tracks.get_mut(place) {
                let others = piece.subsamples.saturating_sub(fragment.subsamples.len());
                self.protect(fragment, start.sample, taken)?;
                let limit = MAX_SUBSAMPLES.saturating_sub(others);
                self.describe(
                    fragment,
                    &mut samples,
                    start.sample,
                    position,
                    limit,
                    read_at,
                )?;
                fragment.samples.append(&mut samples);
                piece.subsamples = others.saturating_add(fragment.subsamples.len());
            }
            piece.samples = piece.samples.saturating_add(taken);
        }
        piece.taken = samples;
        Ok(taken)
    }

    /// Adds the protection of samples from `first` on.
    fn protect(
        &self,
        fragment: &mut TrackFragment,
        first: u32,
        count: usize,
    ) -> Result<(), MediaError> {
        let Some(track) = self.presentation.tracks.get(self.index) else {
            return Ok(());
        };
        let entry = track
            .entries
            .get(fragment.entry)
            .and_then(|entry| entry.protection);
        let mut groups = GroupResolver::new(entry, &track.groups, KeyGroups::default());
        let end = first.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        let runs = &self.places.groups;
        let from = runs.partition_point(|(end, _)| *end <= first);
        let mut at = first;
        for (run_end, number) in runs.get(from..).unwrap_or_default() {
            if at >= end {
                break;
            }
            let until = end.min(*run_end);
            let samples = until.saturating_sub(at);
            let place = self.places.group_place;
            groups.assign(&mut fragment.protections, samples, *number, place)?;
            at = until;
        }
        groups.assign_default(&mut fragment.protections, end.saturating_sub(at))
    }

    /// Gives samples from `first` on their IVs and subsamples.
    fn describe(
        &self,
        fragment: &mut TrackFragment,
        samples: &mut [Sample],
        first: u32,
        position: &mut TablePosition,
        limit: usize,
        read_at: Option<&mut ReadAt<'_>>,
    ) -> Result<(), MediaError> {
        let source = self.source;
        let before = fragment.samples.len();
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let (bytes, kind, offset, is_table) = match (source.kind, &source.table, &source.sizes) {
            (AuxiliaryKind::Table, Some((senc, table, _)), _) => {
                let at = usize::try_from(position.auxiliary).unwrap_or(usize::MAX);
                let bytes = table.get(at..).unwrap_or_default();
                (Found::Here(bytes), senc.kind, senc.offset, true)
            }
            (AuxiliaryKind::Pointed, _, Some(sizes)) => {
                let size = (first..first.saturating_add(samples.len()))
                    .map(|sample| usize::from(sizes.get(sample)))
                    .sum();
                let offset = source
                    .offsets
                    .as_ref()
                    .map_or(0, |found| found.source.offset);
                let Some(bytes) = self.pointed(position.auxiliary, size, read_at)? else {
                    position.auxiliary = position.auxiliary.saturating_add(to_u64(size));
                    return Ok(());
                };
                (bytes, FourCc::SAIO, offset, false)
            }
            _ => (
                Found::Here(&[]),
                FourCc::STBL,
                source.tables.chunk_place().1,
                false,
            ),
        };
        let bytes = match &bytes {
            Found::Here(bytes) => bytes,
            Found::Elsewhere(bytes) => &bytes[..],
        };
        let mut cursor = Cursor::over(bytes, kind, offset);
        let uses_subsamples = source.table.is_some_and(|(_, _, uses)| uses);
        for (at, sample) in samples.iter_mut().enumerate() {
            let (protection, _) = fragment.protections.of(before.saturating_add(at));
            let index = first.saturating_add(at);
            let size = source
                .sizes
                .as_ref()
                .map(|sizes| usize::from(sizes.get(index)));
            let has_subsamples = if is_table {
                uses_subsamples && (protection.is_some() || size != Some(0))
            } else {
                source.kind == AuxiliaryKind::Pointed
                    && size > Some(auxiliary::iv_bytes(protection))
            };
            if source.kind == AuxiliaryKind::Absent
                && matches!(
                    protection.map(|found| found.iv),
                    Some(IvSource::PerSample { .. })
                )
            {
                return Err(MediaError::Missing {
                    kind: FourCc::SENC,
                    parent: kind,
                    offset,
                });
            }
            let entry = Entry {
                protection,
                has_subsamples,
            };
            let left = cursor.remaining();
            entry.read(&mut cursor, limit, sample, &mut fragment.subsamples)?;
            let read = left.saturating_sub(cursor.remaining());
            match (&source.sizes, is_table) {
                (Some(sizes), true) => sizes.compare(index, read)?,
                (Some(_), false) if source.kind == AuxiliaryKind::Pointed && size != Some(read) => {
                    let expected = Expected::Exactly(to_u64(read));
                    let found = to_u64(size.unwrap_or(0));
                    return Err(cursor.invalid("size of a sample's information", found, expected));
                }
                _ => {}
            }
        }
        let read = bytes.len().saturating_sub(cursor.remaining());
        position.auxiliary = position.auxiliary.saturating_add(to_u64(read));
        // Behind the last sample the table ends as well.
        if is_table && position.sample == source.tables.samples() {
            cursor.finish()?;
        }
        Ok(())
    }

    /// Bytes at a place of the file; `None` if they are elsewhere and not wanted.
    fn pointed(
        &self,
        offset: u64,
        size: usize,
        read_at: Option<&mut ReadAt<'_>>,
    ) -> Result<Option<Found<'a>>, MediaError> {
        let start = offset.checked_sub(self.source.moov_offset);
        let start = start.and_then(|start| usize::try_from(start).ok());
        let end = start.and_then(|start| start.checked_add(size));
        let here = start
            .zip(end)
            .and_then(|(start, end)| self.source.moov.get(start..end));
        match (here, read_at) {
            (Some(here), _) => Ok(Some(Found::Here(here))),
            (None, Some(read_at)) => read_at(offset, size).map(Found::Elsewhere).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// Auxiliary information, where it is or read from there.
enum Found<'a> {
    Here(&'a [u8]),
    Elsewhere(Vec<u8>),
}
