//! What a device can do, and who says so.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, decode, encode};

use crate::codes::{
    AnalogOutput, ClientKind, Codec, HdcpCapability, OutputKind, PlatformStatus, SecureStorage,
    Vulnerability,
};
use crate::error::LicenseError;
use crate::limits::{MAX_CAPABILITIES, MAX_CODECS, MAX_OUTPUTS};
use crate::time::{decode_nonzero, encode_nonzero};

/// One output of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputCapability {
    /// What it is.
    pub kind: OutputKind,
    /// Highest HDCP version over the whole topology.
    pub hdcp: HdcpCapability,
    /// HDCP stream type it can carry: 0 or 1.
    pub stream_type: Option<u8>,
    /// Whether CGMS-A can be asserted.
    pub cgms_a: Option<bool>,
    /// Largest picture in pixels.
    pub max_pixels: Option<NonZeroU32>,
}

/// Capabilities. Every field is optional; absent means not stated, which never loosens anything.
///
/// A request carries two sets: what the trusted side knows itself, and what the host says. The
/// second can only make a decision stricter, except where the level lets the host's word count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Outputs, at most [`MAX_OUTPUTS`].
    pub outputs: Option<Vec<OutputCapability>>,
    /// Whether there is any digital output; `false` satisfies every HDCP demand.
    pub digital_output: Option<bool>,
    /// The analogue output.
    pub analog: Option<AnalogOutput>,
    /// Largest picture decoded, in pixels.
    pub max_decode_pixels: Option<NonZeroU32>,
    /// Codecs decoded at High, at most [`MAX_CODECS`].
    pub codecs_at_high: Option<Vec<Codec>>,
    /// Whether the device enforces HDCP itself.
    pub hdcp_enforcement: Option<bool>,
    /// AirPlay is in use.
    pub airplay_in_use: Option<bool>,
    /// A digital AV adapter is in use.
    pub adapter_in_use: Option<bool>,
    /// Desktop platform verification.
    pub platform: Option<PlatformStatus>,
    /// Secure storage.
    pub secure_storage: Option<SecureStorage>,
    /// Worst known weakness.
    pub vulnerability: Option<Vulnerability>,
    /// System id of the device's DRM family, where it has one.
    pub system_id: Option<u32>,
    /// Browser or SDK.
    pub client: Option<ClientKind>,
}

mod field {
    pub(super) const OUTPUTS: i64 = 1;
    pub(super) const DIGITAL_OUTPUT: i64 = 2;
    pub(super) const ANALOG: i64 = 3;
    pub(super) const MAX_DECODE_PIXELS: i64 = 4;
    pub(super) const CODECS_AT_HIGH: i64 = 5;
    pub(super) const HDCP_ENFORCEMENT: i64 = 6;
    pub(super) const AIRPLAY: i64 = 7;
    pub(super) const ADAPTER: i64 = 8;
    pub(super) const PLATFORM: i64 = 9;
    pub(super) const SECURE_STORAGE: i64 = 10;
    pub(super) const VULNERABILITY: i64 = 11;
    pub(super) const SYSTEM_ID: i64 = 12;
    pub(super) const CLIENT: i64 = 13;

    pub(super) mod output {
        pub(crate) const KIND: i64 = 1;
        pub(crate) const HDCP: i64 = 2;
        pub(crate) const STREAM_TYPE: i64 = 3;
        pub(crate) const CGMS_A: i64 = 4;
        pub(crate) const MAX_PIXELS: i64 = 5;
    }
}

/// Highest HDCP stream type.
const MAX_STREAM_TYPE: u8 = 1;

impl OutputCapability {
    fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        if self.stream_type.is_some_and(|kind| kind > MAX_STREAM_TYPE) {
            return Err(Cbor::Value);
        }
        e.map(|m| {
            m.entry(field::output::KIND, |e| self.kind.encode(e))?;
            m.entry(field::output::HDCP, |e| self.hdcp.encode(e))?;
            m.optional(field::output::STREAM_TYPE, self.stream_type, |e, kind| {
                e.uint(u64::from(kind))
            })?;
            m.optional(field::output::CGMS_A, self.cgms_a, Encoder::bool)?;
            m.optional(field::output::MAX_PIXELS, self.max_pixels, encode_nonzero)
        })
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                kind: m.required(field::output::KIND, OutputKind::decode)?,
                hdcp: m.required(field::output::HDCP, HdcpCapability::decode)?,
                stream_type: m.optional(field::output::STREAM_TYPE, |d| match d.u8()? {
                    kind if kind <= MAX_STREAM_TYPE => Ok(kind),
                    _ => Err(Cbor::Value),
                })?,
                cgms_a: m.optional(field::output::CGMS_A, Decoder::bool)?,
                max_pixels: m.optional(field::output::MAX_PIXELS, decode_nonzero)?,
            })
        })
    }
}

impl Capabilities {
    /// The set as bytes, for the way from the host to the core.
    ///
    /// # Errors
    /// [`LicenseError::Malformed`] over a cap.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LicenseError> {
        Ok(encode(MAX_CAPABILITIES, |e| self.encode(e))?)
    }

    /// Reads what [`Self::to_bytes`] writes.
    ///
    /// # Errors
    /// [`LicenseError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicenseError> {
        Ok(decode(bytes, MAX_CAPABILITIES, Self::decode)?)
    }

    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        if self
            .outputs
            .as_ref()
            .is_some_and(|outputs| outputs.len() > MAX_OUTPUTS)
            || self
                .codecs_at_high
                .as_ref()
                .is_some_and(|codecs| codecs.len() > MAX_CODECS)
        {
            return Err(Cbor::SizeCap);
        }
        e.map(|m| {
            m.optional(field::OUTPUTS, self.outputs.as_ref(), |e, outputs| {
                e.list(outputs, |e, output| output.encode(e))
            })?;
            m.optional(field::DIGITAL_OUTPUT, self.digital_output, Encoder::bool)?;
            m.optional(field::ANALOG, self.analog, |e, analog| analog.encode(e))?;
            m.optional(
                field::MAX_DECODE_PIXELS,
                self.max_decode_pixels,
                encode_nonzero,
            )?;
            m.optional(
                field::CODECS_AT_HIGH,
                self.codecs_at_high.as_ref(),
                |e, codecs| e.list(codecs, |e, codec| codec.encode(e)),
            )?;
            m.optional(
                field::HDCP_ENFORCEMENT,
                self.hdcp_enforcement,
                Encoder::bool,
            )?;
            m.optional(field::AIRPLAY, self.airplay_in_use, Encoder::bool)?;
            m.optional(field::ADAPTER, self.adapter_in_use, Encoder::bool)?;
            m.optional(field::PLATFORM, self.platform, |e, status| status.encode(e))?;
            m.optional(field::SECURE_STORAGE, self.secure_storage, |e, status| {
                status.encode(e)
            })?;
            m.optional(field::VULNERABILITY, self.vulnerability, |e, level| {
                level.encode(e)
            })?;
            m.optional(field::SYSTEM_ID, self.system_id, |e, id| {
                e.uint(u64::from(id))
            })?;
            m.optional(field::CLIENT, self.client, |e, client| client.encode(e))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                outputs: m.optional(field::OUTPUTS, |d| {
                    d.list(MAX_OUTPUTS, OutputCapability::decode)
                })?,
                digital_output: m.optional(field::DIGITAL_OUTPUT, Decoder::bool)?,
                analog: m.optional(field::ANALOG, AnalogOutput::decode)?,
                max_decode_pixels: m.optional(field::MAX_DECODE_PIXELS, decode_nonzero)?,
                codecs_at_high: m
                    .optional(field::CODECS_AT_HIGH, |d| d.list(MAX_CODECS, Codec::decode))?,
                hdcp_enforcement: m.optional(field::HDCP_ENFORCEMENT, Decoder::bool)?,
                airplay_in_use: m.optional(field::AIRPLAY, Decoder::bool)?,
                adapter_in_use: m.optional(field::ADAPTER, Decoder::bool)?,
                platform: m.optional(field::PLATFORM, PlatformStatus::decode)?,
                secure_storage: m.optional(field::SECURE_STORAGE, SecureStorage::decode)?,
                vulnerability: m.optional(field::VULNERABILITY, Vulnerability::decode)?,
                system_id: m.optional(field::SYSTEM_ID, Decoder::u32)?,
                client: m.optional(field::CLIENT, ClientKind::decode)?,
            })
        })
    }
}
