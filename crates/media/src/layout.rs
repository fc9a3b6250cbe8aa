//! Where the samples of a fragment are: `tfhd`, `trun` and what they inherit
//! (ISO/IEC 14496-12 sections 8.8.7 and 8.8.8).

use core::ops::Range;

use crate::auxiliary::{AuxiliaryBoxes, AuxiliaryContext};
use crate::boxes::{Mp4Box, once};
use crate::cursor::Cursor;
use crate::groups::{self, GroupBoxes, GroupResolver};
use crate::limits::{self, MAX_RUNS, MAX_SAMPLES, MAX_SUBSAMPLES};
use crate::sample::SampleProtections;
use crate::{Expected, FourCc, Iv, MediaError, Presentation, Sample, Track, TrackFragment};

// tfhd flags.
const BASE_DATA_OFFSET: u32 = 0x1;
const DESCRIPTION_INDEX: u32 = 0x2;
const DEFAULT_DURATION: u32 = 0x8;
const DEFAULT_SIZE: u32 = 0x10;
const DEFAULT_FLAGS: u32 = 0x20;
const DEFAULT_BASE_IS_MOOF: u32 = 0x2_0000;

// trun flags.
const DATA_OFFSET: u32 = 0x1;
const FIRST_SAMPLE_FLAGS: u32 = 0x4;
const SAMPLE_DURATION: u32 = 0x100;
const SAMPLE_SIZE: u32 = 0x200;
const SAMPLE_FLAGS: u32 = 0x400;
const SAMPLE_COMPOSITION: u32 = 0x800;
/// Bytes of each field of a row.
const FIELD: usize = 4;

/// `tfhd`, ISO/IEC 14496-12 section 8.8.7.
pub(crate) struct TrackFragmentHeader {
    pub(crate) track_id: u32,
    base_data_offset: Option<u64>,
    pub(crate) description: Option<u32>,
    duration: Option<u32>,
    size: Option<u32>,
    base_is_moof: bool,
}

impl TrackFragmentHeader {
    pub(crate) fn parse(tfhd: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let mut cursor = Cursor::new(tfhd);
        let (_, flags) = cursor.known_version(0)?;
        let track_id = cursor.u32()?;
        let has = |flag| flags & flag != 0;
        let base_data_offset = has(BASE_DATA_OFFSET).then(|| cursor.u64()).transpose()?;
        let description = has(DESCRIPTION_INDEX).then(|| cursor.u32()).transpose()?;
        let duration = has(DEFAULT_DURATION).then(|| cursor.u32()).transpose()?;
        let size = has(DEFAULT_SIZE).then(|| cursor.u32()).transpose()?;
        has(DEFAULT_FLAGS).then(|| cursor.u32()).transpose()?;
        cursor.finish()?;
        let base_is_moof = has(DEFAULT_BASE_IS_MOOF);
        Ok(Self {
            track_id,
            base_data_offset,
            description,
            duration,
            size,
            base_is_moof,
        })
    }
}

/// The fixed part of a `trun`, ISO/IEC 14496-12 section 8.8.8.
pub(crate) struct RunHeader<'a> {
    flags: u32,
    pub(crate) count: u32,
    pub(crate) data_offset: Option<i32>,
    table: Cursor<'a>,
}

impl<'a> RunHeader<'a> {
    pub(crate) fn parse(trun: &Mp4Box<'a>) -> Result<Self, MediaError> {
        let mut table = Cursor::new(trun);
        let (_, flags) = table.known_version(1)?;
        let count = table.u32()?;
        let data_offset = (flags & DATA_OFFSET != 0)
            .then(|| table.i32())
            .transpose()?;
        if flags & FIRST_SAMPLE_FLAGS != 0 {
            table.skip(4)?;
        }
        Ok(Self {
            flags,
            count,
            data_offset,
            table,
        })
    }

    /// The rows of its table, of which there are to be `count`; nothing may stand behind them.
    fn rows(self, count: usize) -> Result<Rows<'a>, MediaError> {
        let mut width = 0_usize;
        let mut place = |flag| {
            let has = self.flags & flag != 0;
            let at = width;
            width = width.saturating_add(if has { FIELD } else { 0 });
            has.then_some(at)
        };
        let (duration, size) = (place(SAMPLE_DURATION), place(SAMPLE_SIZE));
        place(SAMPLE_FLAGS);
        place(SAMPLE_COMPOSITION);
        let mut table = self.table;
        let rows = table.bytes(count.saturating_mul(width))?;
        table.finish()?;
        Ok(Rows {
            rows,
            width,
            duration,
            size,
        })
    }
}

/// The table of a `trun`, which is as long as its rows take.
struct Rows<'a> {
    rows: &'a [u8],
    /// Bytes of a row; 0 where all samples are alike.
    width: usize,
    /// Where in a row the fields are, as far as it has them.
    duration: Option<usize>,
    size: Option<usize>,
}

impl Rows<'_> {
    /// The next row's duration and size, or those given.
    fn next(&mut self, duration: u32, size: u32) -> (u32, u32) {
        // There is a row for each time this is asked, and each has its fields.
        let (row, rest) = self.rows.split_at_checked(self.width).unwrap_or_default();
        self.rows = rest;
        let field = |place: Option<usize>, otherwise| {
            let bytes = place.and_then(|at| row.get(at..)?.first_chunk());
            bytes.map_or(otherwise, |bytes| u32::from_be_bytes(*bytes))
        };
        (field(self.duration, duration), field(self.size, size))
    }
}

/// A fragment in memory.
pub(crate) struct FragmentBytes<'a> {
    /// The `moof` it starts with.
    pub(crate) moof: &'a [u8],
    /// What follows `moof`.
    pub(crate) media: &'a [u8],
    /// Payload of `mdat` in `media`.
    pub(crate) payload: Range<usize>,
    /// Where it starts in the input.
    pub(crate) offset: u64,
}

impl<'a> FragmentBytes<'a> {
    /// Bytes at a place counted from the start of `moof`.
    pub(crate) fn at(&self, start: usize, size: usize) -> Option<&'a [u8]> {
        match start.checked_sub(self.moof.len()) {
            Some(start) => self.media.get(start..start.checked_add(size)?),
            None => self.moof.get(start..start.checked_add(size)?),
        }
    }
}

/// The state while track fragments are read one after the other.
pub(crate) struct Layout<'a> {
    presentation: &'a Presentation,
    fragment: FragmentBytes<'a>,
    /// End of the previous track fragment's data: where the next one starts if nothing else is said.
    previous_end: i64,
    /// Samples, subsamples and runs so far.
    samples: usize,
    subsamples: usize,
    truns: usize,
    /// Data of each run, to see whether any two overlap, with the offset of its `trun`.
    runs: Vec<(Range<i64>, u64)>,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(presentation: &'a Presentation, fragment: FragmentBytes<'a>) -> Self {
        Self {
            presentation,
            fragment,
            previous_end: 0,
            samples: 0,
            subsamples: 0,
            truns: 0,
            runs: Vec::new(),
        }
    }

    /// Reads one `traf`.
    pub(crate) fn track_fragment(
        &mut self,
        traf: &Mp4Box<'a>,
    ) -> Result<TrackFragment, MediaError> {
        let tfhd = traf.required(FourCc::TFHD)?;
        let header = TrackFragmentHeader::parse(&tfhd)?;
        let tracks = &self.presentation.tracks;
        let position = tracks.iter().position(|track| track.id == header.track_id);
        let Some((index, track)) = position.and_then(|at| Some((at, tracks.get(at)?))) else {
            let expected = Expected::Words("that of a track in 'moov'");
            return Err(tfhd.invalid("track_ID", header.track_id.into(), expected));
        };
        let entry = entry_index(&tfhd, &header, track)?;

        let mut boxes = AuxiliaryBoxes::default();
        let mut group_boxes = GroupBoxes::default();
        let mut decode_time = None;
        let mut runs = Vec::new();
        for child in traf.children() {
            let child = child?;
            match child.kind {
                FourCc::TFDT => once(&mut decode_time, child)?,
                FourCc::TRUN => {
                    runs.push(child);
                    self.truns = self.truns.saturating_add(1);
                    let field = "number in one fragment";
                    limits::within(self.truns, MAX_RUNS, field, child.kind, child.offset)?;
                }
                // Without protection these say nothing that concerns anyone here.
                _ if track.protection().is_none() => {}
                _ if boxes.take(child)? => {}
                _ => group_boxes.take(child)?,
            }
        }
        let decode_time = decode_time.as_ref().map(decode_time_of).transpose()?;

        let base = self.base(&tfhd, &header)?;
        let defaults = track.defaults;
        let duration = header.duration.or(defaults.map(|d| d.duration));
        let size = header.size.or(defaults.map(|d| d.size));
        let mut samples = Vec::new();
        let mut run_samples = Vec::new();
        self.previous_end = base;
        for trun in &runs {
            let first = samples.len();
            self.run(trun, base, duration, size, &mut samples)?;
            run_samples.push(first..samples.len());
        }

        let protections = protections_of(track, entry, &group_boxes, samples.len())?;
        let mut subsamples = Vec::new();
        let context = AuxiliaryContext {
            fragment: &self.fragment,
            base,
            runs: &run_samples,
            traf: *traf,
            protections: &protections,
            subsamples: MAX_SUBSAMPLES.saturating_sub(self.subsamples),
        };
        boxes.apply(&context, &mut samples, &mut subsamples)?;
        self.subsamples = self.subsamples.saturating_add(subsamples.len());
        Ok(TrackFragment {
            track: index,
            track_id: track.id,
            entry,
            timescale: track.timescale,
            decode_time,
            protections,
            samples,
            subsamples,
        })
    }

    /// Where data offsets of a track fragment count from, relative to the start of `moof`.
    fn base(&self, tfhd: &Mp4Box<'_>, header: &TrackFragmentHeader) -> Result<i64, MediaError> {
        let Some(absolute) = header.base_data_offset else {
            return Ok(if header.base_is_moof {
                0
            } else {
                self.previous_end
            });
        };
        let relative = i128::from(absolute).saturating_sub(self.fragment.offset.into());
        i64::try_from(relative).map_err(|_| {
            let expected = Expected::Words("a place inside the fragment");
            tfhd.invalid("base_data_offset", absolute, expected)
        })
    }

    /// Adds the samples of one run.
    fn run(
        &mut self,
        trun: &Mp4Box<'a>,
        base: i64,
        duration: Option<u32>,
        size: Option<u32>,
        samples: &mut Vec<Sample>,
    ) -> Result<(), MediaError> {
        let run = RunHeader::parse(trun)?;
        let count = usize::try_from(run.count).unwrap_or(usize::MAX);
        self.samples = self.samples.saturating_add(count);
        let field = "number of samples in the fragment";
        limits::within(self.samples, MAX_SAMPLES, field, trun.kind, trun.offset)?;
        if samples.is_empty() {
            // Usually the only run: growing step by step would take up to three times the memory.
            samples.reserve_exact(count);
        }
        let start = match run.data_offset {
            Some(offset) => base.saturating_add(offset.into()),
            None => self.previous_end,
        };
        let missing = || MediaError::Missing {
            kind: FourCc::TREX,
            parent: FourCc::MOOV,
            offset: 0,
        };
        let mut rows = run.rows(count)?;
        let duration = match (rows.duration, duration) {
            (None, None) if count > 0 => return Err(missing()),
            (_, duration) => duration.unwrap_or(0),
        };
        let size = match (rows.size, size) {
            (None, None) if count > 0 => return Err(missing()),
            (_, size) => size.unwrap_or(0),
        };
        // Signed and relative to the start of `moof`, as samples are until they are known to be in
        // bounds.
        let moof = to_i64(self.fragment.moof.len());
        let payload = &self.fragment.payload;
        let first = moof.saturating_add(to_i64(payload.start));
        let last = moof.saturating_add(to_i64(payload.end));
        let mut at = start;
        for _ in 0..count {
            let (duration, size) = rows.next(duration, size);
            let end = at.saturating_add(size.into());
            if at < first || end > last {
                let field = "end of a sample, from the start of 'moof',";
                let expected = Expected::Words("inside 'mdat'");
                return Err(trun.invalid(field, u64::try_from(end).unwrap_or(0), expected));
            }
            samples.push(Sample {
                // Inside the fragment, whose limit is below 32 bits.
                start: u32::try_from(at.saturating_sub(moof)).unwrap_or(u32::MAX),
                size,
                duration,
                iv: Iv::NONE,
                first_subsample: 0,
                subsamples: 0,
            });
            at = end;
        }
        if start < at {
            self.runs.push((start..at, trun.offset));
        }
        self.previous_end = at;
        Ok(())
    }

    /// Two samples must not share bytes: decrypting one would spoil the other.
    pub(crate) fn refuse_overlap(mut self) -> Result<(), MediaError> {
        self.runs.sort_unstable_by_key(|(range, _)| range.start);
        for pair in self.runs.windows(2) {
            if let [(first, _), (second, offset)] = pair
                && second.start < first.end
            {
                return Err(MediaError::Invalid {
                    kind: FourCc::TRUN,
                    offset: *offset,
                    field: "start of its data, from the start of 'moof',",
                    // Samples are in bounds, so neither is negative.
                    found: second.start.unsigned_abs(),
                    expected: Expected::AtLeast(first.end.unsigned_abs()),
                });
            }
        }
        Ok(())
    }
}

/// A length in memory as a place.
fn to_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The sample entry a track fragment uses, counted from zero.
fn entry_index(
    tfhd: &Mp4Box<'_>,
    header: &TrackFragmentHeader,
    track: &Track,
) -> Result<usize, MediaError> {
    let number = match (header.description, track.defaults) {
        (Some(number), _) => number,
        (None, Some(defaults)) => defaults.description,
        (None, None) => {
            return Err(MediaError::Missing {
                kind: FourCc::TREX,
                parent: FourCc::MOOV,
                offset: 0,
            });
        }
    };
    usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1))
        .filter(|index| *index < track.entries.len())
        .ok_or_else(|| {
            let expected = Expected::Words("the number of a sample entry, from 1");
            tfhd.invalid("sample_description_index", number.into(), expected)
        })
}

/// How each sample of a track fragment is protected.
fn protections_of(
    track: &Track,
    entry: usize,
    boxes: &GroupBoxes<'_>,
    samples: usize,
) -> Result<SampleProtections, MediaError> {
    let entry = track.entries.get(entry).and_then(|entry| entry.protection);
    let mut groups = GroupResolver::new(entry, &track.groups, boxes.groups()?);
    let mut protections = SampleProtections::default();
    let samples = u32::try_from(samples).unwrap_or(u32::MAX);
    if let Some(assignment) = boxes.assignment() {
        let place = (assignment.kind, assignment.offset);
        groups::assignments(assignment, samples, |count, number| {
            groups.assign(&mut protections, count, number, place)
        })?;
    }
    let rest = samples.saturating_sub(protections.len());
    groups.assign_default(&mut protections, rest)?;
    Ok(protections)
}

/// `tfdt`, ISO/IEC 14496-12 section 8.8.12.
fn decode_time_of(tfdt: &Mp4Box<'_>) -> Result<u64, MediaError> {
    let mut cursor = Cursor::new(tfdt);
    let (version, _) = cursor.known_version(1)?;
    cursor.versioned(version)
}

#[cfg(test)]
mod tests;
