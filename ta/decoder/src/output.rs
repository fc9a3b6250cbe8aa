//! Where the pictures go: the one file that a maker of devices replaces for a protected display path.

use alloc::vec::Vec;
use keybearer_video::Sink;

/// The protected output of a platform.
pub trait Output: Sink {
    /// SHA-256 of each picture presented since the last call, in that order. `None` from every output
    /// but the test builds': a digest in an answer tells the host what its ciphertext decodes to.
    fn digests(&mut self) -> Option<Vec<[u8; 32]>> {
        None
    }
}

/// The output of this build: digests of pictures, for tests.
#[cfg(feature = "test-sink")]
pub type PlatformOutput = keybearer_video::DigestSink;

/// The output of this build: none.
#[cfg(not(feature = "test-sink"))]
pub type PlatformOutput = Nowhere;

/// The output of this build; `None` where it has none. Then every command is refused, rather than
/// pictures being decoded for nobody.
#[must_use]
pub fn of_this_platform() -> Option<PlatformOutput> {
    #[cfg(feature = "test-sink")]
    return Some(PlatformOutput::default());
    #[cfg(not(feature = "test-sink"))]
    return None;
}

#[cfg(feature = "test-sink")]
impl Output for keybearer_video::DigestSink {
    fn digests(&mut self) -> Option<Vec<[u8; 32]>> {
        Some(self.take())
    }
}

/// An output that nobody has.
#[cfg(not(feature = "test-sink"))]
pub enum Nowhere {}

#[cfg(not(feature = "test-sink"))]
impl Sink for Nowhere {
    fn present(
        &mut self,
        _: &keybearer_video::Picture<'_>,
    ) -> Result<(), keybearer_video::SinkFailed> {
        match *self {}
    }
}

#[cfg(not(feature = "test-sink"))]
impl Output for Nowhere {}
