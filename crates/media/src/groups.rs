//! Sample groups of type `seig` (ISO/IEC 23001-7 section 6), which give samples a protection other than
//! their sample entry's: other keys (key rotation), none at all, another IV size or pattern. What they
//! are is in `sgpd` (ISO/IEC 14496-12 section 8.9.3), which sample is in which in `sbgp` (section 8.9.2)
//! or its compact form `csgp` (section 8.9.5); both stand in `stbl` or `traf`.

use std::collections::HashMap;

use crate::boxes::{Mp4Box, once};
use crate::cursor::{Cursor, to_u64};
use crate::limits::{self, MAX_GROUPS};
use crate::sample::SampleProtections;
use crate::{Expected, FourCc, KeyId, MediaError, Protection, TrackEncryption};

/// Highest number that leads to a description in `moov`; those above count in the `traf` itself.
const LAST_OF_TRACK: u32 = 0x1_0000;

// csgp flags.
const COMPACT_HAS_PARAMETER: u32 = 0x40;
const COMPACT_MARKS_LOCAL: u32 = 0x80;

/// Whether a box describes or assigns `seig` groups.
pub(crate) fn is_key_group(found: &Mp4Box<'_>) -> Result<bool, MediaError> {
    if !matches!(found.kind, FourCc::SGPD | FourCc::SBGP | FourCc::CSGP) {
        return Ok(false);
    }
    let mut cursor = Cursor::new(found);
    cursor.version_and_flags()?;
    Ok(cursor.fourcc()? == FourCc::SEIG)
}

/// The descriptions in one `sgpd`.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyGroups {
    /// Where the box is.
    offset: u64,
    list: Vec<TrackEncryption>,
    /// Number of the description for samples of which nothing is said, from 1; 0 for none.
    default: u32,
}

impl KeyGroups {
    fn parse(sgpd: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let (version, _) = Cursor::new(sgpd).known_version(2)?;
        match version {
            0 => Self::entries(sgpd, false, false),
            1 => Self::entries(sgpd, true, false),
            // Editions differ on whether version 2 has the lengths of version 1. A table read in the
            // wrong way does not end where its box does.
            _ => Self::entries(sgpd, true, true)
                .or_else(|error| Self::entries(sgpd, false, true).map_err(|_| error)),
        }
    }

    fn entries(
        sgpd: &Mp4Box<'_>,
        has_lengths: bool,
        has_default: bool,
    ) -> Result<Self, MediaError> {
        let mut cursor = Cursor::new(sgpd);
        cursor.skip(8)?;
        let length = has_lengths.then(|| cursor.u32()).transpose()?;
        let default = if has_default { cursor.u32()? } else { 0 };
        let count = cursor.u32()?;
        let stated = usize::try_from(count).unwrap_or(usize::MAX);
        limits::within(stated, MAX_GROUPS, "entry_count", sgpd.kind, sgpd.offset)?;
        let mut list = Vec::new();
        for _ in 0..count {
            let length = match length {
                Some(0) => Some(cursor.u32()?),
                other => other,
            };
            let Some(length) = length else {
                list.push(TrackEncryption::group(&mut cursor)?);
                continue;
            };
            let entry = cursor.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
            let mut entry = Cursor::over(entry, sgpd.kind, sgpd.offset);
            list.push(TrackEncryption::group(&mut entry)?);
            entry.finish()?;
        }
        if default > count {
            let expected = Expected::AtMost(count.into());
            let field = "default_group_description_index";
            return Err(cursor.invalid(field, default.into(), expected));
        }
        cursor.finish()?;
        Ok(Self {
            offset: sgpd.offset,
            list,
            default,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Ids of the keys that protected groups need.
    pub(crate) fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        let protected = self.list.iter().filter(|group| group.is_protected);
        protected.map(|group| group.default_kid)
    }

    /// The protection under a number from 1, and where its box is.
    fn get(&self, number: u32) -> Option<(&TrackEncryption, u64)> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Some((self.list.get(index)?, self.offset))
    }
}

/// The boxes about key groups in one `stbl` or `traf`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupBoxes<'a> {
    descriptions: Option<Mp4Box<'a>>,
    assignment: Option<Mp4Box<'a>>,
}

impl<'a> GroupBoxes<'a> {
    /// Keeps a box if it is one of these.
    pub(crate) fn take(&mut self, found: Mp4Box<'a>) -> Result<(), MediaError> {
        if !is_key_group(&found)? {
            return Ok(());
        }
        match found.kind {
            FourCc::SGPD => once(&mut self.descriptions, found),
            _ => once(&mut self.assignment, found),
        }
    }

    /// What groups there are.
    pub(crate) fn groups(&self) -> Result<KeyGroups, MediaError> {
        let groups = self.descriptions.as_ref().map(KeyGroups::parse);
        Ok(groups.transpose()?.unwrap_or_default())
    }

    /// The box that says which samples they have.
    pub(crate) fn assignment(&self) -> Option<&Mp4Box<'a>> {
        self.assignment.as_ref()
    }
}

/// From the number of a group to a protection.
pub(crate) struct GroupResolver<'a> {
    /// Of the sample entry; its scheme holds for the groups as well.
    entry: Option<Protection>,
    /// Of the track.
    track: &'a KeyGroups,
    /// Of the fragment.
    local: KeyGroups,
    /// Where each number was found before.
    known: HashMap<u32, u32>,
}

impl<'a> GroupResolver<'a> {
    pub(crate) fn new(entry: Option<Protection>, track: &'a KeyGroups, local: KeyGroups) -> Self {
        Self {
            entry,
            track,
            local,
            known: HashMap::new(),
        }
    }

    /// Adds samples of the group under this number; `place` is the box that has it.
    pub(crate) fn assign(
        &mut self,
        protections: &mut SampleProtections,
        samples: u32,
        number: u32,
        place: (FourCc, u64),
    ) -> Result<(), MediaError> {
        if let Some(index) = self.known.get(&number) {
            protections.push_known(samples, *index);
            return Ok(());
        }
        let protection = self.protection(number, place)?;
        let index = protections.push(samples, protection);
        self.known.insert(number, index);
        Ok(())
    }

    /// Adds samples of which nothing is said.
    pub(crate) fn assign_default(
        &self,
        protections: &mut SampleProtections,
        samples: u32,
    ) -> Result<(), MediaError> {
        if samples == 0 {
            return Ok(());
        }
        let (number, offset) = match (self.local.default, self.track.default) {
            (0, number) => (number, self.track.offset),
            (number, _) => (LAST_OF_TRACK.saturating_add(number), self.local.offset),
        };
        let protection = self.protection(number, (FourCc::SGPD, offset))?;
        protections.push(samples, protection);
        Ok(())
    }

    fn protection(
        &self,
        number: u32,
        (kind, offset): (FourCc, u64),
    ) -> Result<Option<Protection>, MediaError> {
        let found = match number.checked_sub(LAST_OF_TRACK) {
            _ if number == 0 => return Ok(self.entry.filter(|entry| entry.is_protected)),
            None | Some(0) => self.track.get(number),
            Some(number) => self.local.get(number),
        };
        let Some((group, sgpd)) = found else {
            return Err(MediaError::Invalid {
                kind,
                offset,
                field: "group_description_index",
                found: number.into(),
                expected: Expected::Words("the number of a description in 'sgpd'"),
            });
        };
        if !group.is_protected {
            return Ok(None);
        }
        let Some(entry) = self.entry else {
            return Err(MediaError::Invalid {
                kind,
                offset,
                field: "isProtected of a group of samples whose sample entry has no 'sinf'",
                found: 1,
                expected: Expected::Exactly(0),
            });
        };
        Protection::new(entry.scheme, group, (FourCc::SGPD, sgpd)).map(Some)
    }
}

/// Which samples are in which group: calls `each` with a number of samples and that of their group, as
/// the box has them, those of `csgp` in the form of `sbgp`. `samples` is how many there are at most.
pub(crate) fn assignments(
    found: &Mp4Box<'_>,
    samples: u32,
    mut each: impl FnMut(u32, u32) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let mut left = samples;
    let mut take = |count: u32, number: u32| {
        left = left.checked_sub(count).ok_or_else(|| {
            let total = u64::from(samples.saturating_sub(left)).saturating_add(count.into());
            let expected = Expected::AtMost(samples.into());
            found.invalid("sum of sample_count", total, expected)
        })?;
        each(count, number)
    };
    if found.kind == FourCc::CSGP {
        return compact_assignments(found, take);
    }
    let mut cursor = Cursor::new(found);
    let (version, _) = cursor.known_version(1)?;
    cursor.skip(if version == 1 { 8 } else { 4 })?;
    let count = cursor.u32()?;
    for _ in 0..count {
        let (samples, number) = (cursor.u32()?, cursor.u32()?);
        if samples > 0 {
            take(samples, number)?;
        }
    }
    cursor.finish()
}

/// `csgp`: patterns of group numbers, each repeated over a number of samples.
fn compact_assignments(
    csgp: &Mp4Box<'_>,
    mut take: impl FnMut(u32, u32) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let mut cursor = Cursor::new(csgp);
    let (_, flags) = cursor.known_version(0)?;
    cursor.skip(if flags & COMPACT_HAS_PARAMETER == 0 {
        4
    } else {
        8
    })?;
    let count = cursor.u32()?;
    let [pattern_width, count_width, index_width] =
        [4, 2, 0].map(|at| 4_u64 << ((flags >> at) & 3));
    if (pattern_width == 4) != (count_width == 4) {
        let expected =
            Expected::Words("sizes of pattern and count that are both 4 bits or neither");
        return Err(cursor.invalid("flags", flags.into(), expected));
    }
    let table = cursor.bytes(cursor.remaining())?;
    let mut patterns = Bits::new(table, csgp);
    // The numbers stand behind all patterns.
    let bits = u64::from(count).saturating_mul(pattern_width.saturating_add(count_width));
    let mut numbers = Bits::new(table, csgp);
    numbers.skip(bits)?;
    for _ in 0..count {
        let length = patterns.take(pattern_width)?;
        let samples = patterns.take(count_width)?;
        if length == 0 {
            return Err(csgp.invalid("pattern_length", 0, Expected::AtLeast(1)));
        }
        let start = numbers.position;
        for sample in 0..samples {
            if sample.checked_rem(length) == Some(0) {
                numbers.position = start;
            }
            take(
                1,
                group_number(numbers.take(index_width)?, flags, index_width),
            )?;
        }
        numbers.position = start;
        numbers.skip(u64::from(length).saturating_mul(index_width))?;
    }
    numbers.align();
    Cursor::over(numbers.rest(), csgp.kind, csgp.offset).finish()
}

/// A number of `csgp` as `sbgp` would have it.
fn group_number(number: u32, flags: u32, width: u64) -> u32 {
    let mark = 1_u32
        .checked_shl(u32::try_from(width.saturating_sub(1)).unwrap_or(0))
        .unwrap_or(0);
    if flags & COMPACT_MARKS_LOCAL != 0 && number & mark != 0 {
        LAST_OF_TRACK.saturating_add(number ^ mark)
    } else {
        number
    }
}

/// Reads fields of 4, 8, 16 or 32 bits that follow each other.
struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    position: u64,
    kind: FourCc,
    offset: u64,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8], source: &Mp4Box<'_>) -> Self {
        Self {
            bytes,
            position: 0,
            kind: source.kind,
            offset: source.offset,
        }
    }

    fn skip(&mut self, bits: u64) -> Result<(), MediaError> {
        let position = self.position.saturating_add(bits);
        if position.div_ceil(8) > to_u64(self.bytes.len()) {
            return Err(MediaError::Truncated {
                kind: self.kind,
                offset: self.offset,
                needed: position.div_ceil(8),
                available: to_u64(self.bytes.len()),
            });
        }
        self.position = position;
        Ok(())
    }

    fn take(&mut self, width: u64) -> Result<u32, MediaError> {
        let start = self.position;
        self.skip(width)?;
        let mut value = 0_u32;
        let mut at = start;
        while at < self.position {
            let byte = usize::try_from(at / 8)
                .ok()
                .and_then(|at| self.bytes.get(at));
            let byte = u32::from(*byte.unwrap_or(&0));
            // All widths but 4 are whole bytes; of 4 bits two share a byte, the first in its upper half.
            (value, at) = match (width, at % 8) {
                (4, 0) => (byte >> 4, at.saturating_add(4)),
                (4, _) => (byte & 15, at.saturating_add(4)),
                _ => (value << 8 | byte, at.saturating_add(8)),
            };
        }
        Ok(value)
    }

    fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    fn rest(&self) -> &'a [u8] {
        let at = usize::try_from(self.position / 8).unwrap_or(usize::MAX);
        self.bytes.get(at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
