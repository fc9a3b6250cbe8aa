//! The rules of the standard one by one, against a reference that shares no code with the room but
//! the AES block; then all of them mixed at random.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed call is a failed test"
)]

mod properties;
mod reference;
mod rules;
mod streaming;

use std::vec::Vec;

use crate::{CencError, ContentKey, Pattern, SampleProtection, Scheme, Subsample};

/// Keys with NUL bytes at either end and within, since strings must never come near them.
pub(crate) const KEY: [u8; 16] = [0, 1, 0, 0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0];

pub(crate) const NONE: Pattern = Pattern { crypt: 0, skip: 0 };

/// A clear sample in which neighbouring blocks differ: block and byte number, folded together.
pub(crate) fn clear(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i / 16).to_le_bytes()[0].wrapping_mul(37) ^ i.to_le_bytes()[0])
        .collect()
}

pub(crate) fn table(entries: &[(u32, u32)]) -> Vec<Subsample> {
    entries
        .iter()
        .map(|&(clear, protected)| Subsample { clear, protected })
        .collect()
}

/// Encrypts with the reference, decrypts with the room, and says whether the clear sample is back.
/// Returns the encrypted sample for a closer look.
pub(crate) fn round_trip(
    scheme: Scheme,
    pattern: Pattern,
    iv: &[u8],
    subsamples: Option<&[Subsample]>,
    clear: &[u8],
) -> Vec<u8> {
    let protection = SampleProtection {
        scheme,
        pattern,
        iv,
        subsamples,
    };
    let encrypted = reference::encrypt(&KEY, &protection, clear);
    let mut data = encrypted.clone();
    ContentKey::new(&KEY)
        .decrypt_sample(&protection, &mut data)
        .unwrap();
    assert!(
        data == clear,
        "{scheme} {pattern:?} iv {iv:02x?} {subsamples:?}"
    );
    encrypted
}
