//! Memory that a backend shares with its trusted side, so that media need not be copied to reach it.

/// Zeroed memory that this process and the trusted side both see.
///
/// A backend knows its own memory again by address: media of a call that lies in it is named to the
/// trusted side by place and length, media elsewhere is copied. It stays valid, and keeps its
/// content, when the session that gave it ends or the trusted side dies; then it is ordinary memory.
///
/// What lies here is not secret from the trusted side and not protected from it: nothing but media
/// belongs here.
pub trait SharedMemory: Send {
    /// All of it, as long as was asked for.
    fn bytes(&self) -> &[u8];

    /// All of it, to be written.
    fn bytes_mut(&mut self) -> &mut [u8];
}

impl std::fmt::Debug for dyn SharedMemory + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedMemory")
            .field("len", &self.bytes().len())
            .finish_non_exhaustive()
    }
}
