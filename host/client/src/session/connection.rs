//! A connection of either kind: one whose media comes back, or one whose media goes to a decoder.

use std::sync::Arc;

use keybearer_tee::{CallError, ClearSession, ProtectedSession, Tee, TeeError};
use keybearer_wire::{Exchange, Status};

/// A connection to the trusted side.
#[derive(Debug)]
pub(crate) enum Connection {
    Clear(ClearSession),
    Protected(Box<ProtectedSession>),
}

impl Connection {
    pub(crate) fn clear(tee: &dyn Tee) -> Result<Self, TeeError> {
        Ok(Self::Clear(ClearSession::new(tee.connect()?)))
    }

    pub(crate) fn protected(tee: &Arc<dyn Tee>) -> Result<Self, TeeError> {
        let session = ProtectedSession::open(Arc::clone(tee))?;
        Ok(Self::Protected(Box::new(session)))
    }

    /// Whether its sessions are protected ones.
    pub(crate) const fn is_protected(&self) -> bool {
        matches!(self, Self::Protected(_))
    }

    /// Runs one command of the keys' side, without media.
    pub(crate) fn exchange<'r, R: Exchange<'r>>(
        &mut self,
        request: &R,
    ) -> Result<R::Answer<'_>, CallError> {
        match self {
            Self::Clear(session) => session.exchange(request),
            Self::Protected(session) => session.exchange(request),
        }
    }

    /// The connection as one that gives clear media back.
    pub(crate) fn as_clear(&mut self) -> Result<&mut ClearSession, CallError> {
        match self {
            Self::Clear(session) => Ok(session),
            // It has no method for that; the trusted side would say the same.
            Self::Protected(_) => Err(CallError::Refused(Status::WrongSessionKind)),
        }
    }

    /// The connection as one that has a decoder.
    pub(crate) fn as_protected(&mut self) -> Result<&mut ProtectedSession, CallError> {
        match self {
            Self::Clear(_) => Err(CallError::Refused(Status::WrongSessionKind)),
            Self::Protected(session) => Ok(session),
        }
    }
}
