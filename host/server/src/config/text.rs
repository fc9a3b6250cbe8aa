//! Values written as text, with errors that say what was expected and never repeat a key.

use std::fmt;
use std::num::NonZeroU32;

use keybearer_crypto::{Digest, Secret};
use keybearer_license::{HardwareModel, KeyId, Pattern, Serial, Ueid, Version};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

/// A value with one textual form, inside a serde structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text<T>(pub(crate) T);

/// What [`Text`] asks of a value.
pub(crate) trait TextForm: Sized {
    /// What is expected, for error messages.
    const EXPECTED: &'static str;
    /// Reads the form.
    fn parse(text: &str) -> Option<Self>;
    /// Writes the form.
    fn form(&self) -> String;
}

impl<T: TextForm> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.form())
    }
}

impl<'de, T: TextForm> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::parse(&text).map(Self).ok_or_else(|| {
            D::Error::custom(format_args!("{text:?} found, expected {}", T::EXPECTED))
        })
    }
}

/// 16 bytes written as 32 hexadecimal digits, with or without the dashes of a UUID.
pub(crate) fn parse_hex16(text: &str) -> Option<[u8; 16]> {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    let dashed = text.len() == 36
        && DASHES
            .iter()
            .all(|&at| text.as_bytes().get(at) == Some(&b'-'));
    let mut digits = if dashed {
        text.replace('-', "")
    } else {
        text.to_owned()
    };
    let mut bytes = [0; 16];
    let decoded = hex::decode_to_slice(&digits, &mut bytes);
    // The text may have been a key.
    digits.zeroize();
    decoded.ok().map(|()| bytes)
}

impl TextForm for KeyId {
    const EXPECTED: &'static str = "a key id: 32 hexadecimal digits, with or without UUID dashes";

    fn parse(text: &str) -> Option<Self> {
        parse_hex16(text).map(Self)
    }

    fn form(&self) -> String {
        self.to_string()
    }
}

impl TextForm for Serial {
    const EXPECTED: &'static str = "a serial: 32 hexadecimal digits";

    fn parse(text: &str) -> Option<Self> {
        parse_hex16(text).map(Self)
    }

    fn form(&self) -> String {
        self.to_string()
    }
}

impl TextForm for Digest {
    const EXPECTED: &'static str = "a SHA-256 digest: 64 hexadecimal digits";

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .ok()
            .map(|()| Self(bytes))
    }

    fn form(&self) -> String {
        hex::encode(self.0)
    }
}

impl TextForm for Ueid {
    const EXPECTED: &'static str = "a ueid: 66 hexadecimal digits, the first of them 01";

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 33];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        let ueid = Self::from_device(bytes.last_chunk()?);
        (ueid.as_bytes() == &bytes).then_some(ueid)
    }

    fn form(&self) -> String {
        self.to_string()
    }
}

impl TextForm for HardwareModel {
    const EXPECTED: &'static str = "a device model: 1 to 32 printable ASCII characters";

    fn parse(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }

    fn form(&self) -> String {
        self.as_str().to_owned()
    }
}

impl TextForm for Pattern {
    const EXPECTED: &'static str = "a pattern such as \"1:9\": crypt and skip blocks, 0 to 15 each";

    fn parse(text: &str) -> Option<Self> {
        let (crypt, skip) = text.split_once(':')?;
        let half = |blocks: &str| blocks.parse().ok().filter(|&blocks: &u8| blocks <= 15);
        Some(Self {
            crypt: half(crypt)?,
            skip: half(skip)?,
        })
    }

    fn form(&self) -> String {
        format!("{}:{}", self.crypt, self.skip)
    }
}

impl TextForm for Version {
    const EXPECTED: &'static str = "a version such as \"1.2.3\"";

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse().ok());
        let version = Self {
            major: parts.next()??,
            minor: parts.next()??,
            patch: parts.next()??,
        };
        parts.next().is_none().then_some(version)
    }

    fn form(&self) -> String {
        self.to_string()
    }
}

/// A content key as it is written: 32 hexadecimal digits.
///
/// Its error says what was expected and never what was found, whatever type was found: the text
/// that did not parse is most likely a key with a typing error.
pub(crate) struct KeyText(pub(crate) Secret<16>);

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl KeyVisitor {
            const EXPECTED: &'static str =
                "expected a key as 32 hexadecimal digits in quotes (what was found is not shown)";
        }

        impl Visitor<'_> for KeyVisitor {
            type Value = KeyText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key as 32 hexadecimal digits in quotes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<KeyText, E> {
                let mut bytes = parse_hex16(text).ok_or_else(|| E::custom(Self::EXPECTED))?;
                Ok(KeyText(Secret::taken_from(&mut bytes)))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<KeyText, E> {
                self.visit_str(&Zeroizing::new(text))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<KeyText, E> {
                Err(E::custom(Self::EXPECTED))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<KeyText, E> {
                Err(E::custom(Self::EXPECTED))
            }

            fn visit_i128<E: Error>(self, _: i128) -> Result<KeyText, E> {
                Err(E::custom(Self::EXPECTED))
            }

            fn visit_u128<E: Error>(self, _: u128) -> Result<KeyText, E> {
                Err(E::custom(Self::EXPECTED))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<KeyText, E> {
                Err(E::custom(Self::EXPECTED))
            }
        }

        deserializer.deserialize_any(KeyVisitor)
    }
}

/// Whole seconds or pixels for which zero means nothing: refused, since absent says "unlimited".
pub(crate) fn nonzero<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU32>, D::Error> {
    let number = Option::<u32>::deserialize(deserializer)?;
    number
        .map(|number| {
            NonZeroU32::new(number)
                .ok_or_else(|| D::Error::custom("0 found, expected 1 or more (leave out for none)"))
        })
        .transpose()
}
