//! Samples to decrypt, protected here after the text of ISO/IEC 23001-7: the four schemes block by
//! block over AES alone, so that nothing of the product judges itself.
//!
//! Protected ranges are whole blocks wherever a scheme leaves a partial one clear.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use keybearer_license::{IvKind, KeyUse, Pattern, Scheme};
use keybearer_tee::Media;
use keybearer_wire::body::Decrypt;
use keybearer_wire::field::Blob;
use keybearer_wire::{SampleTableBuilder, SubsampleEntry};

use crate::connection::{Connection, Failure, KEY};

/// A batch of samples under one key, clear and protected.
pub(crate) struct Batch {
    pub(crate) clear: Vec<u8>,
    pub(crate) protected: Vec<u8>,
    table: SampleTableBuilder,
    usage: KeyUse,
    constant_iv: Option<Vec<u8>>,
}

/// Clear and protected bytes of a subsample.
pub(crate) type Subsample = (u32, u32);

/// Bytes that look like nothing: a xorshift sequence, the same each time.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed << 1 | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

impl Batch {
    /// Samples with these subsamples, each protected under `key` as `usage` says; a sample with one
    /// subsample and no clear bytes is stated as wholly protected.
    pub(crate) fn new(key: [u8; 16], usage: &KeyUse, samples: &[&[Subsample]]) -> Self {
        let (size, constant) = match usage.iv {
            IvKind::PerSample8 => (8, false),
            IvKind::PerSample16 => (16, false),
            IvKind::Constant8 => (8, true),
            IvKind::Constant16 => (16, true),
        };
        let mut batch = Self {
            clear: Vec::new(),
            protected: Vec::new(),
            table: SampleTableBuilder::default(),
            usage: usage.clone(),
            constant_iv: constant.then(|| noise(size, 99)),
        };
        for (at, subsamples) in (1..).zip(samples) {
            let iv = batch.constant_iv.clone().unwrap_or_else(|| noise(size, at));
            let mut counter = [0; 16];
            counter[..size].copy_from_slice(&iv);
            let len: u32 = subsamples
                .iter()
                .map(|(clear, protected)| clear + protected)
                .sum();
            let data = noise(len as usize, 1_000 + at);
            let mut sample = data.clone();
            protect(key, usage, counter, subsamples, &mut sample);
            batch.clear.extend_from_slice(&data);
            batch.protected.extend_from_slice(&sample);
            let whole = matches!(subsamples, [(0, _)]);
            let listed: &[Subsample] = if whole { &[] } else { subsamples };
            let listed = listed.iter().map(|(clear, protected)| SubsampleEntry {
                clear: *clear,
                protected: *protected,
            });
            let iv = if constant { [0; 16] } else { counter };
            batch
                .table
                .push(&iv, len, listed)
                .expect("a few samples fit");
        }
        batch
    }

    /// One `cenc` sample of so many bytes under [`KEY`], wholly protected.
    pub(crate) fn simple(len: u32) -> Self {
        let usage = keybearer_scripted_service::cenc_use();
        Self::new(
            keybearer_scripted_service::secret(7),
            &usage,
            &[&[(0, len)]],
        )
    }

    /// The request that decrypts it.
    pub(crate) fn request(&self, session: u64) -> Decrypt<'_> {
        let Pattern { crypt, skip } = self.usage.pattern.unwrap_or(Pattern { crypt: 0, skip: 0 });
        Decrypt {
            session,
            key_id: KEY,
            license: None,
            track_type: self.usage.track.code(),
            scheme: self.usage.scheme.code(),
            iv_size: match self.usage.iv {
                IvKind::PerSample8 => 8,
                IvKind::PerSample16 => 16,
                IvKind::Constant8 | IvKind::Constant16 => 0,
            },
            constant_iv: self.constant_iv.as_deref().map(Blob),
            crypt_blocks: crypt,
            skip_blocks: skip,
            duration_ms: 1_000,
            width: None,
            height: None,
            samples: Blob(self.table.samples()),
            subsamples: Blob(self.table.subsamples()),
        }
    }

    /// Decrypts it in place and says whether the clear bytes come out.
    pub(crate) fn comes_out_clear(
        &self,
        at: &mut Connection,
        session: u64,
    ) -> Result<bool, Failure> {
        let mut data = self.protected.clone();
        let bytes = at.decrypt(&self.request(session), Media::InPlace(&mut data))?;
        Ok(data == self.clear && bytes == data.len() as u64)
    }

    /// Decrypts it from one buffer into another, after a change to the request. On a refusal the
    /// output must be as it was; the outer result says if it is not.
    pub(crate) fn refusal<'b>(
        &'b self,
        at: &mut Connection,
        session: u64,
        edit: impl FnOnce(&mut Decrypt<'b>),
    ) -> Result<Result<u64, Failure>, crate::Fault> {
        let mut request = self.request(session);
        edit(&mut request);
        self.refusal_of(at, &request)
    }

    /// As [`Self::refusal`], of a whole request.
    pub(crate) fn refusal_of(
        &self,
        at: &mut Connection,
        request: &Decrypt<'_>,
    ) -> Result<Result<u64, Failure>, crate::Fault> {
        let mut output = vec![0x55; self.protected.len()];
        let media = Media::Into {
            input: &self.protected,
            output: &mut output,
        };
        let outcome = at.decrypt(request, media);
        if outcome.is_err() && output.iter().any(|byte| *byte != 0x55) {
            return Err(crate::Fault("a refused call wrote to its output".into()));
        }
        Ok(outcome)
    }
}

pub(crate) fn protect(
    key: [u8; 16],
    usage: &KeyUse,
    iv: [u8; 16],
    subsamples: &[Subsample],
    sample: &mut [u8],
) {
    let cipher = Aes128::new(&key.into());
    let encrypt = |block: [u8; 16]| {
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        <[u8; 16]>::from(block)
    };
    let chained = matches!(usage.scheme, Scheme::Cbc1 | Scheme::Cbcs);
    let pattern = usage.pattern.filter(|pattern| pattern.crypt > 0);
    let (mut state, mut mask, mut used) = (iv, [0; 16], 16);
    let mut rest = sample;
    for (clear, protected) in subsamples {
        let (_, after) = rest.split_at_mut(*clear as usize);
        let (range, after) = after.split_at_mut(*protected as usize);
        rest = after;
        if usage.scheme == Scheme::Cbcs {
            state = iv;
        }
        for (at, block) in range.chunks_mut(16).enumerate() {
            if let Some(Pattern { crypt, skip }) = pattern
                && at % usize::from(crypt + skip) >= usize::from(crypt)
            {
                continue;
            }
            if chained {
                let mixed = std::array::from_fn(|i| block[i] ^ state[i]);
                state = encrypt(mixed);
                block.copy_from_slice(&state);
                continue;
            }
            for byte in block {
                // What one range leaves of a block of the keystream serves the next.
                if used == 16 {
                    (mask, used) = (encrypt(state), 0);
                    state = u128::from_be_bytes(state).wrapping_add(1).to_be_bytes();
                }
                *byte ^= mask[used];
                used += 1;
            }
        }
    }
}
