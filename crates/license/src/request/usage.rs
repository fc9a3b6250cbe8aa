//! Usage records: what was used of a licence, chained by digest.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, decode, encode};
use keybearer_crypto::{Crypto, Digest};

use crate::error::LicenseError;
use crate::ids::LicenseId;
use crate::limits::{MAX_USAGE_RECORD, MAX_USAGE_RECORDS};
use crate::time::UnixTime;

/// What a device used of one licence. It travels inside a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// The licence.
    pub license_id: LicenseId,
    /// First use, in anchored time.
    pub first_use: Option<UnixTime>,
    /// Last use, in anchored time.
    pub last_use: Option<UnixTime>,
    /// Plays begun.
    pub plays: u32,
    /// The device's counter when the record was written.
    pub counter: u64,
    /// Digest of the record before this one.
    pub previous: Option<Digest>,
    /// The keys are erased and the erasure is committed.
    pub released: bool,
    /// The storage cannot tell whether it was put back to an older state.
    pub rollback_possible: bool,
}

mod field {
    pub(super) const LICENSE_ID: i64 = 1;
    pub(super) const FIRST_USE: i64 = 2;
    pub(super) const LAST_USE: i64 = 3;
    pub(super) const PLAYS: i64 = 4;
    pub(super) const COUNTER: i64 = 5;
    pub(super) const PREVIOUS: i64 = 6;
    pub(super) const RELEASED: i64 = 7;
    pub(super) const ROLLBACK_POSSIBLE: i64 = 8;
}

impl UsageRecord {
    /// The record as bytes, for storing.
    ///
    /// # Errors
    /// [`LicenseError::Malformed`] for a time after [`MAX_UNIX_TIME`](crate::MAX_UNIX_TIME).
    pub fn to_bytes(&self) -> Result<Vec<u8>, LicenseError> {
        Ok(encode(MAX_USAGE_RECORD, |e| self.encode(e))?)
    }

    /// Reads what [`Self::to_bytes`] writes.
    ///
    /// # Errors
    /// [`LicenseError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicenseError> {
        Ok(decode(bytes, MAX_USAGE_RECORD, Self::decode)?)
    }

    /// SHA-256 of [`Self::to_bytes`]: what a release answer and the next record name.
    ///
    /// # Errors
    /// As [`Self::to_bytes`].
    pub fn digest<C: Crypto + ?Sized>(&self, crypto: &C) -> Result<Digest, LicenseError> {
        Ok(crypto.sha256(&[&self.to_bytes()?]))
    }

    fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.map(|m| {
            m.entry(field::LICENSE_ID, |e| self.license_id.encode(e))?;
            m.optional(field::FIRST_USE, self.first_use, |e, time| time.encode(e))?;
            m.optional(field::LAST_USE, self.last_use, |e, time| time.encode(e))?;
            m.entry(field::PLAYS, |e| e.uint(u64::from(self.plays)))?;
            m.entry(field::COUNTER, |e| e.uint(self.counter))?;
            m.optional(field::PREVIOUS, self.previous, |e, digest| {
                e.bytes(&digest.0)
            })?;
            m.entry(field::RELEASED, |e| e.bool(self.released))?;
            m.entry(field::ROLLBACK_POSSIBLE, |e| e.bool(self.rollback_possible))
        })
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                license_id: m.required(field::LICENSE_ID, LicenseId::decode)?,
                first_use: m.optional(field::FIRST_USE, UnixTime::decode)?,
                last_use: m.optional(field::LAST_USE, UnixTime::decode)?,
                plays: m.required(field::PLAYS, Decoder::u32)?,
                counter: m.required(field::COUNTER, Decoder::uint)?,
                previous: m
                    .optional(field::PREVIOUS, Decoder::bytes_fixed)?
                    .map(|digest| Digest(*digest)),
                released: m.required(field::RELEASED, Decoder::bool)?,
                rollback_possible: m.required(field::ROLLBACK_POSSIBLE, Decoder::bool)?,
            })
        })
    }
}

/// The licence a renewal or release is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenseRef {
    /// The licence.
    pub license_id: LicenseId,
    /// The sequence number the device holds.
    pub sequence: u64,
    /// Usage records, oldest first, at most [`MAX_USAGE_RECORDS`].
    pub usage: Vec<UsageRecord>,
}

impl LicenseRef {
    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        if self.usage.len() > MAX_USAGE_RECORDS {
            return Err(Cbor::SizeCap);
        }
        e.array(|e| {
            self.license_id.encode(e)?;
            e.uint(self.sequence)?;
            e.list(&self.usage, |e, record| record.encode(e))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.array(3..=3, |a| {
            Ok(Self {
                license_id: a.item(LicenseId::decode)?,
                sequence: a.item(Decoder::uint)?,
                usage: a.item(|d| d.list(MAX_USAGE_RECORDS, UsageRecord::decode))?,
            })
        })
    }
}
