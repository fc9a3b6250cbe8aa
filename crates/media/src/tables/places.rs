//! Where the tables of a track are, found and checked once.

use core::ops::Range;

use super::{Rows, SampleSizes, Tables};
use crate::auxiliary::AuxiliaryBoxes;
use crate::boxes::{Mp4Box, once};
use crate::cursor::Cursor;
use crate::groups::{self, GroupBoxes};
use crate::limits::{self, MAX_GROUP_RUNS};
use crate::movie::description_boxes;
use crate::{FourCc, MediaError, Track};

/// A box that was read before, by its place.
#[derive(Clone, Debug)]
struct Place {
    /// In the bytes of `moov`.
    range: Range<usize>,
    header: usize,
    kind: FourCc,
    /// In the file.
    offset: u64,
}

impl Place {
    fn of(found: &Mp4Box<'_>, moov: &Mp4Box<'_>) -> Self {
        let start = usize::try_from(found.offset.saturating_sub(moov.offset)).unwrap_or(usize::MAX);
        Self {
            range: start..start.saturating_add(found.bytes.len()),
            header: found.header().len(),
            kind: found.kind,
            offset: found.offset,
        }
    }

    /// The box again. The bytes are those of the same `moov`.
    fn view<'a>(&self, moov: &'a [u8]) -> Mp4Box<'a> {
        let bytes = moov.get(self.range.clone()).unwrap_or_default();
        Mp4Box {
            kind: self.kind,
            offset: self.offset,
            bytes,
            payload: bytes.get(self.header..).unwrap_or_default(),
        }
    }
}

/// Where the tables of a track are.
#[derive(Clone, Debug)]
pub(crate) struct TablePlaces {
    durations: Place,
    chunk_runs: Place,
    sizes: Place,
    chunks: Place,
    senc: Option<Place>,
    saiz: Option<Place>,
    saio: Option<Place>,
    /// Runs of samples by their key group: index of the first sample behind it, and the number.
    pub(crate) groups: Vec<(u32, u32)>,
    /// The box that says so.
    pub(crate) group_place: (FourCc, u64),
}

impl TablePlaces {
    /// Finds and checks the tables of a track, or `None` if it has no samples in this file.
    pub(crate) fn find(
        moov: &Mp4Box<'_>,
        trak: &Mp4Box<'_>,
        track: &Track,
    ) -> Result<Option<Self>, MediaError> {
        let minf = trak.required(FourCc::MDIA)?.required(FourCc::MINF)?;
        let stbl = minf.required(FourCc::STBL)?;
        let mut found = [None; 4];
        let mut auxiliary = AuxiliaryBoxes::default();
        let mut group_boxes = GroupBoxes::default();
        let protected = track.protection().is_some();
        for child in stbl.children() {
            let child = child?;
            let index = match child.kind {
                FourCc::STTS => 0,
                FourCc::STSC => 1,
                FourCc::STSZ | FourCc::STZ2 => 2,
                FourCc::STCO | FourCc::CO64 => 3,
                _ => {
                    if protected && !auxiliary.take(child)? {
                        group_boxes.take(child)?;
                    }
                    continue;
                }
            };
            if let Some(place) = found.get_mut(index) {
                once(place, child)?;
            }
        }
        // `senc` stands in `trak` by its own standard, and in `stbl` where FFmpeg writes it.
        for child in trak.children() {
            let child = child?;
            if protected && child.kind == FourCc::SENC {
                auxiliary.take(child)?;
            }
        }
        let [_, _, sizes, _] = &found;
        match sizes {
            // A fragmented file may do without.
            None => return Ok(None),
            Some(sizes) if SampleSizes::parse(sizes)?.count == 0 => return Ok(None),
            Some(_) => {}
        }
        let kinds = [FourCc::STTS, FourCc::STSC, FourCc::STSZ, FourCc::STCO];
        let [Some(durations), Some(chunk_runs), Some(sizes), Some(chunks)] = found else {
            let missing = found.iter().zip(kinds).find(|(found, _)| found.is_none());
            return Err(stbl.missing(missing.map_or(FourCc::STSZ, |(_, kind)| kind)));
        };
        let place = |found: &Mp4Box<'_>| Place::of(found, moov);
        let mut places = Self {
            durations: place(&durations),
            chunk_runs: place(&chunk_runs),
            sizes: place(&sizes),
            chunks: place(&chunks),
            senc: auxiliary.senc.as_ref().map(place),
            saiz: auxiliary.saiz.as_ref().map(place),
            saio: auxiliary.saio.as_ref().map(place),
            groups: Vec::new(),
            group_place: (FourCc::SBGP, stbl.offset),
        };
        let tables = places.tables(moov.bytes)?;
        tables.check(track)?;
        if let Some(assignment) = group_boxes.assignment() {
            places.group_place = (assignment.kind, assignment.offset);
            let groups = &mut places.groups;
            let mut end = 0_u32;
            groups::assignments(assignment, tables.sizes.count, |samples, number| {
                end = end.saturating_add(samples);
                match groups.last_mut() {
                    Some(last) if last.1 == number => last.0 = end,
                    _ => groups.push((end, number)),
                }
                let field = "number of runs of samples";
                let (kind, offset) = (assignment.kind, assignment.offset);
                limits::within(groups.len(), MAX_GROUP_RUNS, field, kind, offset)
            })?;
        }
        Ok(Some(places))
    }

    /// The tables themselves.
    pub(crate) fn tables<'a>(&self, moov: &'a [u8]) -> Result<Tables<'a>, MediaError> {
        let view = |place: &Option<Place>| place.as_ref().map(|place| place.view(moov));
        let chunks = self.chunks.view(moov);
        let wide = chunks.kind == FourCc::CO64;
        Ok(Tables {
            durations: Rows::parse(self.durations.view(moov), 8)?,
            chunk_runs: Rows::parse(self.chunk_runs.view(moov), 12)?,
            sizes: SampleSizes::parse(&self.sizes.view(moov))?,
            chunks: Rows::parse(chunks, if wide { 8 } else { 4 })?,
            auxiliary: AuxiliaryBoxes {
                senc: view(&self.senc),
                saiz: view(&self.saiz),
                saio: view(&self.saio),
            },
        })
    }
}

/// Whether all samples of a track are in another file: no entry of `dref` says that they are in this one
/// (ISO/IEC 14496-12 section 8.7.2).
pub(crate) fn is_elsewhere(trak: &Mp4Box<'_>) -> Result<bool, MediaError> {
    let minf = trak.required(FourCc::MDIA)?.required(FourCc::MINF)?;
    let Some(dinf) = minf.child(FourCc::DINF)? else {
        return Ok(false);
    };
    let Some(dref) = dinf.child(FourCc::DREF)? else {
        return Ok(false);
    };
    let (count, entries) = description_boxes(&dref)?;
    let mut here = count == 0;
    for entry in entries {
        let (_, flags) = Cursor::new(&entry?).version_and_flags()?;
        here |= flags & 1 != 0;
    }
    Ok(!here)
}
