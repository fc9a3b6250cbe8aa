//! The memory in which the media data of a fragment lie.

use core::fmt;

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

/// Media data: the used beginning of a memory.
pub(crate) struct MediaData {
    memory: Box<dyn FragmentMemory>,
    used: usize,
}

impl Default for MediaData {
    fn default() -> Self {
        Self {
            memory: Box::new(Vec::new()),
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
        self.memory.bytes().get(..self.used).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory
            .bytes_mut()
            .get_mut(..self.used)
            .unwrap_or_default()
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

    /// Room for so many more bytes behind the used ones, to be told of by [`Self::filled`].
    pub(crate) fn room(&mut self, count: usize) -> Result<&mut [u8], NoMemory> {
        let end = self.used.checked_add(count).ok_or(NoMemory)?;
        if end > self.capacity() {
            self.memory.grow(end, self.used)?;
        }
        self.memory
            .bytes_mut()
            .get_mut(self.used..end)
            .ok_or(NoMemory)
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.used = self.used.saturating_add(count);
    }

    /// Goes on in another memory, with what is there already.
    pub(crate) fn move_to(&mut self, mut memory: Box<dyn FragmentMemory>) -> Result<(), NoMemory> {
        if memory.bytes().len() < self.used {
            memory.grow(self.used, 0)?;
        }
        let place = memory.bytes_mut().get_mut(..self.used).ok_or(NoMemory)?;
        place.copy_from_slice(self.bytes());
        self.memory = memory;
        Ok(())
    }
}
