//! The tables of `stbl` that say where the samples of a progressive file are and how long they last
//! (ISO/IEC 14496-12 sections 8.6.1, 8.7.3, 8.7.4 and 8.7.5). They are read where they lie in `moov`, a
//! run of samples at a time: nothing here grows with the file.

mod places;

use crate::auxiliary::AuxiliaryBoxes;
use crate::boxes::Mp4Box;
use crate::cursor::{Cursor, to_u64};
use crate::{Expected, FourCc, MediaError, Track};

pub(crate) use places::{TablePlaces, is_elsewhere};

/// A table of rows of one size behind a count.
#[derive(Clone, Copy)]
struct Rows<'a> {
    source: Mp4Box<'a>,
    count: u32,
    width: usize,
    table: &'a [u8],
}

impl<'a> Rows<'a> {
    fn parse(source: Mp4Box<'a>, width: usize) -> Result<Self, MediaError> {
        let mut cursor = Cursor::new(&source);
        cursor.known_version(0)?;
        let count = cursor.u32()?;
        let bytes = u64::from(count).saturating_mul(to_u64(width));
        let table = cursor.bytes(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        cursor.finish()?;
        Ok(Self {
            source,
            count,
            width,
            table,
        })
    }

    /// A row, `None` behind the last.
    fn row(&self, index: u32) -> Option<Cursor<'a>> {
        let start = usize::try_from(index).ok()?.checked_mul(self.width)?;
        let row = self.table.get(start..start.checked_add(self.width)?)?;
        Some(Cursor::over(row, self.source.kind, self.source.offset))
    }
}

/// `stsz` or `stz2`.
struct SampleSizes<'a> {
    /// Size of all samples; 0 if there is a table.
    all: u32,
    count: u32,
    /// Bits of a row: 4, 8, 16 or 32.
    bits: u8,
    table: &'a [u8],
}

impl<'a> SampleSizes<'a> {
    fn parse(source: &Mp4Box<'a>) -> Result<Self, MediaError> {
        let mut cursor = Cursor::new(source);
        cursor.known_version(0)?;
        let first = cursor.u32()?;
        let (all, bits) = match source.kind {
            FourCc::STSZ => (first, 32_u32),
            _ => match first & 0xff {
                4 => (0, 4),
                8 => (0, 8),
                16 => (0, 16),
                other => {
                    let expected = Expected::Words("4, 8 or 16");
                    return Err(cursor.invalid("field_size", other.into(), expected));
                }
            },
        };
        let count = cursor.u32()?;
        let bytes = match all {
            0 => u64::from(count).saturating_mul(bits.into()).div_ceil(8),
            _ => 0,
        };
        let bits = u8::try_from(bits).unwrap_or(32);
        let table = cursor.bytes(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        cursor.finish()?;
        Ok(Self {
            all,
            count,
            bits,
            table,
        })
    }

    fn get(&self, sample: u32) -> u32 {
        if self.all != 0 {
            return self.all;
        }
        let index = usize::try_from(sample).unwrap_or(usize::MAX);
        // The table holds `count` rows; nobody asks for more.
        match self.bits {
            4 => {
                let pair = u32::from(self.table.get(index / 2).copied().unwrap_or(0));
                if index.is_multiple_of(2) {
                    pair >> 4
                } else {
                    pair & 15
                }
            }
            8 => self.table.get(index).copied().unwrap_or(0).into(),
            16 => self
                .table
                .as_chunks()
                .0
                .get(index)
                .map_or(0, |row| u16::from_be_bytes(*row).into()),
            _ => self
                .table
                .as_chunks()
                .0
                .get(index)
                .map_or(0, |row| u32::from_be_bytes(*row)),
        }
    }
}

/// The tables of one track.
pub(crate) struct Tables<'a> {
    durations: Rows<'a>,
    chunk_runs: Rows<'a>,
    sizes: SampleSizes<'a>,
    chunks: Rows<'a>,
    pub(crate) auxiliary: AuxiliaryBoxes<'a>,
}

/// One sample by the tables, without its protection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub(crate) size: u32,
    pub(crate) duration: u32,
}

/// A place in the tables: before a sample.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TablePosition {
    /// Number of the chunk from 1; 0 before the first.
    pub(crate) chunk: u32,
    /// Row of `stsc` for the chunk behind this one, counted from zero.
    chunk_run: u32,
    /// Samples of the chunk still to come.
    pub(crate) left: u32,
    /// Sample entry of the chunk, counted from zero.
    pub(crate) entry: usize,
    /// Where the sample is in the file.
    pub(crate) at: u64,
    /// Index of the sample.
    pub(crate) sample: u32,
    /// Row of `stts`, and samples that it has still to give.
    duration_row: u32,
    duration_left: u32,
    duration: u32,
    /// Its decoding time.
    pub(crate) time: u64,
    /// Where its auxiliary information is: in the table of `senc`, or in the file.
    pub(crate) auxiliary: u64,
}

impl<'a> Tables<'a> {
    /// What the tables say together must agree.
    fn check(&self, track: &Track) -> Result<(), MediaError> {
        let mut total = 0_u64;
        for index in 0..self.durations.count {
            if let Some(mut row) = self.durations.row(index) {
                total = total.saturating_add(row.u32()?.into());
            }
        }
        let samples = u64::from(self.sizes.count);
        if total != samples {
            let expected = Expected::Exactly(samples);
            let source = &self.durations.source;
            return Err(source.invalid("sum of sample_count", total, expected));
        }
        let source = &self.chunk_runs.source;
        let (mut total, mut before) = (0_u64, (0_u32, 0_u32));
        for index in 0..self.chunk_runs.count {
            let Some(mut row) = self.chunk_runs.row(index) else {
                break;
            };
            let (first, samples, description) = (row.u32()?, row.u32()?, row.u32()?);
            let expected = if index == 0 {
                Expected::Exactly(1)
            } else {
                Expected::AtLeast(u64::from(before.0).saturating_add(1))
            };
            if first <= before.0 || (index == 0 && first != 1) {
                return Err(source.invalid("first_chunk", first.into(), expected));
            }
            let entry = usize::try_from(description)
                .ok()
                .and_then(|number| number.checked_sub(1));
            if entry.is_none_or(|entry| entry >= track.entries.len()) {
                let expected = Expected::Words("the number of a sample entry, from 1");
                return Err(source.invalid(
                    "sample_description_index",
                    description.into(),
                    expected,
                ));
            }
            let chunks = u64::from(first.saturating_sub(before.0.max(1)));
            total = total.saturating_add(chunks.saturating_mul(before.1.into()));
            before = (first, samples);
        }
        let chunks = u64::from(self.chunks.count)
            .saturating_add(1)
            .saturating_sub(before.0.into());
        if before.0 > self.chunks.count {
            let expected = Expected::AtMost(self.chunks.count.into());
            return Err(source.invalid("first_chunk", before.0.into(), expected));
        }
        total = total.saturating_add(chunks.saturating_mul(before.1.into()));
        if total != samples {
            let field = "number of samples in all chunks";
            return Err(source.invalid(field, total, Expected::Exactly(samples)));
        }
        Ok(())
    }

    /// Number of samples.
    pub(crate) fn samples(&self) -> u32 {
        self.sizes.count
    }

    /// Number of chunks.
    pub(crate) fn chunk_count(&self) -> u32 {
        self.chunks.count
    }

    /// Whether the chunks lie in the file in their own order.
    pub(crate) fn in_order(&self) -> Result<bool, MediaError> {
        let mut before = 0;
        for number in 1..=self.chunks.count {
            let offset = self.chunk_offset(number)?;
            if offset < before {
                return Ok(false);
            }
            before = offset;
        }
        Ok(true)
    }

    fn chunk_offset(&self, number: u32) -> Result<u64, MediaError> {
        match self.chunks.row(number.saturating_sub(1)) {
            Some(mut row) if self.chunks.width == 8 => row.u64(),
            Some(mut row) => Ok(row.u32()?.into()),
            None => Ok(u64::MAX),
        }
    }

    /// The box that says where chunks are.
    pub(crate) fn chunk_place(&self) -> (FourCc, u64) {
        (self.chunks.source.kind, self.chunks.source.offset)
    }

    /// The error that a sample at a place in the file cannot be there.
    pub(crate) fn out_of_place(&self, at: u64, expected: Expected) -> MediaError {
        let field = "place of a sample in the file";
        self.chunks.source.invalid(field, at, expected)
    }

    /// Goes on to the next chunk that has samples, once the current one is used up.
    pub(crate) fn enter_chunk(&self, position: &mut TablePosition) -> Result<(), MediaError> {
        while position.left == 0 && position.chunk < self.chunks.count {
            let chunk = position.chunk.saturating_add(1);
            let mut run = self.chunk_runs.row(position.chunk_run.saturating_sub(1));
            if let Some(mut next) = self.chunk_runs.row(position.chunk_run)
                && next.u32()? == chunk
            {
                run = self.chunk_runs.row(position.chunk_run);
                position.chunk_run = position.chunk_run.saturating_add(1);
            }
            // The first row is for chunk 1, checked before.
            let Some(mut run) = run else { break };
            run.skip(4)?;
            position.left = run.u32()?;
            let number = usize::try_from(run.u32()?).unwrap_or(usize::MAX);
            position.entry = number.saturating_sub(1);
            position.chunk = chunk;
            position.at = self.chunk_offset(chunk)?;
        }
        Ok(())
    }

    /// Size and duration of the sample at the position.
    pub(crate) fn sample(&self, position: &TablePosition) -> Result<Timed, MediaError> {
        let mut duration = position.duration;
        if position.duration_left == 0 {
            duration = self.duration_run(position.duration_row)?.1;
        }
        Ok(Timed {
            size: self.sizes.get(position.sample),
            duration,
        })
    }

    /// The next row of `stts` that is for any samples: its index, duration and count.
    fn duration_run(&self, from: u32) -> Result<(u32, u32, u32), MediaError> {
        let mut index = from;
        while let Some(mut row) = self.durations.row(index) {
            let (count, duration) = (row.u32()?, row.u32()?);
            index = index.saturating_add(1);
            if count > 0 {
                return Ok((index, duration, count));
            }
        }
        Ok((index, 0, 1))
    }

    /// Goes past the sample at the position.
    pub(crate) fn advance(
        &self,
        position: &mut TablePosition,
        sample: Timed,
    ) -> Result<(), MediaError> {
        if position.duration_left == 0 {
            let (row, duration, count) = self.duration_run(position.duration_row)?;
            position.duration_row = row;
            position.duration = duration;
            position.duration_left = count;
        }
        position.duration_left = position.duration_left.saturating_sub(1);
        position.time = position.time.saturating_add(sample.duration.into());
        position.at = position.at.saturating_add(sample.size.into());
        position.sample = position.sample.saturating_add(1);
        position.left = position.left.saturating_sub(1);
        Ok(())
    }
}
