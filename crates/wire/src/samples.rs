//! The sample table of a decrypt call: fixed-size records, read where they stand.
//!
//! The sample path allocates nothing, so the two tables travel as byte strings of records rather
//! than as CBOR arrays. All numbers are big-endian.
//!
//! | sample record (24 bytes) | |
//! |---|---|
//! | 0..16 | initialisation vector; the first 8 or 16 bytes count, per the call's IV size |
//! | 16..20 | sample size in bytes |
//! | 20..24 | number of subsample records that belong to it; 0 means wholly protected |
//!
//! | subsample record (8 bytes) | |
//! |---|---|
//! | 0..4 | clear bytes |
//! | 4..8 | protected bytes |

use alloc::vec::Vec;

use crate::limits::{MAX_SAMPLES, MAX_SUBSAMPLES, SAMPLE_RECORD, SUBSAMPLE_RECORD};
use crate::status::Status;

/// One sample of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleEntry {
    /// Initialisation vector, left-aligned.
    pub iv: [u8; 16],
    /// Bytes of the sample.
    pub size: u32,
    /// Number of its subsamples.
    pub subsamples: u32,
}

/// One subsample of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubsampleEntry {
    /// Bytes left clear, first.
    pub clear: u32,
    /// Bytes protected, after them.
    pub protected: u32,
}

/// A checked view of the two record strings: lengths are whole records, counts are within limits
/// and every sample's subsamples exist. Sums against sizes are the decryptor's to check.
#[derive(Clone, Copy, Debug)]
pub struct SampleTable<'a> {
    samples: &'a [[u8; SAMPLE_RECORD]],
    subsamples: &'a [[u8; SUBSAMPLE_RECORD]],
    total: usize,
}

impl<'a> SampleTable<'a> {
    /// Takes the two strings of a request apart.
    ///
    /// # Errors
    /// [`Status::BadSampleTable`] for partial records, an empty table, counts that do not add up
    /// or sizes whose sum overflows; [`Status::LimitExceeded`] beyond the named limits.
    pub fn parse(samples: &'a [u8], subsamples: &'a [u8]) -> Result<Self, Status> {
        let (samples, rest) = samples.as_chunks::<SAMPLE_RECORD>();
        let (subsamples, sub_rest) = subsamples.as_chunks::<SUBSAMPLE_RECORD>();
        if !rest.is_empty() || !sub_rest.is_empty() || samples.is_empty() {
            return Err(Status::BadSampleTable);
        }
        if samples.len() > MAX_SAMPLES || subsamples.len() > MAX_SUBSAMPLES {
            return Err(Status::LimitExceeded);
        }
        let mut total = 0_usize;
        let mut left = subsamples.len();
        for record in samples {
            let sample = sample_of(record);
            let size = usize::try_from(sample.size).map_err(|_| Status::BadSampleTable)?;
            total = total.checked_add(size).ok_or(Status::BadSampleTable)?;
            let count = usize::try_from(sample.subsamples).map_err(|_| Status::BadSampleTable)?;
            left = left.checked_sub(count).ok_or(Status::BadSampleTable)?;
        }
        if left != 0 {
            return Err(Status::BadSampleTable);
        }
        Ok(Self {
            samples,
            subsamples,
            total,
        })
    }

    /// Bytes of all samples together.
    #[must_use]
    pub const fn total_size(&self) -> usize {
        self.total
    }

    /// Number of samples.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.samples.len()
    }

    /// Never true of a parsed table.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The samples in order, each with its subsamples.
    pub fn iter(
        &self,
    ) -> impl Iterator<
        Item = (
            SampleEntry,
            impl Iterator<Item = SubsampleEntry> + Clone + use<'a>,
        ),
    > + use<'a> {
        let mut rest = self.subsamples;
        self.samples.iter().map(move |record| {
            let sample = sample_of(record);
            // `parse` has shown that the records suffice; a miss would only shorten the list.
            let count = usize::try_from(sample.subsamples)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (own, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            rest = after;
            (sample, own.iter().map(subsample_of))
        })
    }
}

fn sample_of(record: &[u8; SAMPLE_RECORD]) -> SampleEntry {
    let [iv @ .., s0, s1, s2, s3, n0, n1, n2, n3] = *record;
    SampleEntry {
        iv,
        size: u32::from_be_bytes([s0, s1, s2, s3]),
        subsamples: u32::from_be_bytes([n0, n1, n2, n3]),
    }
}

fn subsample_of(record: &[u8; SUBSAMPLE_RECORD]) -> SubsampleEntry {
    let [c0, c1, c2, c3, p0, p1, p2, p3] = *record;
    SubsampleEntry {
        clear: u32::from_be_bytes([c0, c1, c2, c3]),
        protected: u32::from_be_bytes([p0, p1, p2, p3]),
    }
}

/// Builds the two record strings on the host; reused from call to call, it stops allocating.
#[derive(Clone, Debug, Default)]
pub struct SampleTableBuilder {
    samples: Vec<u8>,
    subsamples: Vec<u8>,
    total: usize,
}

impl SampleTableBuilder {
    /// Empties the table and keeps its memory.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.subsamples.clear();
        self.total = 0;
    }

    /// Appends a sample; `iv` is 8 or 16 bytes, or empty with a constant IV.
    ///
    /// # Errors
    /// [`Status::LimitExceeded`] when the table is full or would be: nothing is appended, send
    /// what there is and start anew. [`Status::WrongIv`] for an IV longer than 16 bytes.
    pub fn push(
        &mut self,
        iv: &[u8],
        size: u32,
        subsamples: impl ExactSizeIterator<Item = SubsampleEntry>,
    ) -> Result<(), Status> {
        let mut padded = [0_u8; 16];
        padded
            .get_mut(..iv.len())
            .ok_or(Status::WrongIv)?
            .copy_from_slice(iv);
        let count = u32::try_from(subsamples.len()).map_err(|_| Status::LimitExceeded)?;
        let held = self
            .subsamples
            .len()
            .checked_div(SUBSAMPLE_RECORD)
            .unwrap_or(0);
        let bytes = usize::try_from(size).map_err(|_| Status::LimitExceeded)?;
        if self.len() >= MAX_SAMPLES || held.saturating_add(subsamples.len()) > MAX_SUBSAMPLES {
            return Err(Status::LimitExceeded);
        }
        self.total = self.total.checked_add(bytes).ok_or(Status::LimitExceeded)?;
        self.samples.extend_from_slice(&padded);
        self.samples.extend_from_slice(&size.to_be_bytes());
        self.samples.extend_from_slice(&count.to_be_bytes());
        for subsample in subsamples {
            self.subsamples
                .extend_from_slice(&subsample.clear.to_be_bytes());
            self.subsamples
                .extend_from_slice(&subsample.protected.to_be_bytes());
        }
        Ok(())
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len().checked_div(SAMPLE_RECORD).unwrap_or(0)
    }

    /// True before the first sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Bytes of all samples together.
    #[must_use]
    pub const fn total_size(&self) -> usize {
        self.total
    }

    /// The sample records.
    #[must_use]
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// The subsample records.
    #[must_use]
    pub fn subsamples(&self) -> &[u8] {
        &self.subsamples
    }
}

#[cfg(test)]
mod tests;
