//! Which blocks of a protected range are encrypted, and running a block cipher over exactly those.
//!
//! The walk over the pattern happens inside the cipher backend's closure. So the run-time choice
//! of the AES implementation is made once a piece, not once an encrypted block, which in a 1:9
//! pattern is half of the time.

use aes::cipher::{
    Array, BlockModeDecBackend, BlockModeDecClosure, BlockSizeUser, StreamCipherBackend,
    StreamCipherClosure, consts::U16,
};

use crate::{Block, Pattern};

/// Position in the pattern of a protected range, kept from piece to piece. Counts are in blocks.
pub(crate) struct Walk {
    crypt: usize,
    period: usize,
    phase: usize,
}

impl Walk {
    /// A walk at the start of a range. `pattern` is one that has been checked.
    pub(crate) fn new(pattern: Pattern) -> Self {
        // Without skipped blocks the run never ends. Any n:0 is the same as 0:0 then, and long
        // runs keep the cipher's parallel path.
        let (crypt, period) = match (usize::from(pattern.crypt), usize::from(pattern.skip)) {
            (_, 0) => (usize::MAX, usize::MAX),
            (crypt, skip) => (crypt, crypt.saturating_add(skip)),
        };
        Self {
            crypt,
            period,
            phase: 0,
        }
    }

    /// Starts the pattern anew, as each subsample does (section 9.6.1).
    pub(crate) fn restart(&mut self) {
        self.phase = 0;
    }

    /// Splits the next blocks of the range into runs of encrypted ones and moves on past them. A
    /// run that the range cuts short counts as far as whole blocks reach.
    pub(crate) fn runs<'a>(&mut self, blocks: &'a mut [Block]) -> Runs<'a> {
        let runs = Runs {
            blocks,
            crypt: self.crypt,
            period: self.period,
            phase: self.phase,
        };
        if self.period != usize::MAX {
            self.phase = self.phase.wrapping_add(runs.blocks.len()) % self.period;
        }
        runs
    }
}

/// The encrypted runs among some blocks, in order.
pub(crate) struct Runs<'a> {
    blocks: &'a mut [Block],
    crypt: usize,
    period: usize,
    phase: usize,
}

impl<'a> Iterator for Runs<'a> {
    type Item = &'a mut [Block];

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.phase >= self.crypt {
            // The rest of the skipped blocks, of which a piece may have seen some already.
            self.blocks = core::mem::take(&mut self.blocks)
                .get_mut(self.period.wrapping_sub(self.phase)..)
                .unwrap_or_default();
            self.phase = 0;
        }
        let rest = core::mem::take(&mut self.blocks);
        if rest.is_empty() {
            return None;
        }
        let (run, rest) = rest.split_at_mut(rest.len().min(self.crypt.wrapping_sub(self.phase)));
        self.blocks = rest;
        self.phase = self.crypt;
        Some(run)
    }
}

impl BlockSizeUser for Runs<'_> {
    type BlockSize = U16;
}

/// CBC decryption of the runs; the chain goes on from each run to the next.
impl BlockModeDecClosure for Runs<'_> {
    #[inline(always)]
    fn call<B: BlockModeDecBackend<BlockSize = U16>>(self, backend: &mut B) {
        for run in self {
            let (batches, tail) = Array::<Block, B::ParBlocksSize>::slice_as_chunks_mut(run);
            for batch in batches {
                backend.decrypt_par_blocks_inplace(batch);
            }
            backend.decrypt_tail_blocks_inplace(tail);
        }
    }
}

/// CTR decryption of the runs; only their blocks use up counter values.
impl StreamCipherClosure for Runs<'_> {
    #[inline(always)]
    fn call<B: StreamCipherBackend<BlockSize = U16>>(self, backend: &mut B) {
        let mut keystream = Block::default();
        let mut batch_keystream = Array::<Block, B::ParBlocksSize>::default();
        for run in self {
            let (batches, tail) = Array::<Block, B::ParBlocksSize>::slice_as_chunks_mut(run);
            for batch in batches {
                backend.gen_par_ks_blocks(&mut batch_keystream);
                for (block, keystream) in batch.iter_mut().zip(&batch_keystream) {
                    xor(block, keystream);
                }
            }
            for block in tail {
                backend.gen_ks_block(&mut keystream);
                xor(block, &keystream);
            }
        }
    }
}

#[inline(always)]
fn xor(data: &mut Block, keystream: &Block) {
    for (data, keystream) in data.iter_mut().zip(keystream) {
        *data ^= keystream;
    }
}
