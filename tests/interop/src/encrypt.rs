//! Encryption of samples after the words of ISO/IEC 23001-7:2016, block by block. Slow and plain on
//! purpose: it is the other side of what `crates/cenc` does and shares nothing with it but AES.

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use keybearer_license::Scheme;

/// Clear and protected bytes of one subsample.
pub type Subsample = (u16, u32);

/// Encrypts a sample in place. `iv` has 8 or 16 bytes; without `subsamples` the sample is protected
/// as a whole. `pattern` counts encrypted and skipped blocks; 0:0 is none.
///
/// # Panics
/// When the subsamples do not fit the sample.
pub fn encrypt(
    scheme: Scheme,
    pattern: (u8, u8),
    key: &[u8; 16],
    iv: &[u8],
    subsamples: Option<&[Subsample]>,
    sample: &mut [u8],
) {
    let mut iv16 = [0; 16];
    iv16[..iv.len()].copy_from_slice(iv);
    let mut cipher = Cipher {
        aes: Aes128Enc::new(key.into()),
        scheme,
        counter: iv16,
        used: 16,
        keystream: [0; 16],
        chain: iv16,
        iv: iv16,
    };
    let whole = [(0, u32::try_from(sample.len()).expect("a 32-bit size"))];
    let mut rest = sample;
    for (clear, protected) in subsamples.unwrap_or(&whole) {
        let (_, behind) = rest.split_at_mut(usize::from(*clear));
        let (range, behind) = behind.split_at_mut(usize::try_from(*protected).expect("64 bits"));
        cipher.range(pattern, range);
        rest = behind;
    }
    assert!(rest.is_empty(), "the subsamples cover the sample");
}

struct Cipher {
    aes: Aes128Enc,
    scheme: Scheme,
    counter: [u8; 16],
    /// Bytes of `keystream` that are used up.
    used: usize,
    keystream: [u8; 16],
    chain: [u8; 16],
    iv: [u8; 16],
}

impl Cipher {
    fn range(&mut self, (crypt, skip): (u8, u8), range: &mut [u8]) {
        if self.scheme == Scheme::Cenc {
            // 9.5.1: the key stream goes on, byte by byte, from one protected range to the next.
            range.iter_mut().for_each(|byte| *byte ^= self.next_byte());
            return;
        }
        if self.scheme == Scheme::Cbcs {
            // 10.4: each subsample begins with the constant IV.
            self.chain = self.iv;
        }
        let period = usize::from(crypt) + usize::from(skip);
        for (number, block) in range.chunks_exact_mut(16).enumerate() {
            // 9.6: the pattern begins anew in each range and is cut off by its end; a part of a
            // block at the end, which `chunks_exact_mut` leaves out, stays clear.
            if period == 0 || number % period < usize::from(crypt) {
                let block = block.try_into().expect("sixteen bytes");
                self.block(block);
            }
        }
    }

    fn block(&mut self, block: &mut [u8; 16]) {
        if self.scheme == Scheme::Cens {
            block.iter_mut().for_each(|byte| *byte ^= self.next_byte());
            return;
        }
        for (byte, before) in block.iter_mut().zip(self.chain) {
            *byte ^= before;
        }
        self.aes.encrypt_block(block.into());
        self.chain = *block;
    }

    fn next_byte(&mut self) -> u8 {
        if self.used == 16 {
            self.keystream = self.counter;
            self.aes.encrypt_block((&mut self.keystream).into());
            // 9.2: the block counter is the lower 64 bits; they wrap and carry nothing upwards.
            let counter = u128::from_be_bytes(self.counter);
            let low = u64::try_from(counter & u128::from(u64::MAX)).expect("64 bits");
            let high = counter & !u128::from(u64::MAX);
            self.counter = (high | u128::from(low.wrapping_add(1))).to_be_bytes();
            self.used = 0;
        }
        self.used += 1;
        self.keystream[self.used - 1]
    }
}
