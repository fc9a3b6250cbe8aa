//! Keys in a licence, each with the conditions of its use.

use alloc::string::String;
use core::num::NonZeroU32;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, MapDecoder, MapEncoder};
use keybearer_crypto::Secret;
use keybearer_rules::{Level, OutputPolicy};

use crate::codes::{IvKind, Pattern, PolicyOrigin, Scheme, TrackType};
use crate::ids::{KeyId, RootId, decode_text, encode_text};
use crate::limits::MAX_TEXT;
use crate::time::{decode_nonzero, encode_nonzero};

/// Where a key's policy came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySource {
    /// The place.
    pub origin: PolicyOrigin,
    /// The profile's name: 1 to 64 printable ASCII characters.
    pub profile: Option<String>,
}

/// How a key may be used: one track type, one scheme, one kind of IV, so that the decryptor is no
/// keystream oracle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The only track type.
    pub track: TrackType,
    /// The only scheme.
    pub scheme: Scheme,
    /// The only kind of IV.
    pub iv: IvKind,
    /// The only pattern; none: any.
    pub pattern: Option<Pattern>,
    /// The lowest level at which the key is used at all.
    pub lowest_level: Level,
    /// At Low, only in a sandboxed worker.
    pub require_worker: bool,
    /// What outputs must do.
    pub policy: OutputPolicy,
    /// Largest picture in pixels; none: any.
    pub max_pixels: Option<NonZeroU32>,
    /// Clear bytes allowed in one sample; none: any number.
    pub max_clear_bytes: Option<u32>,
    /// Where the policy came from.
    pub source: PolicySource,
}

/// A content key.
pub struct ContentKey {
    /// Its identifier.
    pub key_id: KeyId,
    /// AES-128 key.
    pub key: Secret<16>,
    /// How it may be used.
    pub usage: KeyUse,
    /// The rotation period it belongs to.
    pub period: Option<u64>,
}

/// A root under which leaves arrive in band, one for each channel, track type and lowest level.
pub struct RootKey {
    /// Its identifier.
    pub root_id: RootId,
    /// The secret leaf key-encryption keys are derived from.
    pub key: Secret<32>,
    /// How every key under it may be used; a leaf may only be stricter.
    pub usage: KeyUse,
    /// First period a leaf may have.
    pub first_period: u64,
    /// Last period a leaf may have, included.
    pub last_period: u64,
}

mod field {
    pub(super) const ID: i64 = 1;
    pub(super) const KEY: i64 = 2;
    pub(super) const TRACK: i64 = 3;
    pub(super) const SCHEME: i64 = 4;
    pub(super) const IV: i64 = 5;
    pub(super) const PATTERN: i64 = 6;
    pub(super) const LOWEST_LEVEL: i64 = 7;
    pub(super) const REQUIRE_WORKER: i64 = 8;
    pub(super) const POLICY: i64 = 9;
    pub(super) const MAX_PIXELS: i64 = 10;
    pub(super) const MAX_CLEAR_BYTES: i64 = 11;
    pub(super) const ORIGIN: i64 = 12;
    pub(super) const PROFILE: i64 = 13;
    pub(super) const PERIOD: i64 = 14;
    pub(super) const LAST_PERIOD: i64 = 15;
}

impl KeyUse {
    /// Writes the entries between a key and its period.
    fn encode(&self, m: &mut MapEncoder<'_>) -> Result<(), Cbor> {
        m.entry(field::TRACK, |e| self.track.encode(e))?;
        m.entry(field::SCHEME, |e| self.scheme.encode(e))?;
        m.entry(field::IV, |e| self.iv.encode(e))?;
        m.optional(field::PATTERN, self.pattern, |e, pattern| pattern.encode(e))?;
        m.entry(field::LOWEST_LEVEL, |e| self.lowest_level.encode(e))?;
        m.entry(field::REQUIRE_WORKER, |e| e.bool(self.require_worker))?;
        m.entry(field::POLICY, |e| self.policy.encode(e))?;
        m.optional(field::MAX_PIXELS, self.max_pixels, encode_nonzero)?;
        m.optional(field::MAX_CLEAR_BYTES, self.max_clear_bytes, |e, max| {
            e.uint(u64::from(max))
        })?;
        m.entry(field::ORIGIN, |e| self.source.origin.encode(e))?;
        m.optional(field::PROFILE, self.source.profile.as_ref(), |e, name| {
            encode_text(e, name, MAX_TEXT)
        })
    }

    fn decode(m: &mut MapDecoder<'_, '_>) -> Result<Self, Cbor> {
        Ok(Self {
            track: m.required(field::TRACK, TrackType::decode)?,
            scheme: m.required(field::SCHEME, Scheme::decode)?,
            iv: m.required(field::IV, IvKind::decode)?,
            pattern: m.optional(field::PATTERN, Pattern::decode)?,
            lowest_level: m.required(field::LOWEST_LEVEL, Level::decode)?,
            require_worker: m.required(field::REQUIRE_WORKER, Decoder::bool)?,
            policy: m.required(field::POLICY, OutputPolicy::decode)?,
            max_pixels: m.optional(field::MAX_PIXELS, decode_nonzero)?,
            max_clear_bytes: m.optional(field::MAX_CLEAR_BYTES, Decoder::u32)?,
            source: PolicySource {
                origin: m.required(field::ORIGIN, PolicyOrigin::decode)?,
                profile: m.optional(field::PROFILE, |d| decode_text(d, MAX_TEXT))?,
            },
        })
    }
}

impl ContentKey {
    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.map(|m| {
            m.entry(field::ID, |e| self.key_id.encode(e))?;
            m.entry(field::KEY, |e| e.bytes(self.key.expose()))?;
            self.usage.encode(m)?;
            m.optional(field::PERIOD, self.period, Encoder::uint)
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                key_id: m.required(field::ID, KeyId::decode)?,
                key: m.required(field::KEY, |d| Ok(Secret::copied_from(d.bytes_fixed()?)))?,
                usage: KeyUse::decode(m)?,
                period: m.optional(field::PERIOD, Decoder::uint)?,
            })
        })
    }
}

impl RootKey {
    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.map(|m| {
            m.entry(field::ID, |e| self.root_id.encode(e))?;
            m.entry(field::KEY, |e| e.bytes(self.key.expose()))?;
            self.usage.encode(m)?;
            m.entry(field::PERIOD, |e| e.uint(self.first_period))?;
            m.entry(field::LAST_PERIOD, |e| e.uint(self.last_period))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                root_id: m.required(field::ID, RootId::decode)?,
                key: m.required(field::KEY, |d| Ok(Secret::copied_from(d.bytes_fixed()?)))?,
                usage: KeyUse::decode(m)?,
                first_period: m.required(field::PERIOD, Decoder::uint)?,
                last_period: m.required(field::LAST_PERIOD, Decoder::uint)?,
            })
        })
    }
}
