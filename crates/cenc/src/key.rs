//! Content keys and the decryption of whole samples.

use aes::cipher::KeyInit;
use aes::{Aes128Dec, Aes128Enc};
use zeroize::Zeroize;

use crate::{CencError, Pattern, SampleDecryptor, Scheme, Subsample, check};

/// How one sample is protected: what `tenc` or `seig` and the sample's `senc` entry say together.
#[derive(Clone, Copy, Debug)]
pub struct SampleProtection<'a> {
    /// Scheme of the track.
    pub scheme: Scheme,
    /// Pattern of the track or sample group; `0:0` for `cenc` and `cbc1`.
    pub pattern: Pattern,
    /// The sample's or the constant initialization vector, 8 or 16 bytes (section 9.1).
    pub iv: &'a [u8],
    /// The subsample table; `None` when the sample is encrypted as a whole.
    pub subsamples: Option<&'a [Subsample]>,
}

/// A content key, expanded once for all samples it decrypts. Both directions are kept: CTR runs the
/// cipher forwards, CBC backwards. Wiped on drop.
///
/// The schedules are the key, and a moved value may leave a copy behind. Where that matters, make
/// their home first and fill it with [`ContentKey::expand`].
pub struct ContentKey {
    pub(crate) forward: Aes128Enc,
    pub(crate) inverse: Aes128Dec,
}

impl ContentKey {
    /// Expands `key` into its place and wipes the stack that it was made on: the cipher's crate
    /// makes a schedule by value, so a temporary cannot be avoided, only wiped. What the compiler
    /// keeps in registers is beyond that. The caller wipes its own copy of `key`, and `place` is
    /// where the schedules stay: it is wiped when it is dropped, not when it is moved.
    pub fn expand(place: &mut Option<Self>, key: &[u8; 16]) {
        fill(place, key);
        wipe_stack();
    }

    /// Expands `key`. The caller wipes its own copy; the frames that the value passes through keep
    /// what they keep, see [`Self::expand`].
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        let forward = Aes128Enc::new(key.into());
        let inverse = Aes128Dec::from(&forward);
        Self { forward, inverse }
    }

    /// Starts on a sample that arrives range by range; see [`SampleDecryptor`].
    ///
    /// # Errors
    ///
    /// [`CencError::IvSize`] and the errors about patterns, as [`check`] has them.
    pub fn sample(
        &self,
        scheme: Scheme,
        pattern: Pattern,
        iv: &[u8],
    ) -> Result<SampleDecryptor<'_>, CencError> {
        SampleDecryptor::new(self, scheme, pattern, iv)
    }

    /// Decrypts a whole sample in place.
    ///
    /// # Errors
    ///
    /// Those of [`check`]; `data` is untouched then.
    pub fn decrypt_sample(
        &self,
        protection: &SampleProtection<'_>,
        data: &mut [u8],
    ) -> Result<(), CencError> {
        let &SampleProtection {
            scheme,
            pattern,
            iv,
            subsamples,
        } = protection;
        let entries = subsamples.map(|table| table.iter().copied());
        check(scheme, pattern, iv.len(), data.len() as u64, entries)?;
        let mut sample = self.sample(scheme, pattern, iv)?;
        let Some(subsamples) = subsamples else {
            sample.whole(data.len() as u64)?;
            return sample.piece(data);
        };
        let mut rest = data;
        for &Subsample { clear, protected } in subsamples {
            // Neither split can be out of bounds: the table was found to cover `data` exactly.
            let (_, behind) = rest.split_at_mut(clear as usize);
            let (range, behind) = behind.split_at_mut(protected as usize);
            sample.range(protected.into())?;
            sample.piece(range)?;
            rest = behind;
        }
        Ok(())
    }
}

/// Bytes of stack that expanding a key uses at most, with room to spare: two schedules of the
/// bit-sliced cipher take 1,408, and its temporaries as much again.
const EXPANSION_STACK: usize = 8 * 1024;

/// Never inlined, so that its frames lie below those of its caller.
#[inline(never)]
fn fill(place: &mut Option<ContentKey>, key: &[u8; 16]) {
    *place = Some(ContentKey::new(key));
}

/// Overwrites the frames that [`fill`] has left, which lie where this one does.
#[inline(never)]
fn wipe_stack() {
    let mut area = [0_u8; EXPANSION_STACK];
    area.zeroize();
    core::hint::black_box(&area);
}

#[cfg(test)]
mod tests;
