//! Typed calls over a connection whose clear samples come back to the host (Medium and Low).

use keybearer_wire::{Exchange, Status, body};

use crate::call::call;
use crate::{CancelCall, Media, SharedMemory, TeeError, TeeSession};

/// Why a typed call gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The transport failed.
    #[error(transparent)]
    Transport(#[from] TeeError),
    /// The trusted side refused.
    #[error("{name}: {0}", name = .0.name())]
    Refused(Status),
    /// The request cannot be encoded within its limits.
    #[error("request exceeds the interface's limits: {0}")]
    Request(#[source] keybearer_wire::field::CodecError),
}

/// A connection that may decrypt into host memory.
///
/// A connection for content that the host must never see is another type, so that asking it for
/// clear bytes does not compile.
pub struct ClearSession {
    session: Box<dyn TeeSession>,
    response: Vec<u8>,
}

impl std::fmt::Debug for ClearSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClearSession").finish_non_exhaustive()
    }
}

impl ClearSession {
    /// Takes a fresh connection.
    #[must_use]
    pub fn new(session: Box<dyn TeeSession>) -> Self {
        Self {
            session,
            response: Vec::new(),
        }
    }

    /// Runs one command that carries no media.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the trusted side's status, or the transport's failure.
    pub fn exchange<'r, R: Exchange<'r>>(
        &mut self,
        request: &R,
    ) -> Result<R::Answer<'_>, CallError> {
        self.run(request, Media::None)
    }

    /// Decrypts a batch of samples, in place or into another buffer.
    ///
    /// # Errors
    /// As [`Self::exchange`]; on a refusal the output is untouched.
    pub fn decrypt(
        &mut self,
        request: &body::Decrypt<'_>,
        media: Media<'_>,
    ) -> Result<body::Decrypted, CallError> {
        self.run(request, media)
    }

    /// `len` zeroed bytes shared with the trusted side; see [`TeeSession::shared_memory`].
    ///
    /// # Errors
    /// As [`TeeSession::shared_memory`].
    pub fn shared_memory(&mut self, len: usize) -> Result<Option<Box<dyn SharedMemory>>, TeeError> {
        self.session.shared_memory(len)
    }

    /// What cancels a call of this connection; see [`TeeSession::canceller`].
    #[must_use]
    pub fn canceller(&self) -> Option<std::sync::Arc<dyn CancelCall>> {
        self.session.canceller()
    }

    fn run<'r, R: Exchange<'r>>(
        &mut self,
        request: &R,
        media: Media<'_>,
    ) -> Result<R::Answer<'_>, CallError> {
        let command = R::COMMAND.code();
        call(
            &mut *self.session,
            &mut self.response,
            command,
            request,
            media,
        )
    }
}

#[cfg(test)]
mod tests;
