//! How the parts of a body are encoded: one trait for values, one for maps of them.

use alloc::vec::Vec;
use keybearer_cbor::{Decoder, Encoder, Error, MapDecoder, MapEncoder};

/// Why bytes are not a body, or a value does not fit one.
pub use keybearer_cbor::Error as CodecError;

/// A value inside a body.
pub trait Field<'a>: Sized {
    /// Writes exactly one item.
    ///
    /// # Errors
    /// Those of the encoder; [`Error::SizeCap`] when the value exceeds its named limit.
    fn write(&self, encoder: &mut Encoder) -> Result<(), Error>;

    /// Reads exactly one item.
    ///
    /// # Errors
    /// Those of the strict decoder.
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error>;
}

/// A value under a key of a body's map; `Option` is an optional key.
pub trait Entry<'a>: Sized {
    /// Writes the entry, or nothing for `None`.
    ///
    /// # Errors
    /// Those of [`Field::write`].
    fn write_entry(&self, map: &mut MapEncoder<'_>, key: i64) -> Result<(), Error>;

    /// Reads the entry.
    ///
    /// # Errors
    /// Those of [`Field::read`]; [`Error::MissingKey`] for a required key.
    fn read_entry(map: &mut MapDecoder<'_, 'a>, key: i64) -> Result<Self, Error>;
}

impl<'a, T: Field<'a>> Entry<'a> for T {
    fn write_entry(&self, map: &mut MapEncoder<'_>, key: i64) -> Result<(), Error> {
        map.entry(key, |encoder| self.write(encoder))
    }
    fn read_entry(map: &mut MapDecoder<'_, 'a>, key: i64) -> Result<Self, Error> {
        map.required(key, T::read)
    }
}

impl<'a, T: Field<'a>> Entry<'a> for Option<T> {
    fn write_entry(&self, map: &mut MapEncoder<'_>, key: i64) -> Result<(), Error> {
        map.optional(key, self.as_ref(), |encoder, value| value.write(encoder))
    }
    fn read_entry(map: &mut MapDecoder<'_, 'a>, key: i64) -> Result<Self, Error> {
        map.optional(key, T::read)
    }
}

/// A whole request or answer.
pub trait Body<'a>: Field<'a> {
    /// Decodes a body of at most `cap` bytes, strictly.
    ///
    /// # Errors
    /// Every deviation from the one deterministic encoding.
    fn decode(bytes: &'a [u8], cap: usize) -> Result<Self, Error> {
        keybearer_cbor::decode(bytes, cap, Self::read)
    }

    /// Encodes a body of at most `cap` bytes.
    ///
    /// # Errors
    /// [`Error::SizeCap`], [`Error::Memory`].
    fn encode(&self, cap: usize) -> Result<Vec<u8>, Error> {
        keybearer_cbor::encode(cap, |encoder| self.write(encoder))
    }
}

/// A byte string of at most `CAP` bytes, borrowed from the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob<'a, const CAP: usize>(pub &'a [u8]);

impl<'a, const CAP: usize> Field<'a> for Blob<'a, CAP> {
    fn write(&self, encoder: &mut Encoder) -> Result<(), Error> {
        if self.0.len() > CAP {
            return Err(Error::SizeCap);
        }
        encoder.bytes(self.0)
    }
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        decoder.bytes(CAP).map(Self)
    }
}

/// A text of at most `CAP` bytes of UTF-8, borrowed from the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a, const CAP: usize>(pub &'a str);

impl<'a, const CAP: usize> Field<'a> for Text<'a, CAP> {
    fn write(&self, encoder: &mut Encoder) -> Result<(), Error> {
        if self.0.len() > CAP {
            return Err(Error::SizeCap);
        }
        encoder.text(self.0)
    }
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        decoder.text(CAP).map(Self)
    }
}

/// At most `CAP` values in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const CAP: usize>(pub Vec<T>);

impl<'a, T: Field<'a>, const CAP: usize> Field<'a> for List<T, CAP> {
    fn write(&self, encoder: &mut Encoder) -> Result<(), Error> {
        if self.0.len() > CAP {
            return Err(Error::SizeCap);
        }
        encoder.list(self.0.iter(), |encoder, value| value.write(encoder))
    }
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        decoder.list(CAP, T::read).map(Self)
    }
}

/// Implements [`Field`] for an unsigned integer type.
macro_rules! unsigned {
    ($($ty:ty => $read:ident),*) => {$(
        impl<'a> Field<'a> for $ty {
            fn write(&self, encoder: &mut Encoder) -> Result<(), Error> {
                encoder.uint(u64::from(*self))
            }
            fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
                decoder.$read()
            }
        }
    )*};
}
unsigned!(u8 => u8, u16 => u16, u32 => u32, u64 => uint);

impl<'a> Field<'a> for i64 {
    fn write(&self, encoder: &mut Encoder) -> Result<(), Error> {
        encoder.int(*self)
    }
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        decoder.int()
    }
}

impl<'a> Field<'a> for bool {
    fn write(&self, encoder: &mut Encoder) -> Result<(), Error> {
        encoder.bool(*self)
    }
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        decoder.bool()
    }
}

impl<'a, const N: usize> Field<'a> for [u8; N] {
    fn write(&self, encoder: &mut Encoder) -> Result<(), Error> {
        encoder.bytes(self)
    }
    fn read(decoder: &mut Decoder<'a>) -> Result<Self, Error> {
        decoder.bytes_fixed().copied()
    }
}

/// Defines a body: a struct whose fields are the entries of one integer-keyed map.
macro_rules! body {
    ($(#[$meta:meta])* $name:ident $(<$lt:lifetime>)? {
        $($(#[$field_meta:meta])* $key:literal => $field:ident: $ty:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $(<$lt>)? {
            $($(#[$field_meta])* pub $field: $ty,)*
        }
        $crate::field::body!(@impl $name, ($($lt)?), $($key => $field: $ty,)*);
    };
    (@impl $name:ident, (), $($key:literal => $field:ident: $ty:ty,)*) => {
        $crate::field::body!(@bodies 'a, $name, $name, $($key => $field: $ty,)*);
    };
    (@impl $name:ident, ($lt:lifetime), $($key:literal => $field:ident: $ty:ty,)*) => {
        $crate::field::body!(@bodies $lt, $name, $name<$lt>, $($key => $field: $ty,)*);
    };
    (@bodies $lt:lifetime, $name:ident, $full:ty, $($key:literal => $field:ident: $ty:ty,)*) => {
        impl<$lt> $crate::field::Field<$lt> for $full {
            fn write(&self, encoder: &mut keybearer_cbor::Encoder) -> Result<(), keybearer_cbor::Error> {
                encoder.map(|_map| {
                    $($crate::field::Entry::write_entry(&self.$field, _map, $key)?;)*
                    Ok(())
                })
            }
            fn read(decoder: &mut keybearer_cbor::Decoder<$lt>) -> Result<Self, keybearer_cbor::Error> {
                decoder.map(|_map| {
                    Ok(Self { $($field: <$ty as $crate::field::Entry<$lt>>::read_entry(_map, $key)?,)* })
                })
            }
        }
        impl<$lt> $crate::field::Body<$lt> for $full {}
    };
}
pub(crate) use body;

/// Defines an enumeration carried as its number; an unknown number is refused.
macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum $name {
            $($(#[$vmeta])* #[doc = $text] $variant = $code,)*
        }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$variant => $code),* }
            }

            /// The value of a number.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl<'a> $crate::field::Field<'a> for $name {
            fn write(&self, encoder: &mut keybearer_cbor::Encoder) -> Result<(), keybearer_cbor::Error> {
                encoder.uint(u64::from(self.code()))
            }
            fn read(decoder: &mut keybearer_cbor::Decoder<'a>) -> Result<Self, keybearer_cbor::Error> {
                Self::from_code(decoder.u16()?).ok_or(keybearer_cbor::Error::Value)
            }
        }
    };
}
pub(crate) use coded;
