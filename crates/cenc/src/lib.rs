//! Common Encryption sample decryption (ISO/IEC 23001-7): all four schemes, in place, without
//! allocation, for whole samples and for samples that arrive piece by piece.
//!
//! Promises:
//!
//! * **Nothing is half done.** [`check`] refuses scheme parameters and subsample tables that do not
//!   fit before a byte is touched; [`ContentKey::decrypt_sample`] calls it first. What cannot be
//!   decrypted correctly is refused with a [`CencError`] that says what was found and what was
//!   expected.
//! * **The cut does not matter.** [`SampleDecryptor`] gives the same bytes however a caller cuts a
//!   protected range into pieces.
//! * **Keys stay inside.** A [`ContentKey`] has no getter, no `Clone` and no `Debug`, and is wiped
//!   on drop.
//!
//! Distrusts: whoever wrote the scheme parameters, the IV, the subsample table and the sample. It
//! cannot notice a wrong key or changed ciphertext: Common Encryption carries no integrity, so
//! that is the caller's matter.
//!
//! Section numbers in this crate are those of ISO/IEC 23001-7:2016.

#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

#[cfg(test)]
extern crate std;

mod check;
mod error;
mod key;
mod keystream;
mod pattern;
mod sample;
mod types;

pub use check::check;
pub use error::CencError;
pub use key::{ContentKey, SampleProtection};
pub use sample::SampleDecryptor;
pub use types::{Pattern, Scheme, Subsample};

/// AES block size in bytes, the unit of every scheme's pattern, counter and chain.
pub(crate) const BLOCK: usize = 16;

/// One AES block, as the cipher crates take it.
pub(crate) type Block = aes::Block;
