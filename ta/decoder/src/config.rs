//! What the builder of the trusted application fixes at build time.

use keybearer_wire::{
    decoder::{MAX_DECODER_RESPONSE, MAX_UNIT},
    limits::MAX_REQUEST,
};

pub use crate::memory::{HEAP, STACK};
pub use keybearer_ta_entry::debug::DEBUG;

/// True when this build answers with digests of the pictures: then what it decodes can be guessed at
/// by whoever chooses the ciphertext, and no key TA but a debug build's may give it anything.
pub const TEST_OUTPUT: bool = cfg!(feature = "test-sink");

// Compiled into the image only: other builds are tests of this very feature.
#[cfg(feature = "ta")]
const _: () = assert!(
    DEBUG || !TEST_OUTPUT,
    "an image with the test sink is a debug build: set KEYBEARER_TA_DEBUG=1"
);

/// Bytes of heap that are the pictures', with what the decoder needs to make them: the rest holds one
/// access unit, a request as it came and as it goes on, the answers to both, and what an allocator
/// loses to its own books.
#[allow(
    clippy::as_conversions,
    reason = "a conversion that widens; `usize::from` has no constant form"
)]
pub const PICTURES: usize =
    HEAP as usize - MAX_UNIT - 2 * MAX_REQUEST - 2 * MAX_DECODER_RESPONSE - BOOKS;

/// What the allocator's books, the session itself and its small vectors may take.
const BOOKS: usize = 64 * 1024;
