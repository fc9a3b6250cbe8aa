//! Encryption written down from the standard's prose, one block at a time, for comparison only. It
//! uses nothing of the room but its types, and of the cipher crates only the AES block itself.

use std::ops::Range;
use std::vec::Vec;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use crate::{SampleProtection, Scheme};

fn aes_block(key: &[u8; 16], block: [u8; 16]) -> [u8; 16] {
    let mut block = block.into();
    Aes128::new(key.into()).encrypt_block(&mut block);
    block.into()
}

fn xor(a: &mut [u8], b: &[u8; 16]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
}

/// Section 9.1: an 8-byte IV is copied to bytes 0 to 7, bytes 8 to 15 are zero.
fn full_iv(iv: &[u8]) -> [u8; 16] {
    let mut full = [0; 16];
    full[..iv.len()].copy_from_slice(iv);
    full
}

/// Section 9.3: bytes 8 to 15 count blocks, big-endian, and wrap without touching bytes 0 to 7.
/// The counting is done byte by byte here, as on paper.
fn counter_block(iv: &[u8], number: usize) -> [u8; 16] {
    let mut counter = full_iv(iv);
    let mut carry = number as u64;
    for byte in counter[8..].iter_mut().rev() {
        let sum = u64::from(*byte) + (carry & 0xff);
        *byte = (sum & 0xff) as u8;
        carry = (carry >> 8) + (sum >> 8);
    }
    counter
}

/// Where the protected bytes are, one range for each subsample.
fn protected_ranges(protection: &SampleProtection<'_>, sample: usize) -> Vec<Range<usize>> {
    let Some(table) = protection.subsamples else {
        return std::vec![0..sample];
    };
    let mut at = 0;
    let mut ranges = Vec::new();
    for entry in table {
        let start = at + entry.clear as usize;
        at = start + entry.protected as usize;
        ranges.push(start..at);
    }
    assert_eq!(at, sample, "the test's table must cover the test's sample");
    ranges
}

/// The whole blocks of a range that its pattern encrypts (section 9.6.1); without a pattern, all
/// whole blocks. A part of a block at the end is never among them.
fn pattern_blocks(protection: &SampleProtection<'_>, range: Range<usize>) -> Vec<Range<usize>> {
    let (crypt, skip) = (
        usize::from(protection.pattern.crypt),
        usize::from(protection.pattern.skip),
    );
    let blocks = range.len() / 16;
    (0..blocks)
        .filter(|block| (crypt, skip) == (0, 0) || block % (crypt + skip) < crypt)
        .map(|block| range.start + 16 * block..range.start + 16 * block + 16)
        .collect()
}

/// Encrypts one sample.
pub(crate) fn encrypt(key: &[u8; 16], protection: &SampleProtection<'_>, clear: &[u8]) -> Vec<u8> {
    let mut data = clear.to_vec();
    let ranges = protected_ranges(protection, clear.len());
    match protection.scheme {
        // The protected bytes of the sample are one sequence, cut into blocks from its start.
        Scheme::Cenc => {
            let bytes: Vec<usize> = ranges.into_iter().flatten().collect();
            for (number, block) in bytes.chunks(16).enumerate() {
                let keystream = aes_block(key, counter_block(protection.iv, number));
                for (at, keystream) in block.iter().zip(keystream) {
                    data[*at] ^= keystream;
                }
            }
        }
        // The counter counts the encrypted blocks of the sample, the skipped ones do not count.
        Scheme::Cens => {
            let blocks = ranges
                .into_iter()
                .flat_map(|range| pattern_blocks(protection, range));
            for (number, block) in blocks.enumerate() {
                let keystream = aes_block(key, counter_block(protection.iv, number));
                xor(&mut data[block], &keystream);
            }
        }
        // One chain a sample in cbc1, one a subsample in cbcs.
        Scheme::Cbc1 | Scheme::Cbcs => {
            let mut chain = full_iv(protection.iv);
            for range in ranges {
                if protection.scheme == Scheme::Cbcs {
                    chain = full_iv(protection.iv);
                }
                for block in pattern_blocks(protection, range) {
                    xor(&mut data[block.clone()], &chain);
                    chain = aes_block(key, data[block.clone()].try_into().unwrap());
                    data[block].copy_from_slice(&chain);
                }
            }
        }
    }
    data
}
