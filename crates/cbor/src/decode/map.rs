//! The entries of a map, each key known, in order and once.

use core::cmp::Ordering;
use core::ops::RangeInclusive;

use super::{Decoder, signed};
use crate::head::Head;
use crate::{Error, key_order};

/// The entries of a map, asked for in the order of their encoded keys ([`key_order`]).
pub struct MapDecoder<'d, 'a> {
    decoder: &'d mut Decoder<'a>,
    /// Keys not read yet.
    left: usize,
    /// A key that was read and whose value stands next.
    next: Option<i64>,
    /// The key read last, for the order.
    last: Option<i64>,
    /// The key asked for last, to catch a reader that asks in the wrong order.
    asked: Option<i64>,
    extension: Option<RangeInclusive<i64>>,
}

impl<'d, 'a> MapDecoder<'d, 'a> {
    pub(super) const fn new(
        decoder: &'d mut Decoder<'a>,
        left: usize,
        extension: Option<RangeInclusive<i64>>,
    ) -> Self {
        Self {
            decoder,
            left,
            next: None,
            last: None,
            asked: None,
            extension,
        }
    }

    /// The value of a key that has to be there.
    ///
    /// # Errors
    /// [`Error::MissingKey`], whatever is wrong with the keys before it, and whatever `read`
    /// returns.
    pub fn required<T>(
        &mut self,
        key: i64,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.optional(key, read)?.ok_or(Error::MissingKey(key))
    }

    /// The value of a key that may be absent.
    ///
    /// # Errors
    /// Whatever is wrong with the keys before it, and whatever `read` returns.
    pub fn optional<T>(
        &mut self,
        key: i64,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        debug_assert!(
            self.asked
                .is_none_or(|asked| key_order(asked, key) == Ordering::Less),
            "key {key} is asked for after {:?}",
            self.asked
        );
        self.asked = Some(key);
        while let Some(next) = self.peek()? {
            match key_order(next, key) {
                Ordering::Less => self.pass_over(next)?,
                Ordering::Equal => {
                    self.next = None;
                    return self.decoder.one(read).map(Some);
                }
                Ordering::Greater => break,
            }
        }
        Ok(None)
    }

    /// The next entry whatever its key, for maps whose keys the schema leaves open.
    ///
    /// # Errors
    /// Whatever is wrong with the key, and whatever `read` returns.
    pub fn any<T>(
        &mut self,
        read: impl FnOnce(i64, &mut Decoder<'a>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(key) = self.peek()? else {
            return Ok(None);
        };
        self.next = None;
        self.decoder.one(|decoder| read(key, decoder)).map(Some)
    }

    /// The next key, read at most once.
    fn peek(&mut self) -> Result<Option<i64>, Error> {
        if self.next.is_some() || self.left == 0 {
            return Ok(self.next);
        }
        let (head, rest) = Head::read(self.decoder.rest)?;
        let key = signed(head).flatten().ok_or(Error::KeyType)?;
        match self.last.map(|last| key_order(last, key)) {
            Some(Ordering::Equal) => return Err(Error::DuplicateKey(key)),
            Some(Ordering::Greater) => return Err(Error::UnorderedKey(key)),
            Some(Ordering::Less) | None => {}
        }
        self.decoder.rest = rest;
        self.left -= 1;
        self.last = Some(key);
        self.next = Some(key);
        Ok(self.next)
    }

    /// Skips the value of a key that nobody asked for, if the schema leaves room for it.
    fn pass_over(&mut self, key: i64) -> Result<(), Error> {
        if !self
            .extension
            .as_ref()
            .is_some_and(|range| range.contains(&key))
        {
            return Err(Error::UnknownKey(key));
        }
        self.next = None;
        self.decoder.skip()
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        while let Some(key) = self.peek()? {
            self.pass_over(key)?;
        }
        Ok(())
    }
}
