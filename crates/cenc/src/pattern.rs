//! Which blocks of a protected range are encrypted, and running a block cipher over exactly those.
//!
//! The walk over the pattern happens inside the cipher backend's closure. So the AES implementation
//! is chosen and its round keys are loaded once a piece, not once an encrypted block; for the single
//! blocks of a 1:9 pattern that can take longer than their decryption.

use aes::cipher::{
    Array, BlockModeDecBackend, BlockModeDecClosure, BlockSizeUser, InOut, StreamCipherBackend,
    StreamCipherClosure, consts::U16, typenum::Unsigned,
};

use crate::{Block, Pattern};

/// Position in the pattern of a protected range, kept from piece to piece. Counts are in blocks;
/// none is zero.
pub(crate) struct Walk {
    crypt: usize,
    period: usize,
    phase: usize,
}

impl Walk {
    /// A walk at the start of a range, or `None` when the pattern skips nothing: 0:0 and any n:0
    /// encrypt every whole block. `pattern` is one that has been checked.
    pub(crate) fn new(pattern: Pattern) -> Option<Self> {
        let (crypt, skip) = (usize::from(pattern.crypt), usize::from(pattern.skip));
        (skip != 0).then_some(Self {
            crypt,
            period: crypt.saturating_add(skip),
            phase: 0,
        })
    }

    /// Starts the pattern anew, as each subsample does (section 9.6.1).
    pub(crate) fn restart(&mut self) {
        self.phase = 0;
    }

    /// Splits the next blocks of the range into runs of encrypted ones and moves on past them. A
    /// run that the range cuts short counts as far as whole blocks reach.
    pub(crate) fn runs<'a>(&mut self, blocks: &'a mut [Block]) -> Runs<'a> {
        let &mut Self {
            crypt,
            period,
            phase,
        } = self;
        self.phase = phase.wrapping_add(blocks.len()) % period;
        Runs {
            blocks,
            crypt,
            period,
            phase,
        }
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

/// Whether runs can fill a batch of this many blocks. Where they cannot, the path is left out at
/// compile time, which matters: most runs are a single block.
const fn batches(size: usize) -> bool {
    size > 1 && size <= 15
}

impl BlockSizeUser for Runs<'_> {
    type BlockSize = U16;
}

/// CBC decryption of the runs; the chain goes on from each run to the next.
impl BlockModeDecClosure for Runs<'_> {
    #[inline(always)]
    fn call<B: BlockModeDecBackend<BlockSize = U16>>(self, backend: &mut B) {
        for mut run in self {
            if const { batches(B::ParBlocksSize::USIZE) } {
                let (batches, rest) = Array::<Block, B::ParBlocksSize>::slice_as_chunks_mut(run);
                for batch in batches {
                    backend.decrypt_par_blocks_inplace(batch);
                }
                run = rest;
            }
            for block in run {
                backend.decrypt_block_inplace(block);
            }
        }
    }
}

/// CTR decryption of the runs; only their blocks use up counter values.
impl StreamCipherClosure for Runs<'_> {
    #[inline(always)]
    fn call<B: StreamCipherBackend<BlockSize = U16>>(self, backend: &mut B) {
        for mut run in self {
            if const { batches(B::ParBlocksSize::USIZE) } {
                let (batches, rest) = Array::<Block, B::ParBlocksSize>::slice_as_chunks_mut(run);
                for batch in batches {
                    let mut keystream = Array::default();
                    backend.gen_par_ks_blocks(&mut keystream);
                    InOut::from(batch).xor_in2out(&keystream);
                }
                run = rest;
            }
            for block in run {
                let mut keystream = Block::default();
                backend.gen_ks_block(&mut keystream);
                InOut::from(block).xor_in2out(&keystream);
            }
        }
    }
}
