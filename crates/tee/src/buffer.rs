//! Protected buffers: where a board's hardware decoder finds what was decrypted, and nobody else.

/// A protected buffer that one connection knows, by a number that no other one has.
///
/// Such a buffer is a dma-buf of a heap that the TEE guards, as Linux's
/// `/dev/dma_heap/protected,secure-video` gives them out. Nothing in this process can look into it, so
/// that there is no slice of it anywhere: it has a name, a size and ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtectedBuffer {
    number: u64,
    size: usize,
}

impl ProtectedBuffer {
    /// A buffer of `size` bytes, as a backend's connection has registered it under `number`.
    #[must_use]
    pub const fn new(number: u64, size: usize) -> Self {
        Self { number, size }
    }

    /// The number that its connection knows it by.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Its size in bytes, as the TEE's driver tells it.
    #[must_use]
    pub const fn size(self) -> usize {
        self.size
    }

    /// `capacity` bytes of it from `offset` on. Whether they lie in it, the connection checks.
    #[must_use]
    pub const fn range(self, offset: usize, capacity: usize) -> BufferRange {
        BufferRange {
            buffer: self,
            offset,
            capacity,
        }
    }
}

/// A part of a protected buffer, for one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferRange {
    /// The buffer.
    pub buffer: ProtectedBuffer,
    /// Where the range begins, in bytes.
    pub offset: usize,
    /// Bytes of it. What the unit leaves of them is overwritten with zeros.
    pub capacity: usize,
}
