//! The licence: keys and the conditions under which the trusted side may use them.

pub(crate) mod key;
pub(crate) mod timing;

use alloc::vec::Vec;
use core::num::NonZeroU32;

use keybearer_cbor::{Decoder, Error as Cbor, MapDecoder, MapEncoder};

use crate::answer::{Body, BoundHead};
use crate::codes::{CounterStrength, LicenseKind};
use crate::error::LicenseError;
use crate::ids::LicenseId;
use crate::limits::{MAX_KEYS, MAX_LICENSE_ANSWER, MAX_ROOTS};
use crate::message::MessageType;
use crate::registry::claim;
use crate::time::{UnixTime, decode_nonzero, encode_nonzero};
use key::{ContentKey, RootKey};
use timing::{Renewal, Rotation, Timing};

/// A licence. Neither cloned nor printed: it holds keys.
pub struct License {
    /// Its identifier; a renewal keeps it.
    pub license_id: LicenseId,
    /// Rises with each renewal; the higher replaces the lower at once.
    pub sequence: u64,
    /// Session or stored.
    pub kind: LicenseKind,
    /// The counter that storing it needs; at least software where plays are counted.
    pub counter: CounterStrength,
    /// Number of plays, if limited.
    pub max_plays: Option<NonZeroU32>,
    /// Beginnings and ends.
    pub timing: Timing,
    /// Lowest revocation list number the core must hold before it loads the licence; 0 for none.
    pub least_revocation: u64,
    /// Content keys, at most [`MAX_KEYS`], no id twice.
    pub keys: Vec<ContentKey>,
    /// Roots for in-band leaves, at most [`MAX_ROOTS`], no id twice.
    pub roots: Vec<RootKey>,
    /// When and where to renew.
    pub renewal: Option<Renewal>,
    /// The rotation its keys' periods count in.
    pub rotation: Option<Rotation>,
}

impl License {
    /// Refuses what contradicts itself, on both ends.
    fn check_fields(&self) -> Result<(), LicenseError> {
        let empty = self.keys.is_empty() && self.roots.is_empty();
        // Plays that a restored storage could win back are not counted.
        let uncounted = self.max_plays.is_some() && self.counter == CounterStrength::None;
        let unrotated = self.rotation.is_none() && self.keys.iter().any(|key| key.period.is_some());
        let inverted = self
            .roots
            .iter()
            .any(|root| root.first_period > root.last_period);
        if empty || uncounted || unrotated || inverted || self.names_twice() {
            return Err(LicenseError::Invalid);
        }
        self.timing.check()
    }

    fn names_twice(&self) -> bool {
        let keys = self.keys.iter().enumerate().any(|(index, key)| {
            let mut rest = self.keys.iter().skip(index.saturating_add(1));
            rest.any(|other| other.key_id == key.key_id)
        });
        let roots = self.roots.iter().enumerate().any(|(index, root)| {
            let mut rest = self.roots.iter().skip(index.saturating_add(1));
            rest.any(|other| other.root_id == root.root_id)
        });
        keys || roots
    }
}

impl Body for License {
    const KIND: MessageType = MessageType::License;
    const CAP: usize = MAX_LICENSE_ANSWER;

    fn license_id(&self) -> Option<LicenseId> {
        Some(self.license_id)
    }

    fn check(&self) -> Result<(), LicenseError> {
        self.check_fields()
    }

    fn encode_registered(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::CTI, |e| self.license_id.encode(e))
    }

    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        if self.keys.len() > MAX_KEYS || self.roots.len() > MAX_ROOTS {
            return Err(Cbor::SizeCap);
        }
        m.entry(claim::KEYS, |e| e.list(&self.keys, |e, key| key.encode(e)))?;
        m.entry(claim::LICENSE_KIND, |e| self.kind.encode(e))?;
        m.entry(claim::SEQUENCE, |e| e.uint(self.sequence))?;
        m.entry(claim::COUNTER, |e| self.counter.encode(e))?;
        m.optional(claim::MAX_PLAYS, self.max_plays, encode_nonzero)?;
        m.entry(claim::TIMING, |e| self.timing.encode(e))?;
        m.entry(claim::REVOCATION, |e| e.uint(self.least_revocation))?;
        m.entry(claim::ROOTS, |e| {
            e.list(&self.roots, |e, root| root.encode(e))
        })?;
        m.optional(claim::RENEWAL, self.renewal.as_ref(), |e, renewal| {
            renewal.encode(e)
        })?;
        m.optional(claim::ROTATION, self.rotation, |e, rotation| {
            rotation.encode(e)
        })
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(BoundHead, Self), Cbor> {
        let server_time = m.required(claim::IAT, UnixTime::decode)?;
        let license_id = m.required(claim::CTI, LicenseId::decode)?;
        let head = BoundHead::decode_private(m, server_time)?;
        let keys = m.required(claim::KEYS, |d| d.list(MAX_KEYS, ContentKey::decode))?;
        let license = Self {
            license_id,
            keys,
            kind: m.required(claim::LICENSE_KIND, LicenseKind::decode)?,
            sequence: m.required(claim::SEQUENCE, Decoder::uint)?,
            counter: m.required(claim::COUNTER, CounterStrength::decode)?,
            max_plays: m.optional(claim::MAX_PLAYS, decode_nonzero)?,
            timing: m.required(claim::TIMING, Timing::decode)?,
            least_revocation: m.required(claim::REVOCATION, Decoder::uint)?,
            roots: m.required(claim::ROOTS, |d| d.list(MAX_ROOTS, RootKey::decode))?,
            renewal: m.optional(claim::RENEWAL, Renewal::decode)?,
            rotation: m.optional(claim::ROTATION, Rotation::decode)?,
        };
        Ok((head, license))
    }
}
