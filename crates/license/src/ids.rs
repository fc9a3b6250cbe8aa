//! Identifiers: fixed sizes, distinct types, so that one cannot stand in for another.

use alloc::string::String;
use core::fmt;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor};
use keybearer_crypto::Rng;

use crate::error::LicenseError;
use crate::limits::{MAX_HARDWARE_MODEL, MAX_TEXT};

/// Defines 16-byte identifiers that print as hexadecimal.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// A fresh random value.
            ///
            /// # Errors
            /// [`LicenseError::Random`].
            pub fn random(rng: &mut dyn Rng) -> Result<Self, LicenseError> {
                Ok(Self(random_bytes(rng)?))
            }

            pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
                e.bytes(&self.0)
            }

            pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
                Ok(Self(*d.bytes_fixed()?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }
    )+};
}

ids! {
    /// A content key's identifier (ISO/IEC 23001-7 KID), 16 bytes.
    KeyId,
    /// A request's identifier, 128 random bits made by the device.
    RequestId,
    /// A licence's identifier, 128 random bits made by the service; a renewal keeps it.
    LicenseId,
    /// An in-band root's identifier, 16 bytes.
    RootId,
    /// A nonce of the device, 16 random bytes, echoed in the answer.
    Nonce,
    /// A certificate's serial (CWT `cti`), 16 random bytes.
    Serial,
    /// Identifies one boot of a device, 16 bytes.
    ///
    /// The device derives it per trust anchor, or services under two anchors could link it.
    BootId,
    /// A manufacturer's identifier (EAT `oemid`, random form, RFC 9711 section 4.2.3), 16 bytes.
    OemId,
}

/// `N` bytes from the generator.
pub(crate) fn random_bytes<const N: usize>(rng: &mut dyn Rng) -> Result<[u8; N], LicenseError> {
    let mut bytes = [0; N];
    rng.fill(&mut bytes).map_err(|_| LicenseError::Random)?;
    Ok(bytes)
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// A device's identifier under one trust anchor (EAT `ueid` of type RAND, RFC 9711 section
/// 4.2.1.1): 0x01 and 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ueid([u8; 33]);

impl Ueid {
    /// The type byte of a random identifier.
    const RAND: u8 = 0x01;

    /// Wraps the device's pseudonym, which the core derives per anchor.
    #[must_use]
    pub fn from_device(pseudonym: &[u8; 32]) -> Self {
        let mut bytes = [Self::RAND; 33];
        for (to, from) in bytes.iter_mut().skip(1).zip(pseudonym) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The type byte and the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.0
    }

    pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
        e.bytes(&self.0)
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        let bytes: &[u8; 33] = d.bytes_fixed()?;
        if bytes.first() == Some(&Self::RAND) {
            Ok(Self(*bytes))
        } else {
            Err(Cbor::Value)
        }
    }
}

impl fmt::Display for Ueid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// Whether `text` is 1 to `max` printable ASCII characters, space included.
fn printable(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

/// A copy of `text`, if it is printable, in memory that may not be had.
fn owned(text: &str, max: usize) -> Result<String, Cbor> {
    if !printable(text, max) {
        return Err(Cbor::Value);
    }
    let mut owned = String::new();
    owned
        .try_reserve_exact(text.len())
        .map_err(|_| Cbor::Memory)?;
    owned.push_str(text);
    Ok(owned)
}

/// As [`owned`], for a name that a caller gives.
fn named(name: &str, max: usize) -> Result<String, LicenseError> {
    owned(name, max).map_err(|error| match error {
        Cbor::Memory => LicenseError::Memory,
        _ => LicenseError::Invalid,
    })
}

/// Reads a printable text of at most `max` bytes.
pub(crate) fn decode_text(d: &mut Decoder<'_>, max: usize) -> Result<String, Cbor> {
    owned(d.text(max)?, max)
}

/// Writes a text that [`decode_text`] will read.
pub(crate) fn encode_text(e: &mut Encoder, text: &str, max: usize) -> Result<(), Cbor> {
    if printable(text, max) {
        e.text(text)
    } else {
        Err(Cbor::Value)
    }
}

/// A device model (EAT `hwmodel`, RFC 9711 section 4.2.4): 1 to 32 printable ASCII characters.
///
/// Names a product line, never one device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareModel(String);

impl HardwareModel {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`LicenseError::Invalid`] for an empty, long or unprintable name; [`LicenseError::Memory`].
    pub fn new(name: &str) -> Result<Self, LicenseError> {
        named(name, MAX_HARDWARE_MODEL).map(Self)
    }

    /// A copy.
    ///
    /// # Errors
    /// [`LicenseError::Memory`].
    pub fn copied(&self) -> Result<Self, LicenseError> {
        Self::new(&self.0)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// EAT wants a byte string here.
    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.bytes(self.0.as_bytes())
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        let bytes = d.bytes(MAX_HARDWARE_MODEL)?;
        let name = core::str::from_utf8(bytes).map_err(|_| Cbor::Value)?;
        owned(name, MAX_HARDWARE_MODEL).map(Self)
    }
}

/// A service's or issuer's name (CWT `sub`): 1 to 64 printable ASCII characters.
///
/// Unique under one anchor; a service keeps it when its certificate is replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(String);

impl ServiceId {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`LicenseError::Invalid`] for an empty, long or unprintable name; [`LicenseError::Memory`].
    pub fn new(name: &str) -> Result<Self, LicenseError> {
        named(name, MAX_TEXT).map(Self)
    }

    /// A copy.
    ///
    /// # Errors
    /// [`LicenseError::Memory`].
    pub fn copied(&self) -> Result<Self, LicenseError> {
        Self::new(&self.0)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.text(&self.0)
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        decode_text(d, MAX_TEXT).map(Self)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HardwareModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A release number of the core or the trusted application, ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Incompatible changes.
    pub major: u16,
    /// Additions.
    pub minor: u16,
    /// Repairs.
    pub patch: u16,
}

impl Version {
    pub(crate) fn encode(self, e: &mut Encoder) -> Result<(), Cbor> {
        e.list([self.major, self.minor, self.patch], |e, part| {
            e.uint(u64::from(part))
        })
    }

    pub(crate) fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.array(3..=3, |a| {
            Ok(Self {
                major: a.item(Decoder::u16)?,
                minor: a.item(Decoder::u16)?,
                patch: a.item(Decoder::u16)?,
            })
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
