//! What each sample needs to be decrypted: IVs and subsamples, from `senc` or from the auxiliary
//! information that `saiz` and `saio` point at (ISO/IEC 23001-7 section 7, ISO/IEC 14496-12 section 8.7).
//!
//! A file may carry the same information both ways. `senc` wins where a size above 255 was written to
//! `saiz` modulo 256, a mistake that is common and harmless; any other contradiction is an error, since
//! one of the two would give wrong samples.

use core::ops::Range;

use keybearer_cenc::Subsample;

use crate::boxes::{Mp4Box, once};
use crate::cursor::{Cursor, to_u64};
use crate::layout::FragmentBytes;
use crate::sample::SampleProtections;
use crate::{Expected, FourCc, Iv, IvSource, MediaError, Protection, Sample, protection};

/// `senc` flag: each sample has a subsample table.
const USES_SUBSAMPLES: u32 = 2;
/// `saiz` and `saio` flag: the type of the information is given.
const HAS_TYPE: u32 = 1;
/// Bytes of one subsample: 16-bit clear size, 32-bit protected size.
const SUBSAMPLE_BYTES: usize = 6;

/// The boxes of one `traf` that describe its protection.
#[derive(Clone, Copy, Default)]
pub(crate) struct AuxiliaryBoxes<'a> {
    pub(crate) senc: Option<Mp4Box<'a>>,
    pub(crate) saiz: Option<Mp4Box<'a>>,
    pub(crate) saio: Option<Mp4Box<'a>>,
}

/// Where to look, besides the boxes themselves.
pub(crate) struct AuxiliaryContext<'a> {
    /// The fragment, from its `moof` on.
    pub(crate) fragment: &'a FragmentBytes<'a>,
    /// Base of the offsets in `saio`, relative to that.
    pub(crate) base: i64,
    /// The samples of each `trun`.
    pub(crate) runs: &'a [Range<usize>],
    /// The `traf`.
    pub(crate) traf: Mp4Box<'a>,
    /// How the samples are protected.
    pub(crate) protections: &'a SampleProtections,
    /// Most subsamples that are taken.
    pub(crate) subsamples: usize,
}

/// Whether a `saiz` or `saio` is about protection: other uses name a type of their own.
pub(crate) fn is_protection_info(found: &Mp4Box<'_>) -> Result<bool, MediaError> {
    let mut cursor = Cursor::new(found);
    let (_, flags) = cursor.version_and_flags()?;
    Ok(flags & HAS_TYPE == 0 || protection::scheme(cursor.fourcc()?).is_some())
}

/// Number of samples in a `senc`.
pub(crate) fn senc_sample_count(senc: &Mp4Box<'_>) -> Result<(u32, bool), MediaError> {
    let mut cursor = Cursor::new(senc);
    // Version 1 and other flags have layouts that would be misread.
    let (_, flags) = cursor.known_version(0)?;
    if flags & !USES_SUBSAMPLES != 0 {
        let expected = Expected::Words("0 or 2");
        return Err(cursor.invalid("flags", flags.into(), expected));
    }
    Ok((cursor.u32()?, flags & USES_SUBSAMPLES != 0))
}

impl<'a> AuxiliaryBoxes<'a> {
    /// Keeps a box if it is one of these. `false` for boxes of other types.
    pub(crate) fn take(&mut self, found: Mp4Box<'a>) -> Result<bool, MediaError> {
        let place = match found.kind {
            FourCc::SENC => &mut self.senc,
            FourCc::SAIZ => &mut self.saiz,
            FourCc::SAIO => &mut self.saio,
            _ => return Ok(false),
        };
        if found.kind == FourCc::SENC || is_protection_info(&found)? {
            once(place, found)?;
        }
        Ok(true)
    }
}

impl AuxiliaryBoxes<'_> {
    /// Gives each sample its IV and subsamples.
    pub(crate) fn apply(
        &self,
        context: &AuxiliaryContext<'_>,
        samples: &mut [Sample],
        subsamples: &mut Vec<Subsample>,
    ) -> Result<(), MediaError> {
        let sizes = self
            .saiz
            .as_ref()
            .map(|saiz| Sizes::parse(saiz, samples.len()))
            .transpose()?;
        let offsets = self.saio.as_ref().map(Offsets::parse).transpose()?;
        match (&self.senc, sizes, offsets) {
            (Some(senc), sizes, offsets) => {
                apply_senc(senc, sizes, offsets, context, samples, subsamples)
            }
            (None, Some(sizes), Some(offsets)) if sizes.any() => {
                apply_pointed(&sizes, &offsets, context, samples, subsamples)
            }
            (None, Some(sizes), None) if sizes.any() => Err(context.traf.missing(FourCc::SAIO)),
            (None, None, Some(_)) => Err(context.traf.missing(FourCc::SAIZ)),
            // Nothing said of any sample: whole samples under a constant IV, clear ones, or a hole in the
            // file.
            (None, _, _) => {
                let mut rest = samples;
                for (count, protection) in context.protections.runs() {
                    let iv = match protection.map(|found| found.iv) {
                        None | Some(IvSource::None) => Iv::NONE,
                        Some(IvSource::Constant(iv)) => iv,
                        Some(IvSource::PerSample { .. }) => {
                            return Err(context.traf.missing(FourCc::SENC));
                        }
                    };
                    let (alike, behind) = rest.split_at_mut(count.min(rest.len()));
                    for sample in alike {
                        sample.iv = iv;
                    }
                    rest = behind;
                }
                Ok(())
            }
        }
    }
}

fn apply_senc(
    senc: &Mp4Box<'_>,
    sizes: Option<Sizes<'_>>,
    offsets: Option<Offsets<'_>>,
    context: &AuxiliaryContext<'_>,
    samples: &mut [Sample],
    subsamples: &mut Vec<Subsample>,
) -> Result<(), MediaError> {
    let (count, uses_subsamples) = senc_sample_count(senc)?;
    if count == 0 && context.protections.none() {
        return Ok(());
    }
    if u64::from(count) != to_u64(samples.len()) {
        let expected = Expected::Exactly(to_u64(samples.len()));
        return Err(senc.invalid("sample_count", count.into(), expected));
    }
    let mut cursor = Cursor::new(senc);
    cursor.skip(8)?;
    let table = cursor.bytes(cursor.remaining())?;
    let mut cursor = Cursor::over(table, senc.kind, senc.offset);
    let groups = match &offsets {
        Some(offsets) => offsets.groups(context.runs, samples.len())?,
        None => vec![(None, 0..samples.len())],
    };
    let mut index = 0_usize;
    let (mut protection, mut alike) = context.protections.of(index);
    for (offset, group) in groups {
        let start = table.len().saturating_sub(cursor.remaining());
        for sample in samples.get_mut(group).unwrap_or_default() {
            let before = cursor.remaining();
            if index >= alike {
                (protection, alike) = context.protections.of(index);
            }
            // Writers differ on whether a clear sample has an empty table or none; `saiz` tells.
            let left_out =
                protection.is_none() && sizes.as_ref().is_some_and(|sizes| sizes.get(index) == 0);
            let has_subsamples = uses_subsamples && !left_out;
            let entry = Entry {
                protection,
                has_subsamples,
            };
            entry.read(&mut cursor, context.subsamples, sample, subsamples)?;
            if let Some(sizes) = &sizes {
                sizes.compare(index, before.saturating_sub(cursor.remaining()))?;
            }
            index = index.saturating_add(1);
        }
        // `saio` must lead to the same bytes, be it to this very table or to a copy of it.
        let end = table.len().saturating_sub(cursor.remaining());
        let wanted = table.get(start..end).unwrap_or_default();
        if let (Some(offset), Some(offsets)) = (offset, &offsets)
            && !wanted.is_empty()
            && pointed(context, offset, wanted.len()) != Some(wanted)
        {
            let expected = Expected::Words("the place of what 'senc' says");
            return Err(offsets.source.invalid("offset", offset, expected));
        }
    }
    if context.protections.none() && cursor.remaining() > 0 {
        let field = "number of bytes about the samples of a clear track fragment";
        let found = to_u64(cursor.remaining());
        return Err(senc.invalid(field, found, Expected::Exactly(0)));
    }
    cursor.finish()
}

fn apply_pointed(
    sizes: &Sizes<'_>,
    offsets: &Offsets<'_>,
    context: &AuxiliaryContext<'_>,
    samples: &mut [Sample],
    subsamples: &mut Vec<Subsample>,
) -> Result<(), MediaError> {
    let saio = &offsets.source;
    for (offset, group) in offsets.groups(context.runs, samples.len())? {
        let sizes = group.clone().map(|sample| usize::from(sizes.get(sample)));
        let offset = offset.unwrap_or(0);
        let bytes = pointed(context, offset, sizes.clone().sum()).ok_or_else(|| {
            let expected = Expected::Words("a place inside the fragment");
            saio.invalid("offset", offset, expected)
        })?;
        let mut group_bytes = Cursor::over(bytes, saio.kind, saio.offset);
        for (index, size) in group.zip(sizes) {
            let entry = group_bytes.bytes(size)?;
            let Some(sample) = samples.get_mut(index) else {
                break;
            };
            let mut cursor = Cursor::over(entry, saio.kind, saio.offset);
            let protection = context.protections.of(index).0;
            let has_subsamples = size > iv_bytes(protection);
            let entry = Entry {
                protection,
                has_subsamples,
            };
            entry.read(&mut cursor, context.subsamples, sample, subsamples)?;
            cursor.finish()?;
        }
    }
    Ok(())
}

/// The bytes that an offset of `saio` leads to.
fn pointed<'a>(context: &AuxiliaryContext<'a>, offset: u64, size: usize) -> Option<&'a [u8]> {
    let start = i128::from(context.base).checked_add(offset.into())?;
    let start = usize::try_from(start).ok()?;
    context.fragment.at(start, size)
}

/// Size of the IV that a sample has of its own.
pub(crate) fn iv_bytes(protection: Option<&Protection>) -> usize {
    match protection.map(|protection| protection.iv) {
        Some(IvSource::PerSample { size }) => usize::from(size),
        _ => 0,
    }
}

/// `CencSampleAuxiliaryDataFormat` of one sample, ISO/IEC 23001-7 section 7.2.
pub(crate) struct Entry<'a> {
    pub(crate) protection: Option<&'a Protection>,
    pub(crate) has_subsamples: bool,
}

impl Entry<'_> {
    /// Reads it, taking so many subsamples at most in all.
    pub(crate) fn read(
        &self,
        cursor: &mut Cursor<'_>,
        limit: usize,
        sample: &mut Sample,
        subsamples: &mut Vec<Subsample>,
    ) -> Result<(), MediaError> {
        sample.iv = match self.protection.map(|protection| protection.iv) {
            None | Some(IvSource::None) => Iv::NONE,
            Some(IvSource::Constant(iv)) => iv,
            // The size is 8 or 16, checked with its box.
            Some(IvSource::PerSample { size }) => {
                Iv::new(cursor.bytes(size.into())?).unwrap_or(Iv::NONE)
            }
        };
        if !self.has_subsamples {
            return Ok(());
        }
        let count = cursor.u16()?;
        if count == 0 && self.protection.is_none() {
            return Ok(());
        }
        if count == 0 && sample.size != 0 {
            return Err(cursor.invalid("subsample_count", 0, Expected::AtLeast(1)));
        }
        let first = subsamples.len();
        let field = "number of subsamples in the fragment";
        let last = first.saturating_add(count.into());
        cursor.within(last, limit, field)?;
        let table = cursor.bytes(usize::from(count).saturating_mul(SUBSAMPLE_BYTES))?;
        let (mut total, mut protected_total) = (0_u64, 0_u64);
        for [c1, c0, p3, p2, p1, p0] in table.as_chunks::<SUBSAMPLE_BYTES>().0 {
            let clear = u32::from_be_bytes([0, 0, *c1, *c0]);
            let protected = u32::from_be_bytes([*p3, *p2, *p1, *p0]);
            // At most 65,535 sums of 32 and 16 bits.
            protected_total = protected_total.saturating_add(protected.into());
            total = total
                .saturating_add(clear.into())
                .saturating_add(protected.into());
            subsamples.push(Subsample { clear, protected });
        }
        if total != u64::from(sample.size) {
            let expected = Expected::Exactly(sample.size.into());
            return Err(cursor.invalid(
                "sum of the sizes of a sample's subsamples",
                total,
                expected,
            ));
        }
        if self.protection.is_none() {
            subsamples.truncate(first);
            if protected_total == 0 {
                return Ok(());
            }
            let field = "protected bytes of a sample that is not protected";
            return Err(cursor.invalid(field, protected_total, Expected::Exactly(0)));
        }
        // Below the limit, which is far below 32 bits.
        sample.first_subsample = u32::try_from(first).unwrap_or(u32::MAX);
        sample.subsamples = count;
        Ok(())
    }
}

/// `saiz`, ISO/IEC 14496-12 section 8.7.8.
pub(crate) struct Sizes<'a> {
    source: Mp4Box<'a>,
    default: u8,
    count: usize,
    table: &'a [u8],
}

impl<'a> Sizes<'a> {
    pub(crate) fn parse(source: &Mp4Box<'a>, samples: usize) -> Result<Self, MediaError> {
        let (mut cursor, _) = skip_type(source, 0)?;
        let default = cursor.u8()?;
        let found = cursor.u32()?;
        let count = usize::try_from(found)
            .ok()
            .filter(|count| *count <= samples);
        let count = count.ok_or_else(|| {
            cursor.invalid(
                "sample_count",
                found.into(),
                Expected::AtMost(to_u64(samples)),
            )
        })?;
        let table = cursor.bytes(if default == 0 { count } else { 0 })?;
        cursor.finish()?;
        Ok(Self {
            source: *source,
            default,
            count,
            table,
        })
    }

    /// Size for a sample; samples behind the table have none.
    pub(crate) fn get(&self, sample: usize) -> u8 {
        match self.table.get(sample) {
            Some(size) => *size,
            None if sample < self.count => self.default,
            None => 0,
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.count != 0 && (self.default != 0 || self.table.iter().any(|size| *size != 0))
    }

    /// The size must be that found in `senc`, unless that does not fit into its 8 bits.
    pub(crate) fn compare(&self, sample: usize, actual: usize) -> Result<(), MediaError> {
        let written = self.get(sample);
        if actual.to_le_bytes().first() == Some(&written)
            && (actual > usize::from(u8::MAX) || actual == usize::from(written))
        {
            return Ok(());
        }
        let expected = Expected::Exactly(to_u64(actual));
        Err(self
            .source
            .invalid("sample_info_size against 'senc'", written.into(), expected))
    }
}

/// `saio`, ISO/IEC 14496-12 section 8.7.9.
pub(crate) struct Offsets<'a> {
    pub(crate) source: Mp4Box<'a>,
    version: u8,
    pub(crate) count: u32,
    table: &'a [u8],
}

/// Samples and where `saio` says that their information starts.
type Group = (Option<u64>, Range<usize>);

impl<'a> Offsets<'a> {
    pub(crate) fn parse(source: &Mp4Box<'a>) -> Result<Self, MediaError> {
        let (mut cursor, version) = skip_type(source, 1)?;
        let count = cursor.u32()?;
        let width = if version == 0 { 4 } else { 8 };
        let table = cursor.bytes(cursor.remaining())?;
        if u64::from(count).checked_mul(width) != Some(to_u64(table.len())) {
            let expected = Expected::Words("the number of entries");
            return Err(source.invalid("entry_count", count.into(), expected));
        }
        Ok(Self {
            source: *source,
            version,
            count,
            table,
        })
    }

    /// One of the offsets, counted from zero.
    pub(crate) fn get(&self, index: u32) -> Option<u64> {
        let width: usize = if self.version == 0 { 4 } else { 8 };
        let start = usize::try_from(index).ok()?.checked_mul(width)?;
        let row = self.table.get(start..start.checked_add(width)?)?;
        let mut row = Cursor::over(row, self.source.kind, self.source.offset);
        row.versioned(self.version).ok()
    }

    /// The samples for which each offset stands: one offset for all, or one for each `trun`. An empty
    /// table leads nowhere.
    fn groups(&self, runs: &[Range<usize>], samples: usize) -> Result<Vec<Group>, MediaError> {
        let all = 0..samples;
        let ranges = match self.count {
            0 => return Ok(vec![(None, all)]),
            1 => core::slice::from_ref(&all),
            count if usize::try_from(count) == Ok(runs.len()) => runs,
            count => {
                let expected = Expected::Words("1 or the number of 'trun'");
                return Err(self.source.invalid("entry_count", count.into(), expected));
            }
        };
        let mut table = Cursor::over(self.table, self.source.kind, self.source.offset);
        let entry =
            |range: &Range<usize>| Ok((Some(table.versioned(self.version)?), range.clone()));
        ranges.iter().map(entry).collect()
    }
}

/// Version, and what follows the optional type.
fn skip_type<'a>(source: &Mp4Box<'a>, newest: u8) -> Result<(Cursor<'a>, u8), MediaError> {
    let mut cursor = Cursor::new(source);
    let (version, flags) = cursor.known_version(newest)?;
    if flags & HAS_TYPE != 0 {
        cursor.skip(8)?;
    }
    Ok((cursor, version))
}

#[cfg(test)]
mod tests;
