//! Decryption of one sample, range by range and piece by piece.

use aes::Aes128Dec;
use aes::cipher::{Array, BlockModeDecrypt, InnerIvInit, SetIvState, StreamCipherCore};

use crate::check::{expand_iv, pattern_fits, range_fits};
use crate::keystream::{BlockKeystream, ByteKeystream};
use crate::pattern::Walk;
use crate::{BLOCK, Block, CencError, ContentKey, Pattern, Scheme};

/// The state of one sample under decryption, made by [`ContentKey::sample`].
///
/// The caller goes through the sample in order. For each entry of the subsample table it passes
/// over the clear bytes, calls [`range`](Self::range) with the number of protected ones, and feeds
/// these to [`piece`](Self::piece), in one piece or in several. A sample encrypted as a whole is one
/// range, begun with [`whole`](Self::whole). A refused call changes nothing, neither the data nor
/// the state.
///
/// The table as a whole is not seen here: [`check`](crate::check()) it first.
///
/// ```
/// use keybearer_cenc::{ContentKey, Pattern, Scheme};
///
/// let key = ContentKey::new(&[7; 16]);
/// let mut sample = key.sample(Scheme::Cbcs, Pattern { crypt: 1, skip: 9 }, &[1; 8])?;
/// let mut data = [0; 500];
/// let (head, tail) = data[100..].split_at_mut(160);
/// sample.range(400)?;
/// sample.piece(head)?;
/// sample.piece(tail)?;
/// # Ok::<(), keybearer_cenc::CencError>(())
/// ```
pub struct SampleDecryptor<'k> {
    cipher: Cipher<'k>,
    /// `None` when every whole block of a range is encrypted.
    walk: Option<Walk>,
    /// Bytes of the open range still to come.
    remaining: u64,
}

/// What each scheme carries on from range to range.
enum Cipher<'k> {
    Cenc(ByteKeystream<'k>),
    Cens(BlockKeystream<'k>),
    Cbc1(cbc::Decryptor<&'k Aes128Dec>),
    Cbcs {
        chain: cbc::Decryptor<&'k Aes128Dec>,
        iv: Block,
    },
}

impl<'k> SampleDecryptor<'k> {
    pub(crate) fn new(
        key: &'k ContentKey,
        scheme: Scheme,
        pattern: Pattern,
        iv: &[u8],
    ) -> Result<Self, CencError> {
        let iv = expand_iv(iv)?;
        pattern_fits(scheme, pattern)?;
        let cipher = match scheme {
            Scheme::Cenc => Cipher::Cenc(ByteKeystream::new(&key.forward, &iv)),
            Scheme::Cens => Cipher::Cens(BlockKeystream::inner_iv_init(&key.forward, &iv)),
            Scheme::Cbc1 => Cipher::Cbc1(cbc::Decryptor::inner_iv_init(&key.inverse, &iv)),
            Scheme::Cbcs => Cipher::Cbcs {
                chain: cbc::Decryptor::inner_iv_init(&key.inverse, &iv),
                iv,
            },
        };
        Ok(Self {
            cipher,
            walk: Walk::new(pattern),
            remaining: 0,
        })
    }

    /// Begins the protected range of the next subsample, `len` bytes long.
    ///
    /// A range without bytes may be begun or left out, it makes no difference.
    ///
    /// # Errors
    ///
    /// [`CencError::RangeUnfinished`] when the range before lacks bytes, [`CencError::PartialBlock`]
    /// when the scheme is `cbc1` and `len` is not a multiple of 16.
    pub fn range(&mut self, len: u64) -> Result<(), CencError> {
        range_fits(self.scheme(), len)?;
        self.begin(len)
    }

    /// Begins a sample that is encrypted as a whole, `len` bytes long. Other than with
    /// [`range`](Self::range), a `cbc1` sample may end with a clear part of a block.
    ///
    /// # Errors
    ///
    /// [`CencError::RangeUnfinished`] when a range begun before lacks bytes.
    pub fn whole(&mut self, len: u64) -> Result<(), CencError> {
        self.begin(len)
    }

    /// Decrypts the next piece of the open range in place. Every piece but the range's last has a
    /// multiple of 16 bytes; it may be empty.
    ///
    /// # Errors
    ///
    /// [`CencError::PieceTooLong`] when the range ends within the piece (also when there is none
    /// open), [`CencError::PieceAlignment`] when the piece ends within a block and is not the last.
    #[inline]
    pub fn piece(&mut self, data: &mut [u8]) -> Result<(), CencError> {
        let piece = data.len() as u64;
        let Some(behind) = self.remaining.checked_sub(piece) else {
            return Err(CencError::PieceTooLong {
                piece,
                remaining: self.remaining,
            });
        };
        if behind != 0 && !data.len().is_multiple_of(BLOCK) {
            return Err(CencError::PieceAlignment { piece });
        }
        self.remaining = behind;
        match (&mut self.cipher, &mut self.walk) {
            (Cipher::Cenc(keystream), _) => keystream.apply(data),
            (Cipher::Cens(keystream), None) => {
                keystream.apply_keystream_blocks(whole_blocks(data));
            }
            (Cipher::Cens(keystream), Some(walk)) => {
                keystream.process_with_backend(walk.runs(whole_blocks(data)));
            }
            (Cipher::Cbc1(chain) | Cipher::Cbcs { chain, .. }, None) => {
                chain.decrypt_blocks(whole_blocks(data));
            }
            (Cipher::Cbc1(chain) | Cipher::Cbcs { chain, .. }, Some(walk)) => {
                chain.decrypt_with_backend(walk.runs(whole_blocks(data)));
            }
        }
        Ok(())
    }

    fn scheme(&self) -> Scheme {
        match self.cipher {
            Cipher::Cenc(_) => Scheme::Cenc,
            Cipher::Cens(_) => Scheme::Cens,
            Cipher::Cbc1(_) => Scheme::Cbc1,
            Cipher::Cbcs { .. } => Scheme::Cbcs,
        }
    }

    fn begin(&mut self, len: u64) -> Result<(), CencError> {
        if self.remaining != 0 {
            return Err(CencError::RangeUnfinished {
                missing: self.remaining,
            });
        }
        self.remaining = len;
        if let Some(walk) = &mut self.walk {
            walk.restart();
        }
        // Only cbcs has a chain per subsample, whatever its pattern; the others have one per
        // sample (section 9.5.1).
        if let Cipher::Cbcs { chain, iv } = &mut self.cipher {
            chain.set_iv(iv);
        }
        Ok(())
    }
}

/// The whole blocks of a piece. A trailing part can only be the end of a range, and stays clear in
/// every scheme that works on whole blocks (sections 9.4.3, 9.6.1 and 9.7).
fn whole_blocks(data: &mut [u8]) -> &mut [Block] {
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    blocks
}

#[cfg(test)]
mod tests;
