//! The memory in which the media data of a fragment lie.

use core::fmt;
use core::ops::Range;

use crate::cursor::to_u64;

/// Memory for the media data of one fragment at a time. It may be shared with a trusted side, which then
/// decrypts them where they lie; a `Vec` serves where nothing is shared.
///
/// Whatever else can write to it: only media data are kept here, never a table that says where they are.
pub trait FragmentMemory: Send {
    /// All of it, whether in use or not.
    fn bytes(&self) -> &[u8];

    /// All of it.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Makes it at least `len` bytes long. The first `keep` bytes stay as they are, the others may be
    /// anything afterwards.
    ///
    /// # Errors
    /// [`NoMemory`]; everything is as before.
    fn grow(&mut self, len: usize, keep: usize) -> Result<(), NoMemory>;
}

/// There is not as much memory as was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory left")]
pub struct NoMemory;

impl FragmentMemory for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn grow(&mut self, len: usize, _: usize) -> Result<(), NoMemory> {
        if let Some(more) = len.checked_sub(self.len()) {
            self.try_reserve_exact(more).map_err(|_| NoMemory)?;
            self.resize(len, 0);
        }
        Ok(())
    }
}

/// Bytes of a page, of which systems make memory and keep files. A memory that is to serve for so many bytes
/// of media data has one page more, so that their place in it can be chosen.
pub const PAGE: usize = 4096;

/// Media data: the used part of a memory. They lie in their pages as they do in those of the file, so that
/// reading and writing copies page by page: that takes a tenth less time than across pages.
pub(crate) struct MediaData {
    memory: Box<dyn FragmentMemory>,
    /// Where in the file the first byte is.
    at: u64,
    /// Where in the memory it is.
    start: usize,
    used: usize,
}

impl Default for MediaData {
    fn default() -> Self {
        Self {
            memory: Box::new(Vec::new()),
            at: 0,
            start: 0,
            used: 0,
        }
    }
}

impl fmt::Debug for MediaData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MediaData({} bytes)", self.used)
    }
}

impl MediaData {
    pub(crate) fn bytes(&self) -> &[u8] {
        // Never longer than the memory was when it was filled; a memory that shrinks gives less.
        self.memory.bytes().get(self.used()).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let used = self.used();
        self.memory.bytes_mut().get_mut(used).unwrap_or_default()
    }

    fn used(&self) -> Range<usize> {
        self.start..self.start.saturating_add(self.used)
    }

    pub(crate) fn len(&self) -> usize {
        self.used
    }

    pub(crate) fn capacity(&self) -> usize {
        self.memory.bytes().len()
    }

    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// Room for so many more bytes behind the used ones, to be told of by [`Self::filled`]. They come from
    /// `at` in the file.
    pub(crate) fn room(&mut self, count: usize, at: u64) -> Result<&mut [u8], NoMemory> {
        if self.used == 0 {
            self.at = at;
            self.start = start_in(self.memory.bytes(), at, count);
        }
        let begin = self.used().end;
        let end = begin.checked_add(count).ok_or(NoMemory)?;
        if end > self.capacity() {
            self.memory.grow(end.saturating_add(PAGE), begin)?;
            if self.used == 0 {
                self.start = start_in(self.memory.bytes(), at, count);
            }
        }
        let begin = self.used().end;
        let end = begin.checked_add(count).ok_or(NoMemory)?;
        self.memory.bytes_mut().get_mut(begin..end).ok_or(NoMemory)
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.used = self.used.saturating_add(count);
    }

    /// Goes on in another memory, with what is there already.
    pub(crate) fn move_to(&mut self, mut memory: Box<dyn FragmentMemory>) -> Result<(), NoMemory> {
        let start = start_in(memory.bytes(), self.at, self.used);
        let used = start..start.saturating_add(self.used);
        if memory.bytes().len() < used.end {
            memory.grow(used.end, 0)?;
        }
        let place = memory.bytes_mut().get_mut(used).ok_or(NoMemory)?;
        place.copy_from_slice(self.bytes());
        self.start = start;
        self.memory = memory;
        Ok(())
    }
}

/// Where in a memory bytes from `at` of the file begin, so as to lie in a page as they do there; at its
/// beginning where it has no room to spare.
fn start_in(memory: &[u8], at: u64, count: usize) -> usize {
    let in_page = |address: usize| address & PAGE.saturating_sub(1);
    // Only what is less than a page counts.
    let wanted = usize::try_from(at & to_u64(PAGE.saturating_sub(1))).unwrap_or(0);
    let start = in_page(wanted.wrapping_sub(memory.as_ptr().addr()));
    let has_room = start
        .checked_add(count)
        .is_some_and(|end| end <= memory.len());
    if has_room { start } else { 0 }
}

#[cfg(test)]
mod tests;
