//! A sink that keeps a digest of each picture instead of showing it: for test builds.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::sink::{Picture, Sink, SinkFailed};

/// Keeps the SHA-256 of each picture presented: all rows of Y, then Cb, then Cr, of the size shown.
///
/// The same value as FFmpeg's `framehash` muxer gives for raw `yuv420p` video. A digest tells whoever
/// sees it about the content: a build with this sink is a test build and says so in its identity.
#[derive(Debug, Default)]
pub struct DigestSink {
    digests: Vec<[u8; 32]>,
}

impl DigestSink {
    /// The digests since the last call, in presentation order.
    pub fn take(&mut self) -> Vec<[u8; 32]> {
        core::mem::take(&mut self.digests)
    }
}

impl Sink for DigestSink {
    fn present(&mut self, picture: &Picture<'_>) -> Result<(), SinkFailed> {
        let mut hash = Sha256::new();
        for plane in [&picture.luma, &picture.cb, &picture.cr] {
            hash.update(plane.samples);
        }
        self.digests.push(hash.finalize().into());
        Ok(())
    }
}
