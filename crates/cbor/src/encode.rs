//! Writing: an encoder that counts and orders by itself.

use alloc::vec::Vec;
use core::cmp::Ordering;
use zeroize::Zeroizing;

use crate::decode::Decoder;
use crate::head::{FALSE, Head, MAX_HEAD, Major, NULL, TRUE};
use crate::{Error, MAX_DEPTH, key_order};

/// Writes one item of at most `cap` bytes.
///
/// # Errors
/// [`Error::SizeCap`]; [`Error::Count`] where `write` writes anything but one item;
/// [`Error::Memory`]; and whatever `write` returns.
pub fn encode(
    cap: usize,
    write: impl FnOnce(&mut Encoder) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let mut encoder = Encoder::new(cap);
    encoder.one(write)?;
    Ok(core::mem::take(&mut *encoder.out))
}

/// Writes one item that holds secrets.
///
/// All `cap` bytes are reserved before the first is written, so that growth leaves no copy behind,
/// and the result is wiped when it is dropped, also on the way out of an error.
///
/// # Errors
/// As [`encode`].
pub fn encode_secret(
    cap: usize,
    write: impl FnOnce(&mut Encoder) -> Result<(), Error>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut encoder = Encoder::new(cap);
    encoder
        .out
        .try_reserve_exact(cap)
        .map_err(|_| Error::Memory)?;
    encoder.one(write)?;
    Ok(encoder.out)
}

/// Writes items in deterministic form.
///
/// After an error the output is lost, which only [`encode`] and [`encode_secret`] could show.
pub struct Encoder {
    out: Zeroizing<Vec<u8>>,
    cap: usize,
    /// Containers around the position.
    depth: usize,
    /// Items written so far in the innermost container.
    items: usize,
}

impl Encoder {
    fn new(cap: usize) -> Self {
        Self {
            out: Zeroizing::new(Vec::new()),
            cap,
            depth: 0,
            items: 0,
        }
    }

    /// An integer from 0 to 2^64 - 1.
    ///
    /// # Errors
    /// [`Error::SizeCap`], [`Error::Memory`], as everything here.
    pub fn uint(&mut self, value: u64) -> Result<(), Error> {
        self.item(Major::Uint, value, &[])
    }

    /// An integer from -2^63 to 2^63 - 1.
    ///
    /// # Errors
    /// [`Error::SizeCap`], [`Error::Memory`].
    pub fn int(&mut self, value: i64) -> Result<(), Error> {
        match u64::try_from(value) {
            Ok(value) => self.item(Major::Uint, value, &[]),
            // -1 - n is written as n, the complement, whose sign bit is clear.
            Err(_) => self.item(Major::Negative, (!value).unsigned_abs(), &[]),
        }
    }

    /// False or true.
    ///
    /// # Errors
    /// [`Error::SizeCap`], [`Error::Memory`].
    pub fn bool(&mut self, value: bool) -> Result<(), Error> {
        self.item(Major::Simple, if value { TRUE } else { FALSE }, &[])
    }

    /// Null.
    ///
    /// # Errors
    /// [`Error::SizeCap`], [`Error::Memory`].
    pub fn null(&mut self) -> Result<(), Error> {
        self.item(Major::Simple, NULL, &[])
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`Error::SizeCap`], [`Error::Memory`].
    pub fn bytes(&mut self, value: &[u8]) -> Result<(), Error> {
        self.item(Major::Bytes, length(value.len())?, value)
    }

    /// A text string.
    ///
    /// # Errors
    /// [`Error::SizeCap`], [`Error::Memory`].
    pub fn text(&mut self, value: &str) -> Result<(), Error> {
        self.item(Major::Text, length(value.len())?, value.as_bytes())
    }

    /// An array of the items that `write` writes.
    ///
    /// # Errors
    /// [`Error::Depth`], [`Error::SizeCap`], [`Error::Memory`], and whatever `write` returns.
    pub fn array(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.container(Major::Array, |encoder| {
            write(encoder)?;
            Ok(encoder.items)
        })
    }

    /// An array with one item for each of `items`.
    ///
    /// # Errors
    /// As [`array`](Self::array), and [`Error::Count`] where `write` writes anything but one item.
    pub fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.array(|encoder| {
            items
                .into_iter()
                .try_for_each(|item| encoder.one(|encoder| write(encoder, item)))
        })
    }

    /// A map of the entries that `write` writes.
    ///
    /// # Errors
    /// As [`array`](Self::array).
    pub fn map(
        &mut self,
        write: impl FnOnce(&mut MapEncoder<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.container(Major::Map, |encoder| {
            let mut map = MapEncoder {
                encoder,
                last: None,
                entries: 0,
            };
            write(&mut map)?;
            Ok(map.entries)
        })
    }

    /// An item that is encoded already.
    ///
    /// # Errors
    /// Whatever the decoder has against it; [`Error::SizeCap`], [`Error::Memory`].
    pub fn raw(&mut self, item: &[u8]) -> Result<(), Error> {
        let mut decoder = Decoder::at_depth(item, self.depth);
        decoder.skip()?;
        decoder.finish()?;
        self.put(item)?;
        self.items += 1;
        Ok(())
    }

    /// Runs `write` and sees that it wrote exactly one item.
    fn one(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let before = self.items;
        write(self)?;
        if self.items == before + 1 {
            Ok(())
        } else {
            Err(Error::Count)
        }
    }

    /// Writes a container whose count `write` returns, and counts it as one item.
    fn container(
        &mut self,
        major: Major,
        write: impl FnOnce(&mut Self) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        if self.depth == MAX_DEPTH {
            return Err(Error::Depth);
        }
        let outer = core::mem::replace(&mut self.items, 0);
        let start = self.out.len();
        // Up to 23 entries, which is nearly always, the head is one byte and nothing moves later.
        self.put(&[0])?;
        self.depth += 1;
        let argument = length(write(self)?)?;
        self.depth -= 1;
        let mut buffer = [0; MAX_HEAD];
        let head = Head { major, argument }.write(&mut buffer);
        self.put(&head[1..])?;
        self.out[start + 1..].rotate_right(head.len() - 1);
        self.out[start..start + head.len()].copy_from_slice(head);
        self.items = outer + 1;
        Ok(())
    }

    fn item(&mut self, major: Major, argument: u64, content: &[u8]) -> Result<(), Error> {
        self.head(major, argument)?;
        self.put(content)?;
        self.items += 1;
        Ok(())
    }

    fn head(&mut self, major: Major, argument: u64) -> Result<(), Error> {
        self.put(Head { major, argument }.write(&mut [0; MAX_HEAD]))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() > self.cap - self.out.len() {
            return Err(Error::SizeCap);
        }
        self.out
            .try_reserve(bytes.len())
            .map_err(|_| Error::Memory)?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Writes the entries of a map, in the order of their encoded keys ([`key_order`]).
pub struct MapEncoder<'e> {
    encoder: &'e mut Encoder,
    last: Option<i64>,
    entries: usize,
}

impl MapEncoder<'_> {
    /// One entry.
    ///
    /// # Errors
    /// [`Error::UnorderedKey`] or [`Error::DuplicateKey`] for a key that does not come after the
    /// one before; [`Error::Count`] where `write` writes anything but one item; and whatever
    /// `write` returns.
    pub fn entry(
        &mut self,
        key: i64,
        write: impl FnOnce(&mut Encoder) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match self.last.map(|last| key_order(last, key)) {
            Some(Ordering::Equal) => return Err(Error::DuplicateKey(key)),
            Some(Ordering::Greater) => return Err(Error::UnorderedKey(key)),
            Some(Ordering::Less) | None => {}
        }
        self.last = Some(key);
        self.entries += 1;
        self.encoder.int(key)?;
        self.encoder.one(write)
    }

    /// An entry if there is a value for it, else nothing.
    ///
    /// # Errors
    /// As [`entry`](Self::entry).
    pub fn optional<T>(
        &mut self,
        key: i64,
        value: Option<T>,
        write: impl FnOnce(&mut Encoder, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match value {
            Some(value) => self.entry(key, |encoder| write(encoder, value)),
            None => Ok(()),
        }
    }
}

/// A length as the argument of a head; on no platform of today does one not fit.
fn length(length: usize) -> Result<u64, Error> {
    u64::try_from(length).map_err(|_| Error::SizeCap)
}
