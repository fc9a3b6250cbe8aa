//! The CTR keystream of one sample (section 9.3).
//!
//! The block counter is bytes 8 to 15 of the counter block, big-endian; it wraps to zero without
//! touching bytes 0 to 7. That is the 64-bit flavour of CTR for 8-byte and 16-byte IVs alike; the
//! usual 128-bit flavour would carry into byte 7.

use aes::Aes128Enc;
use aes::cipher::{Array, InnerIvInit, StreamCipherCore};
use ctr::{CtrCore, flavors::Ctr64BE};
use zeroize::Zeroizing;

use crate::{BLOCK, Block};

/// Keystream over whole blocks. The block-level core is used and not the crate's byte-level
/// wrapper, because that one can fail; this cannot.
pub(crate) type BlockKeystream<'k> = CtrCore<&'k Aes128Enc, Ctr64BE>;

/// Keystream over bytes: a range may end within a block and the next one goes on there, so the
/// protected ranges of a sample form one chain (section 9.5.1).
pub(crate) struct ByteKeystream<'k> {
    blocks: BlockKeystream<'k>,
    /// The block that the last range ended in. Wiped on drop: beside the ciphertext it is content.
    open: Zeroizing<[u8; BLOCK]>,
    /// Bytes of `open` already used; `BLOCK` when there is no open block.
    used: usize,
}

impl<'k> ByteKeystream<'k> {
    /// A keystream that starts with the block `counter`.
    pub(crate) fn new(key: &'k Aes128Enc, counter: &Block) -> Self {
        Self {
            blocks: BlockKeystream::inner_iv_init(key, counter),
            open: Zeroizing::new([0; BLOCK]),
            used: BLOCK,
        }
    }

    /// Applies the next `data.len()` bytes of the keystream to `data`.
    #[inline]
    pub(crate) fn apply(&mut self, data: &mut [u8]) {
        let data = self.apply_open(data);
        let (blocks, tail) = Array::slice_as_chunks_mut(data);
        self.blocks.apply_keystream_blocks(blocks);
        if !tail.is_empty() {
            self.open_next();
            self.apply_open(tail);
        }
    }

    /// Makes the next keystream block the open one.
    fn open_next(&mut self) {
        self.blocks.write_keystream_block((&mut *self.open).into());
        self.used = 0;
    }

    /// Uses up what is left of the open block and returns the data behind it.
    #[inline]
    fn apply_open<'d>(&mut self, data: &'d mut [u8]) -> &'d mut [u8] {
        let left = self.open.get(self.used..).unwrap_or_default();
        let (head, rest) = data.split_at_mut(left.len().min(data.len()));
        for (data, keystream) in head.iter_mut().zip(left) {
            *data ^= keystream;
        }
        self.used = self.used.saturating_add(head.len());
        rest
    }
}
