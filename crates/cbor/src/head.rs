//! The head of a data item: its major type and argument (RFC 8949 section 3).
//!
//! Written by hand, though `ciborium-ll` has such a decoder: what has to be refused (a wide form, an
//! indefinite length, reserved information, `f8 14` for false) stands in the first byte, which
//! that decoder normalises away, and it would bring floating-point conversion, `half` and
//! `zerocopy` into the trusted application for values that are never accepted. It also leaves
//! ciborium free to be the oracle of this crate's tests.

use crate::Error;

/// Major types that remain once tags and floats are refused (RFC 8949 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Major {
    Uint = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Simple = 7,
}

/// The simple values that are accepted (RFC 8949 section 3.3).
pub(crate) const FALSE: u64 = 20;
pub(crate) const TRUE: u64 = 21;
pub(crate) const NULL: u64 = 22;

/// The longest head: one byte and a 64-bit argument.
pub(crate) const MAX_HEAD: usize = 9;

/// A head in deterministic form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) major: Major,
    /// The integer, length, count or simple value. For `Negative` the value is -1 - argument.
    pub(crate) argument: u64,
}

impl Head {
    /// Reads the head at the front of `input` and returns it with what follows.
    ///
    /// A head is accepted only in its shortest form, and never for a tag, a float, an indefinite
    /// length or a simple value other than false, true and null.
    pub(crate) fn read(input: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (&first, rest) = input.split_first().ok_or(Error::Truncated)?;
        let info = first & 0x1f;
        // The type is judged before the argument: a float is refused as a float whatever its width.
        let major = match first >> 5 {
            0 => Major::Uint,
            1 => Major::Negative,
            2 => Major::Bytes,
            3 => Major::Text,
            4 => Major::Array,
            5 => Major::Map,
            6 => return Err(Error::Tag),
            _ if (25..=27).contains(&info) => return Err(Error::Float),
            _ => Major::Simple,
        };
        let (argument, rest) = match info {
            0..=23 => (u64::from(info), rest),
            24 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(Error::Truncated)?;
                (u64::from(u8::from_be_bytes(*bytes)), rest)
            }
            25 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(Error::Truncated)?;
                (u64::from(u16::from_be_bytes(*bytes)), rest)
            }
            26 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(Error::Truncated)?;
                (u64::from(u32::from_be_bytes(*bytes)), rest)
            }
            27 => {
                let (bytes, rest) = rest.split_first_chunk().ok_or(Error::Truncated)?;
                (u64::from_be_bytes(*bytes), rest)
            }
            28..=30 => return Err(Error::ReservedInfo),
            _ => return Err(Error::Indefinite),
        };
        // Section 3.3 gives simple values below 32 no two-byte form at all, and the accepted three
        // fit the first byte, so one comparison covers integers, lengths and simple values.
        if info != shortest_info(argument) {
            return Err(Error::NonMinimal);
        }
        if major == Major::Simple && !matches!(argument, FALSE | TRUE | NULL) {
            return Err(Error::Simple);
        }
        Ok((Self { major, argument }, rest))
    }

    /// Writes the head in its shortest form and returns the bytes used of `out`.
    pub(crate) fn write(self, out: &mut [u8; MAX_HEAD]) -> &[u8] {
        let info = shortest_info(self.argument);
        out[0] = (self.major as u8) << 5 | info;
        let wide = self.argument.to_be_bytes();
        let width = match info {
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => 0,
        };
        out[1..=width].copy_from_slice(&wide[8 - width..]);
        &out[..=width]
    }
}

/// The additional information of the shortest head for `argument` (RFC 8949 section 4.2.1).
const fn shortest_info(argument: u64) -> u8 {
    match argument.to_be_bytes() {
        [0, 0, 0, 0, 0, 0, 0, small @ 0..=23] => small,
        [0, 0, 0, 0, 0, 0, 0, _] => 24,
        [0, 0, 0, 0, 0, 0, _, _] => 25,
        [0, 0, 0, 0, _, _, _, _] => 26,
        _ => 27,
    }
}
