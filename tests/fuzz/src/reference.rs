//! Common Encryption decryption a second time, from the prose of ISO/IEC 23001-7:2016, one block at a
//! time and as slow as it likes. Of the room it judges it uses the types alone, of the cipher crates
//! the AES block.

use std::ops::Range;

use aes::Aes128;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use keybearer_cenc::{Pattern, Scheme, Subsample};

/// How a sample is protected.
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    pub(crate) scheme: Scheme,
    pub(crate) pattern: Pattern,
    pub(crate) iv: Vec<u8>,
    /// `None`: the sample is protected as a whole.
    pub(crate) table: Option<Vec<Subsample>>,
}

impl Protected {
    /// Whether a sample of `size` bytes can be protected so: an IV of 8 or 16 bytes; a pattern
    /// that fits its four bits, only in the schemes that have one, and that encrypts something; a
    /// table that covers the sample exactly; whole blocks in `cbc1`.
    pub(crate) fn sound(&self, size: usize) -> bool {
        let Pattern { crypt, skip } = self.pattern;
        let patterned = matches!(self.scheme, Scheme::Cens | Scheme::Cbcs);
        let pattern =
            crypt <= 15 && skip <= 15 && ((crypt, skip) == (0, 0) || (patterned && crypt > 0));
        let table = self.table.as_ref().is_none_or(|table| {
            let covered: u128 = table
                .iter()
                .map(|entry| u128::from(entry.clear) + u128::from(entry.protected))
                .sum();
            covered == size as u128
                && (self.scheme != Scheme::Cbc1
                    || table.iter().all(|entry| entry.protected % 16 == 0))
        });
        matches!(self.iv.len(), 8 | 16) && pattern && table
    }

    /// Section 7.2: where the protected bytes are.
    fn ranges(&self, size: usize) -> Vec<Range<usize>> {
        let Some(table) = &self.table else {
            return std::iter::once(0..size).collect();
        };
        let mut at = 0;
        let mut ranges = Vec::new();
        for entry in table {
            let start = at + entry.clear as usize;
            at = start + entry.protected as usize;
            ranges.push(start..at);
        }
        ranges
    }

    /// Section 9.6.1: the blocks of a range that the pattern encrypts, a part of a block never.
    fn blocks(&self, range: &Range<usize>) -> Vec<usize> {
        let (crypt, skip) = (self.pattern.crypt as usize, self.pattern.skip as usize);
        (0..range.len() / 16)
            .filter(|block| skip == 0 || block % (crypt + skip) < crypt)
            .map(|block| range.start + 16 * block)
            .collect()
    }

    /// Section 9.1: an IV of 8 bytes is the upper half of the block.
    fn block(&self) -> [u8; 16] {
        let mut block = [0; 16];
        block[..self.iv.len()].copy_from_slice(&self.iv);
        block
    }

    /// Decrypts a sample, or encrypts it where the scheme is a counter's.
    pub(crate) fn decrypt(&self, key: &[u8; 16], data: &mut [u8]) {
        let cipher = Aes128::new(key.into());
        let ranges = self.ranges(data.len());
        match self.scheme {
            Scheme::Cenc => {
                for (number, at) in ranges.into_iter().flatten().enumerate() {
                    data[at] ^= self.keystream(&cipher, number / 16)[number % 16];
                }
            }
            Scheme::Cens => {
                let blocks = ranges.iter().flat_map(|range| self.blocks(range));
                for (number, at) in blocks.enumerate() {
                    for (byte, key) in data[at..].iter_mut().zip(self.keystream(&cipher, number)) {
                        *byte ^= key;
                    }
                }
            }
            Scheme::Cbc1 | Scheme::Cbcs => {
                let mut chain = self.block();
                for range in ranges {
                    // Section 9.5.1: one chain a sample in cbc1, one a subsample in cbcs.
                    if self.scheme == Scheme::Cbcs {
                        chain = self.block();
                    }
                    for at in self.blocks(&range) {
                        let place = &mut data[at..at + 16];
                        let mut block = aes::Block::default();
                        block.copy_from_slice(place);
                        let sealed = block;
                        cipher.decrypt_block(&mut block);
                        for ((to, block), chain) in place.iter_mut().zip(block).zip(chain) {
                            *to = block ^ chain;
                        }
                        chain = sealed.into();
                    }
                }
            }
        }
    }

    /// Section 9.3: bytes 8 to 15 count blocks and wrap without touching bytes 0 to 7.
    fn keystream(&self, cipher: &Aes128, number: usize) -> [u8; 16] {
        let mut counter = self.block();
        let mut carry = number;
        for byte in counter[8..].iter_mut().rev() {
            let sum = usize::from(*byte) + (carry & 0xff);
            *byte = sum.to_le_bytes()[0];
            carry = (carry >> 8) + (sum >> 8);
        }
        let mut block = counter.into();
        cipher.encrypt_block(&mut block);
        block.into()
    }
}
