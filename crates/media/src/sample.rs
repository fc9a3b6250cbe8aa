//! Samples of one track in one fragment, and the batches in which they are decrypted.

use core::ops::Range;

use crate::{Iv, KeyId, Protection, Subsample};

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Below the limit of a fragment's bytes, which is below 32 bits: with it a sample has 36 bytes.
    pub(crate) start: u32,
    /// Size in bytes.
    pub size: u32,
    /// Duration in units of the track's timescale.
    pub duration: u32,
    /// The IV to decrypt with: its own, or the track's constant one; empty if nothing is protected.
    pub iv: Iv,
    pub(crate) first_subsample: u32,
    pub(crate) subsamples: u16,
}

impl Sample {
    fn start(&self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }

    /// Where the sample is in the fragment's media data (see [`Fragment::split`](crate::Fragment::split)).
    /// Always inside it.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        // Checked when the fragment was read: the end is inside the buffer.
        let start = self.start();
        start..start.saturating_add(usize::try_from(self.size).unwrap_or(usize::MAX))
    }
}

/// How the samples of a track fragment are protected: runs of samples, and the protection of each run.
#[derive(Clone, Debug, Default)]
pub(crate) struct SampleProtections {
    table: Vec<Protection>,
    runs: Vec<ProtectionRun>,
}

#[derive(Clone, Copy, Debug)]
struct ProtectionRun {
    /// Index of the first sample behind the run.
    end: u32,
    /// Place in the table, from 1; 0 for clear samples.
    place: u32,
}

impl SampleProtections {
    /// Adds samples, `None` for clear ones. Gives the number for [`Self::push_known`].
    pub(crate) fn push(&mut self, samples: u32, protection: Option<Protection>) -> u32 {
        let place = match protection.filter(|protection| protection.is_protected) {
            None => 0,
            Some(protection) => {
                if self.table.last() != Some(&protection) {
                    self.table.push(protection);
                }
                // No more than there are samples, which are far below 32 bits.
                u32::try_from(self.table.len()).unwrap_or(u32::MAX)
            }
        };
        self.push_known(samples, place);
        place
    }

    /// Adds samples under a protection that was there before.
    pub(crate) fn push_known(&mut self, samples: u32, place: u32) {
        let end = self.len().saturating_add(samples);
        match self.runs.last_mut() {
            Some(last) if last.place == place => last.end = end,
            _ if samples == 0 => {}
            _ => self.runs.push(ProtectionRun { end, place }),
        }
    }

    /// Samples of which something is said.
    pub(crate) fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.end)
    }

    /// All samples in order: how many of them are protected alike, and how.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, Option<&Protection>)> {
        let mut at = 0_u32;
        self.runs.iter().map(move |run| {
            let count = run.end.saturating_sub(at);
            at = run.end;
            (usize::try_from(count).unwrap_or(usize::MAX), self.at(run))
        })
    }

    /// The protection of a run.
    fn at(&self, run: &ProtectionRun) -> Option<&Protection> {
        let place = usize::try_from(run.place).ok()?.checked_sub(1)?;
        self.table.get(place)
    }

    /// The protections of some of the samples.
    fn part(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        let mut at = range.start;
        while at < range.end {
            let (protection, behind) = self.of(at);
            let behind = behind.min(range.end);
            // A fragment has far fewer samples than 32 bits count.
            let count = u32::try_from(behind.saturating_sub(at)).unwrap_or(u32::MAX);
            part.push(count, protection.copied());
            at = behind;
        }
        part
    }

    /// Whether all samples are clear.
    pub(crate) fn none(&self) -> bool {
        self.runs.iter().all(|run| run.place == 0)
    }

    /// How a sample is protected, and the index behind the last of those protected alike.
    pub(crate) fn of(&self, sample: usize) -> (Option<&Protection>, usize) {
        let after = |run: &ProtectionRun| usize::try_from(run.end).unwrap_or(usize::MAX);
        let at = self.runs.partition_point(|run| after(run) <= sample);
        let Some(run) = self.runs.get(at) else {
            return (None, usize::MAX);
        };
        (self.at(run), after(run))
    }
}

/// The samples of one track in one fragment (one `traf`), in file order. Most often all have the same
/// protection.
#[derive(Clone, Debug)]
pub struct TrackFragment {
    /// Index of the track in [`Presentation::tracks`](crate::Presentation::tracks).
    pub track: usize,
    /// Its `track_ID`.
    pub track_id: u32,
    /// Index of the sample entry in [`Track::entries`](crate::Track::entries).
    pub entry: usize,
    /// Units of its durations in one second.
    pub timescale: u32,
    /// Decoding time of the first sample (`tfdt`) in units of the timescale, where given.
    pub decode_time: Option<u64>,
    pub(crate) protections: SampleProtections,
    pub(crate) samples: Vec<Sample>,
    pub(crate) subsamples: Vec<Subsample>,
}

impl TrackFragment {
    /// All samples.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The subsamples of one of its samples. Their sizes add up to the sample's size; none means that
    /// the whole sample is protected (or, without protection, clear).
    #[must_use]
    pub fn subsamples(&self, sample: &Sample) -> &[Subsample] {
        let first = usize::try_from(sample.first_subsample).unwrap_or(usize::MAX);
        let count = usize::from(sample.subsamples);
        // The indices were made for this table; a sample of another fragment finds nothing or its own.
        self.subsamples
            .get(first..first.saturating_add(count))
            .unwrap_or(&[])
    }

    /// Some of the samples, with places that count from `start` of these.
    pub(crate) fn part(&self, range: Range<usize>, start: usize) -> Self {
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        let (before, from) = self.samples.split_at(range.start.min(self.samples.len()));
        let passed: u64 = before.iter().map(|sample| u64::from(sample.duration)).sum();
        let mut subsamples = Vec::new();
        let samples = from.iter().take(range.len()).map(|sample| {
            let first = u32::try_from(subsamples.len()).unwrap_or(u32::MAX);
            subsamples.extend_from_slice(self.subsamples(sample));
            Sample {
                start: sample.start.saturating_sub(start),
                first_subsample: first,
                ..*sample
            }
        });
        Self {
            samples: samples.collect(),
            subsamples,
            protections: self.protections.part(range),
            decode_time: self.decode_time.map(|time| time.saturating_add(passed)),
            ..*self
        }
    }

    /// The keys that its samples need; one may come several times.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        // The table has only what samples have.
        self.protections.table.iter().map(|found| found.kid)
    }

    /// The samples in file order, in runs of one protection (one key) that lie one behind the other and
    /// keep within the limit.
    #[must_use]
    pub fn batches(&self, limit: BatchLimit) -> Batches<'_> {
        Batches {
            fragment: self,
            next: 0,
            limit,
        }
    }
}

/// How much one batch may hold. One sample is always taken, however large.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    /// Longest duration in milliseconds.
    pub duration_ms: u64,
    /// Most bytes of samples.
    pub bytes: u64,
    /// Most samples.
    pub samples: usize,
    /// Most subsamples over all samples.
    pub subsamples: usize,
}

impl BatchLimit {
    /// No limit: batches end where the protection changes or there is a gap.
    pub const UNLIMITED: Self = Self {
        duration_ms: u64::MAX,
        bytes: u64::MAX,
        samples: usize::MAX,
        subsamples: usize::MAX,
    };
}

impl Default for BatchLimit {
    /// Two seconds, the longest span a trusted side decrypts without asking its policy again; otherwise
    /// unlimited.
    fn default() -> Self {
        Self {
            duration_ms: 2000,
            ..Self::UNLIMITED
        }
    }
}

/// Consecutive samples of one track under one key, which lie without gaps one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    fragment: &'a TrackFragment,
    protection: Option<&'a Protection>,
    samples: &'a [Sample],
}

impl<'a> Batch<'a> {
    /// How the samples are protected; `None` if they are clear and must be left as they are.
    #[must_use]
    pub fn protection(&self) -> Option<&'a Protection> {
        self.protection
    }

    /// The key they need, if any.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        self.protection().map(|protection| protection.kid)
    }

    /// The samples, never none.
    #[must_use]
    pub fn samples(&self) -> &'a [Sample] {
        self.samples
    }

    /// The subsamples of one of them, see [`TrackFragment::subsamples`].
    #[must_use]
    pub fn subsamples(&self, sample: &Sample) -> &'a [Subsample] {
        self.fragment.subsamples(sample)
    }

    /// The track fragment they belong to.
    #[must_use]
    pub fn fragment(&self) -> &'a TrackFragment {
        self.fragment
    }

    /// Where their bytes are in the fragment's media data (see [`Fragment::split`](crate::Fragment::split)).
    /// Always inside it.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        match (self.samples.first(), self.samples.last()) {
            (Some(first), Some(last)) => first.range().start..last.range().end,
            _ => 0..0,
        }
    }

    /// Their bytes, counted.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.samples
            .iter()
            .map(|sample| u64::from(sample.size))
            .sum()
    }

    /// Their duration in milliseconds, rounded up.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        let units = self
            .samples
            .iter()
            .map(|sample| u64::from(sample.duration))
            .sum();
        milliseconds(units, self.fragment.timescale)
    }
}

/// Iterator of [`TrackFragment::batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    fragment: &'a TrackFragment,
    /// Index of the sample that the next batch begins with.
    next: usize,
    limit: BatchLimit,
}

impl<'a> Iterator for Batches<'a> {
    type Item = Batch<'a>;

    fn next(&mut self) -> Option<Batch<'a>> {
        let limit = &self.limit;
        let longest = units(limit.duration_ms, self.fragment.timescale);
        let mut used = (0_u64, 0_u64, 0_usize);
        let mut count = 0_usize;
        let mut end = None;
        let (protection, last) = self.fragment.protections.of(self.next);
        let all = &self.fragment.samples;
        let rest = all.get(self.next..last.min(all.len())).unwrap_or_default();
        for sample in rest {
            used.0 = used.0.saturating_add(sample.duration.into());
            used.1 = used.1.saturating_add(sample.size.into());
            used.2 = used.2.saturating_add(sample.subsamples.into());
            let fits = used.0 <= longest
                && used.1 <= limit.bytes
                && used.2 <= limit.subsamples
                && count < limit.samples
                && end == Some(sample.start);
            if count > 0 && !fits {
                break;
            }
            count = count.saturating_add(1);
            end = sample.start.checked_add(sample.size);
        }
        let samples = rest.get(..count).filter(|samples| !samples.is_empty())?;
        self.next = self.next.saturating_add(count);
        Some(Batch {
            fragment: self.fragment,
            protection,
            samples,
        })
    }
}

/// Most units of time that make up no more than some milliseconds.
fn units(milliseconds: u64, timescale: u32) -> u64 {
    let scaled = u128::from(milliseconds).saturating_mul(timescale.into()) / 1000;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn milliseconds(units: u64, timescale: u32) -> u64 {
    // The timescale is never zero (checked with `mdhd`); 96 bits hold any product.
    let scaled = u128::from(units)
        .saturating_mul(1000)
        .div_ceil(u128::from(timescale.max(1)));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
