//! The trait through which a host reaches a trusted core, wherever that core lives.
//!
//! Bytes go in and bytes come out, plus one call for media. This room knows transport failures
//! only: what the trusted side thinks of a licence comes back in band, as a
//! [`keybearer_wire::Status`]. Nothing here is trusted by the core, and nothing here sees a key.
//!
//! A connection is used as one of two types. [`ClearSession`] gives decrypted samples back;
//! [`ProtectedSession`] hands media to a decoder in the trusted side, or has it decrypted into a buffer
//! of which it knows no more than the name ([`ProtectedBuffer`]), and has no method by which
//! anything clear could come back. The trusted side does not rely on the difference: it refuses.

#![forbid(unsafe_code)]

mod buffer;
mod call;
mod cancel;
mod clear;
mod error;
mod memory;
mod protected;

pub use buffer::{BufferRange, ProtectedBuffer};
pub use cancel::CancelCall;
pub use clear::{CallError, ClearSession};
pub use error::TeeError;
pub use memory::SharedMemory;
pub use protected::{ProtectedError, ProtectedSession, Track};

use std::os::fd::BorrowedFd;
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
    /// [`TeeError::NoDecoder`] where there is none, [`TeeError::NoDecoderMemory`] when no further one
    /// fits, [`TeeError::Unavailable`] when the one that is there cannot be reached, [`TeeError::Io`].
    fn connect_decoder(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Err(TeeError::NoDecoder("this backend has none".into()))
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

    /// Makes a protected buffer known to the trusted side: `fd` is a dma-buf of a heap that the TEE
    /// guards. The descriptor may be closed afterwards; the buffer is known until it is released, or
    /// the connection ends.
    ///
    /// # Errors
    /// [`TeeError::NoProtectedBuffer`] where there are none, and for a descriptor of another kind;
    /// [`TeeError::Dead`], [`TeeError::Io`].
    fn register_buffer<'a>(&mut self, fd: BorrowedFd<'a>) -> Result<ProtectedBuffer, TeeError> {
        let _ = fd;
        Err(TeeError::NoProtectedBuffer("this backend has none".into()))
    }

    /// Forgets a buffer, whatever is in it; one that is not known is forgotten already.
    fn release_buffer(&mut self, buffer: ProtectedBuffer) {
        let _ = buffer;
    }

    /// As [`Self::call`], with `input` as the media that goes in and a range of a protected buffer for
    /// what comes out.
    ///
    /// # Errors
    /// [`TeeError::NoProtectedBuffer`] for a buffer that this connection does not know,
    /// [`TeeError::TooLarge`] for a range that does not lie in it; those of [`Self::call`].
    fn call_into(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        input: &[u8],
        output: BufferRange,
    ) -> Result<(), TeeError> {
        let _ = (command, request, response, input, output);
        Err(TeeError::NoProtectedBuffer("this backend has none".into()))
    }

    /// What cancels a call of this connection from another thread; `None` where calls are too short
    /// for it, or the backend has no means.
    fn canceller(&self) -> Option<Arc<dyn CancelCall>> {
        None
    }
}
