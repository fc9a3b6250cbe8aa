//! Reading: a decoder that borrows its input and believes none of it.

mod array;
mod map;

pub use array::ArrayDecoder;
pub use map::MapDecoder;

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::head::{FALSE, Head, Major, NULL, TRUE};
use crate::{Error, MAX_DEPTH};

/// Reads `input` as exactly one item of at most `cap` bytes.
///
/// # Errors
/// [`Error::SizeCap`] for more than `cap` bytes, before any of them is read;
/// [`Error::TrailingBytes`]; [`Error::Count`] where `read` takes anything but one item; and
/// whatever `read` returns.
pub fn decode<'a, T>(
    input: &'a [u8],
    cap: usize,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut decoder = Decoder::new(input, cap)?;
    let value = decoder.one(read)?;
    decoder.finish()?;
    Ok(value)
}

/// What the next item is, for schemas that allow more than one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer from 0 to 2^64 - 1.
    Uint,
    /// An integer from -2^64 to -1.
    Negative,
    /// A byte string.
    Bytes,
    /// A text string.
    Text,
    /// An array.
    Array,
    /// A map.
    Map,
    /// False or true.
    Bool,
    /// Null.
    Null,
}

/// Reads items from borrowed bytes.
///
/// After an error the position is unspecified and the decoder of no further use.
pub struct Decoder<'a> {
    rest: &'a [u8],
    /// Containers around the position.
    depth: usize,
    /// Items read so far in the innermost container, so that a reader which takes none or two
    /// where one belongs is caught instead of shifting everything behind it.
    items: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder at the beginning of `input`; [`decode`] is the usual way in.
    ///
    /// # Errors
    /// [`Error::SizeCap`] for more than `cap` bytes.
    pub fn new(input: &'a [u8], cap: usize) -> Result<Self, Error> {
        if input.len() > cap {
            return Err(Error::SizeCap);
        }
        Ok(Self::at_depth(input, 0))
    }

    /// A decoder whose items count as standing inside `depth` containers.
    pub(crate) const fn at_depth(input: &'a [u8], depth: usize) -> Self {
        Self {
            rest: input,
            depth,
            items: 0,
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Error::TrailingBytes`] when input is left.
    pub const fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Error::TrailingBytes)
        }
    }

    /// What the next item is, without reading it.
    ///
    /// # Errors
    /// Whatever is wrong with its head.
    pub fn kind(&self) -> Result<Kind, Error> {
        let (head, _) = Head::read(self.rest)?;
        Ok(match head.major {
            Major::Uint => Kind::Uint,
            Major::Negative => Kind::Negative,
            Major::Bytes => Kind::Bytes,
            Major::Text => Kind::Text,
            Major::Array => Kind::Array,
            Major::Map => Kind::Map,
            Major::Simple if head.argument == NULL => Kind::Null,
            Major::Simple => Kind::Bool,
        })
    }

    /// An integer from 0 to 2^64 - 1.
    ///
    /// # Errors
    /// [`Error::Type`] for a negative integer or another type.
    pub fn uint(&mut self) -> Result<u64, Error> {
        let value = self.argument(Major::Uint)?;
        self.items += 1;
        Ok(value)
    }

    /// An integer that fits 8 bits.
    ///
    /// # Errors
    /// [`Error::Range`], and as [`uint`](Self::uint).
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.uint()?.try_into().map_err(|_| Error::Range)
    }

    /// An integer that fits 16 bits.
    ///
    /// # Errors
    /// [`Error::Range`], and as [`uint`](Self::uint).
    pub fn u16(&mut self) -> Result<u16, Error> {
        self.uint()?.try_into().map_err(|_| Error::Range)
    }

    /// An integer that fits 32 bits.
    ///
    /// # Errors
    /// [`Error::Range`], and as [`uint`](Self::uint).
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.uint()?.try_into().map_err(|_| Error::Range)
    }

    /// An integer from -2^63 to 2^63 - 1.
    ///
    /// # Errors
    /// [`Error::Range`] for an integer outside, [`Error::Type`] for another type.
    pub fn int(&mut self) -> Result<i64, Error> {
        let (head, rest) = Head::read(self.rest)?;
        let value = signed(head)
            .ok_or_else(|| mismatch(head))?
            .ok_or(Error::Range)?;
        self.rest = rest;
        self.items += 1;
        Ok(value)
    }

    /// False or true.
    ///
    /// # Errors
    /// [`Error::Type`], [`Error::UnexpectedNull`].
    pub fn bool(&mut self) -> Result<bool, Error> {
        let (head, rest) = Head::read(self.rest)?;
        let value = match (head.major, head.argument) {
            (Major::Simple, FALSE) => false,
            (Major::Simple, TRUE) => true,
            _ => return Err(mismatch(head)),
        };
        self.rest = rest;
        self.items += 1;
        Ok(value)
    }

    /// Null.
    ///
    /// # Errors
    /// [`Error::Type`].
    pub fn null(&mut self) -> Result<(), Error> {
        let (head, rest) = Head::read(self.rest)?;
        if (head.major, head.argument) != (Major::Simple, NULL) {
            return Err(Error::Type);
        }
        self.rest = rest;
        self.items += 1;
        Ok(())
    }

    /// Null, or what `read` reads.
    ///
    /// # Errors
    /// Whatever `read` returns.
    pub fn nullable<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.kind()? == Kind::Null {
            self.null()?;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// A byte string of at most `cap` bytes.
    ///
    /// # Errors
    /// [`Error::LengthBeyondInput`], [`Error::SizeCap`], [`Error::Type`].
    pub fn bytes(&mut self, cap: usize) -> Result<&'a [u8], Error> {
        self.string(Major::Bytes, cap)
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// [`Error::Range`] for another length; [`Error::LengthBeyondInput`], [`Error::Type`].
    pub fn bytes_fixed<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        self.string(Major::Bytes, usize::MAX)?
            .try_into()
            .map_err(|_| Error::Range)
    }

    /// A text string of at most `cap` bytes of UTF-8.
    ///
    /// # Errors
    /// [`Error::Utf8`], [`Error::LengthBeyondInput`], [`Error::SizeCap`], [`Error::Type`].
    pub fn text(&mut self, cap: usize) -> Result<&'a str, Error> {
        core::str::from_utf8(self.string(Major::Text, cap)?).map_err(|_| Error::Utf8)
    }

    /// An array whose number of items lies in `items`; `read` has to take all of them.
    ///
    /// # Errors
    /// [`Error::Count`], [`Error::Depth`], [`Error::LengthBeyondInput`], [`Error::Type`], and
    /// whatever `read` returns.
    pub fn array<T>(
        &mut self,
        items: RangeInclusive<usize>,
        read: impl FnOnce(&mut ArrayDecoder<'_, 'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let count = self.argument(Major::Array)?;
        // An item takes a byte at least, so this bounds every count by the input.
        let count = self.within_input(count, self.rest.len())?;
        if !items.contains(&count) {
            return Err(Error::Count);
        }
        self.inside(|decoder| {
            let mut array = ArrayDecoder::new(decoder, count);
            let value = read(&mut array)?;
            array.finish()?;
            Ok(value)
        })
    }

    /// An array of at most `cap` items that `read` reads one by one.
    ///
    /// # Errors
    /// As [`array`](Self::array), and [`Error::Memory`].
    pub fn list<T>(
        &mut self,
        cap: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.array(0..=cap, |array| {
            let mut list = Vec::new();
            list.try_reserve_exact(array.len())
                .map_err(|_| Error::Memory)?;
            while !array.is_empty() {
                list.push(array.item(&mut read)?);
            }
            Ok(list)
        })
    }

    /// A map of which `read` has to ask for every key.
    ///
    /// # Errors
    /// [`Error::UnknownKey`] for a key nobody asked for, [`Error::DuplicateKey`],
    /// [`Error::UnorderedKey`], [`Error::KeyType`], [`Error::Depth`],
    /// [`Error::LengthBeyondInput`], [`Error::Type`], and whatever `read` returns.
    pub fn map<T>(
        &mut self,
        read: impl FnOnce(&mut MapDecoder<'_, 'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.map_with(None, read)
    }

    /// A map in which keys in `extension` that nobody asks for are passed over.
    ///
    /// Their values are held to the same rules as everything else.
    ///
    /// # Errors
    /// As [`map`](Self::map).
    pub fn map_extensible<T>(
        &mut self,
        extension: RangeInclusive<i64>,
        read: impl FnOnce(&mut MapDecoder<'_, 'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.map_with(Some(extension), read)
    }

    /// One whole item as the bytes received, after checking it like any other.
    ///
    /// # Errors
    /// Whatever is wrong with it. Null is accepted: its schema is not known here.
    pub fn raw(&mut self) -> Result<&'a [u8], Error> {
        let before = self.rest;
        self.skip()?;
        let used = before.len() - self.rest.len();
        Ok(&before[..used])
    }

    /// Checks one item and passes over it. Recursion is bounded by [`MAX_DEPTH`].
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        match self.kind()? {
            Kind::Uint => self.uint().map(drop),
            Kind::Negative => self.argument(Major::Negative).map(|_| self.items += 1),
            Kind::Bytes => self.bytes(usize::MAX).map(drop),
            Kind::Text => self.text(usize::MAX).map(drop),
            Kind::Array => self.array(0..=usize::MAX, |array| {
                while !array.is_empty() {
                    array.item(Self::skip)?;
                }
                Ok(())
            }),
            Kind::Map => self.map(|map| {
                while map.any(|_, decoder| decoder.skip())?.is_some() {}
                Ok(())
            }),
            Kind::Bool => self.bool().map(drop),
            Kind::Null => self.null(),
        }
    }

    /// Runs `read` and sees that it took exactly one item.
    fn one<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        let before = self.items;
        let value = read(self)?;
        if self.items == before + 1 {
            Ok(value)
        } else {
            Err(Error::Count)
        }
    }

    /// Runs `read` one container deeper and counts that container as one item.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::Depth);
        }
        let before = self.items;
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        self.items = before + 1;
        Ok(value)
    }

    fn map_with<T>(
        &mut self,
        extension: Option<RangeInclusive<i64>>,
        read: impl FnOnce(&mut MapDecoder<'_, 'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let count = self.argument(Major::Map)?;
        let left = self.within_input(count, self.rest.len() / 2)?;
        self.inside(|decoder| {
            let mut map = MapDecoder::new(decoder, left, extension);
            let value = read(&mut map)?;
            map.finish()?;
            Ok(value)
        })
    }

    /// Reads a head of the type `major` and returns its argument.
    fn argument(&mut self, major: Major) -> Result<u64, Error> {
        let (head, rest) = Head::read(self.rest)?;
        if head.major != major {
            return Err(mismatch(head));
        }
        self.rest = rest;
        Ok(head.argument)
    }

    fn string(&mut self, major: Major, cap: usize) -> Result<&'a [u8], Error> {
        let length = self.argument(major)?;
        let length = self.within_input(length, self.rest.len())?;
        if length > cap {
            return Err(Error::SizeCap);
        }
        let (string, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.items += 1;
        Ok(string)
    }

    /// A declared length or count as a `usize` of at most `most`.
    fn within_input(&self, declared: u64, most: usize) -> Result<usize, Error> {
        usize::try_from(declared)
            .ok()
            .filter(|&declared| declared <= most)
            .ok_or(Error::LengthBeyondInput)
    }
}

/// `None` for another type than an integer, `Some(None)` for one that does not fit 64 bits with a
/// sign.
fn signed(head: Head) -> Option<Option<i64>> {
    let argument = i64::try_from(head.argument).ok();
    match head.major {
        Major::Uint => Some(argument),
        // -1 - n is the complement of n (RFC 8949 section 3.1).
        Major::Negative => Some(argument.map(|n| !n)),
        _ => None,
    }
}

/// What to call an item of a type that was not asked for.
fn mismatch(head: Head) -> Error {
    if (head.major, head.argument) == (Major::Simple, NULL) {
        Error::UnexpectedNull
    } else {
        Error::Type
    }
}
