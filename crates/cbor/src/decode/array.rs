//! The items of an array, none forgotten and none too many.

use super::Decoder;
use crate::Error;

/// The items of an array.
pub struct ArrayDecoder<'d, 'a> {
    decoder: &'d mut Decoder<'a>,
    left: usize,
}

impl<'d, 'a> ArrayDecoder<'d, 'a> {
    pub(super) const fn new(decoder: &'d mut Decoder<'a>, left: usize) -> Self {
        Self { decoder, left }
    }

    pub(super) const fn finish(&self) -> Result<(), Error> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Error::Count)
        }
    }

    /// Items not read yet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.left
    }

    /// Whether every item has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The next item.
    ///
    /// # Errors
    /// [`Error::Count`] when there is none, or when `read` takes anything but one item; and
    /// whatever `read` returns.
    pub fn item<T>(
        &mut self,
        read: impl FnOnce(&mut Decoder<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.left = self.left.checked_sub(1).ok_or(Error::Count)?;
        self.decoder.one(read)
    }
}
