//! The trait through which a host reaches a trusted core, wherever that core lives.
//!
//! Bytes go in and bytes come out, plus one call for media. This room knows transport failures
//! only: what the trusted side thinks of a licence comes back in band, as a
//! [`keybearer_wire::Status`]. Nothing here is trusted by the core, and nothing here sees a key.
//!
//! A connection is used as one of two types. [`ClearSession`] gives decrypted samples back;
//! [`ProtectedSession`] hands media to a decoder in the trusted side, and has no method by which
//! anything clear could come back. The trusted side does not rely on the difference: it refuses.

#![forbid(unsafe_code)]

mod call;
mod cancel;
mod clear;
mod error;
mod memory;
mod protected;

pub use cancel::CancelCall;
pub use clear::{CallError, ClearSession};
pub use error::TeeError;
pub use memory::SharedMemory;
pub use protected::{ProtectedError, ProtectedSession, Track};

use std::sync::Arc;

/// What a backend is and why it was chosen; text for people, never a basis for trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// Short name: `optee`, `worker`, `in-process`.
    pub name: &'static str,
    /// One sentence on what runs where.
    pub detail: String,
}

/// A place where a trusted core runs.
pub trait Tee: Send + Sync {
    /// What this backend is.
    fn info(&self) -> BackendInfo;

    /// Opens a connection of one client to the trusted core.
    ///
    /// # Errors
    /// [`TeeError::Unavailable`] when the core cannot be reached, [`TeeError::Io`].
    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError>;

    /// Opens a connection to a decoder of its own, whose commands are those of
    /// [`keybearer_wire::decoder`]. Media goes in and none comes out.
    ///
    /// # Errors
    /// [`TeeError::Unavailable`] where there is no decoder, [`TeeError::NoDecoderMemory`] when no
    /// further one fits, [`TeeError::Io`].
    fn connect_decoder(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Err(TeeError::Unavailable("this backend has no decoder".into()))
    }
}

impl std::fmt::Debug for dyn Tee + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tee").field(&self.info()).finish()
    }
}

/// Media of one call.
#[derive(Debug)]
pub enum Media<'a> {
    /// No media.
    None,
    /// Goes in, and nothing comes out: the trusted side keeps what it makes of it.
    Input(&'a [u8]),
    /// Decrypted where it stands.
    InPlace(&'a mut [u8]),
    /// Decrypted from one buffer into another of at least its size.
    Into {
        /// Protected bytes.
        input: &'a [u8],
        /// Receives the clear bytes.
        output: &'a mut [u8],
    },
}

impl Media<'_> {
    /// Bytes that go in.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::InPlace(data) => data.len(),
            Self::Input(input) | Self::Into { input, .. } => input.len(),
        }
    }

    /// True when no bytes go in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One connection. The core frees what the connection owns when it is dropped.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait TeeSession: Send {
    /// Runs one command: `request` in, the response body appended to the emptied `response`.
    ///
    /// # Errors
    /// Transport failures only. After [`TeeError::Dead`] the connection is of no more use.
    #[allow(clippy::needless_lifetimes)] // mockall needs the lifetime named
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError>;

    /// `len` zeroed bytes that the trusted side sees as well: media of a call that lies there, whole
    /// or in part, goes along without a copy on this side.
    ///
    /// `None` where the backend shares no memory; media then travels as the backend sees fit.
    ///
    /// # Errors
    /// [`TeeError::TooLarge`] beyond what the backend shares with one connection,
    /// [`TeeError::Dead`], [`TeeError::Io`].
    fn shared_memory(&mut self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, TeeError> {
        let _ = len;
        Ok(None)
    }

    /// What cancels a call of this connection from another thread; `None` where calls are too short
    /// for it, or the backend has no means.
    fn canceller(&self) -> Option<Arc<dyn CancelCall>> {
        None
    }
}
