//! Denials: why a service refused, in numbers that never change and a few words.

use alloc::string::String;
use core::num::NonZeroU32;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, MapDecoder, MapEncoder};
use keybearer_rules::Level;

use super::{Body, BoundHead};
use crate::codes::DenialReason;
use crate::error::LicenseError;
use crate::ids::{KeyId, LicenseId, decode_text, encode_text};
use crate::limits::{MAX_LICENSE_ANSWER, MAX_TEXT};
use crate::message::MessageType;
use crate::registry::claim;
use crate::time::{UnixTime, decode_nonzero, encode_nonzero};

/// A refusal and what would have to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: DenialReason,
    /// The key it is about.
    pub key_id: Option<KeyId>,
    /// What was required: 1 to 64 printable ASCII characters.
    pub wanted: Option<String>,
    /// What the request had.
    pub found: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The level needed, for [`DenialReason::LevelTooLow`].
    pub level_needed: Option<Level>,
    /// A public server code where one is known (4008, 4044, 2104 and so on).
    pub public_code: Option<u32>,
    /// Seconds after which asking again makes sense.
    pub retry_after_seconds: Option<NonZeroU32>,
}

mod field {
    pub(super) const REASON: i64 = 1;
    pub(super) const KEY_ID: i64 = 2;
    pub(super) const WANTED: i64 = 3;
    pub(super) const FOUND: i64 = 4;
    pub(super) const RULE: i64 = 5;
    pub(super) const LEVEL_NEEDED: i64 = 6;
    pub(super) const PUBLIC_CODE: i64 = 7;
    pub(super) const RETRY_AFTER: i64 = 8;
}

impl Denial {
    /// A refusal without parameters.
    #[must_use]
    pub const fn new(reason: DenialReason) -> Self {
        Self {
            reason,
            key_id: None,
            wanted: None,
            found: None,
            rule: None,
            level_needed: None,
            public_code: None,
            retry_after_seconds: None,
        }
    }

    fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        let text = |e: &mut Encoder, text: &String| encode_text(e, text, MAX_TEXT);
        e.map(|m| {
            m.entry(field::REASON, |e| self.reason.encode(e))?;
            m.optional(field::KEY_ID, self.key_id, |e, id| id.encode(e))?;
            m.optional(field::WANTED, self.wanted.as_ref(), text)?;
            m.optional(field::FOUND, self.found.as_ref(), text)?;
            m.optional(field::RULE, self.rule.as_ref(), text)?;
            m.optional(field::LEVEL_NEEDED, self.level_needed, |e, level| {
                level.encode(e)
            })?;
            m.optional(field::PUBLIC_CODE, self.public_code, |e, code| {
                e.uint(u64::from(code))
            })?;
            m.optional(field::RETRY_AFTER, self.retry_after_seconds, encode_nonzero)
        })
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        let text = |d: &mut Decoder<'_>| decode_text(d, MAX_TEXT);
        d.map(|m| {
            Ok(Self {
                reason: m.required(field::REASON, DenialReason::decode)?,
                key_id: m.optional(field::KEY_ID, KeyId::decode)?,
                wanted: m.optional(field::WANTED, text)?,
                found: m.optional(field::FOUND, text)?,
                rule: m.optional(field::RULE, text)?,
                level_needed: m.optional(field::LEVEL_NEEDED, Level::decode)?,
                public_code: m.optional(field::PUBLIC_CODE, Decoder::u32)?,
                retry_after_seconds: m.optional(field::RETRY_AFTER, decode_nonzero)?,
            })
        })
    }
}

impl Body for Denial {
    const KIND: MessageType = MessageType::Denial;
    const CAP: usize = MAX_LICENSE_ANSWER;

    fn license_id(&self) -> Option<LicenseId> {
        None
    }

    fn check(&self) -> Result<(), LicenseError> {
        Ok(())
    }

    fn encode_registered(&self, _: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        Ok(())
    }

    fn encode_private(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(claim::DENIAL, |e| self.encode(e))
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<(BoundHead, Self), Cbor> {
        let server_time = m.required(claim::IAT, UnixTime::decode)?;
        let head = BoundHead::decode_private(m, server_time)?;
        Ok((head, m.required(claim::DENIAL, Self::decode)?))
    }
}
