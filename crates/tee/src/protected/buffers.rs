//! Units that a board's hardware decoder decodes: decrypted into protected buffers, which are wiped
//! before anybody else gets them.

use std::iter;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use keybearer_wire::{Exchange, Status, body};

use super::ProtectedSession;
use crate::call::call_into;
use crate::{BufferRange, CallError, ProtectedBuffer, TeeError, TeeSession};

/// Bytes that are wiped in one call, so that none is long.
const WIPED_AT_ONCE: usize = 1 << 20;

/// A buffer that the session has registered.
pub(super) struct Held {
    buffer: ProtectedBuffer,
    /// To name it on another connection, where this one's trusted side has died.
    fd: OwnedFd,
}

/// Where media goes in a protected session that no decoder of the trusted side decodes.
impl ProtectedSession {
    /// Makes a protected buffer known to the trusted side, once for all units that go there. The
    /// session keeps it, and a descriptor of it, until it is released.
    ///
    /// # Errors
    /// [`TeeError::NoProtectedBuffer`] where there are none, and for a descriptor of another kind: no
    /// other memory takes the place of one. [`TeeError::Dead`], [`TeeError::Io`].
    pub fn register_buffer(&mut self, fd: BorrowedFd<'_>) -> Result<ProtectedBuffer, TeeError> {
        let own = fd.try_clone_to_owned().map_err(|error| TeeError::Io {
            what: "duplicating the descriptor of a protected buffer",
            code: error.raw_os_error().unwrap_or(0).unsigned_abs(),
        })?;
        let buffer = self.keys.register_buffer(fd)?;
        self.buffers.push(Held { buffer, fd: own });
        Ok(buffer)
    }

    /// Decrypts protected samples into a range of a buffer; what the samples leave of it is
    /// overwritten with zeros. What comes back says how much is clear there, and nothing of what.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the trusted side's status: `UnprotectedOutput` for a buffer that
    /// the normal world can read after all, which is let go at once, and for a range of no bytes;
    /// `PictureTooLarge` where the picture would have to be scaled, and those of `Decrypt`.
    /// [`TeeError::NoProtectedBuffer`] for a buffer of another session, [`TeeError::TooLarge`] for a
    /// range that does not lie in it. Nothing is written then.
    pub fn deliver(
        &mut self,
        request: &body::Decrypt<'_>,
        units: &[u8],
        to: BufferRange,
    ) -> Result<body::Decrypted, CallError> {
        let Self { keys, response, .. } = self;
        let command = body::Decrypt::COMMAND.code();
        let delivered = call_into(&mut **keys, response, command, request, (units, to));
        // Of a range of no bytes nobody can say that it is protected, whatever the buffer is.
        if to.capacity > 0 && delivered.as_ref().is_err_and(is_unprotected) {
            // What it is refused with is what the caller is told already.
            let _ = self.release_buffer(to.buffer);
        }
        delivered
    }

    /// Has a buffer wiped and lets go of it. Where the trusted side has died, the next instance of it
    /// wipes what the last one wrote.
    ///
    /// # Errors
    /// [`TeeError::NoProtectedBuffer`] for one that is not registered. [`CallError::Refused`] with
    /// `UnprotectedOutput` for one that is no protected memory: nothing was ever written there, and it is
    /// let go. When it cannot be wiped for another reason, it stays registered, and is not to go back to
    /// where it came from.
    pub fn release_buffer(&mut self, buffer: ProtectedBuffer) -> Result<(), CallError> {
        let known = |held: &Held| held.buffer == buffer;
        let at = self.buffers.iter().position(known).ok_or_else(|| {
            TeeError::NoProtectedBuffer("this session has not registered it".into())
        })?;
        let wiped = self.wipe(at).map_err(Unwiped::error);
        if wiped.as_ref().is_err_and(|error| !is_unprotected(error)) {
            return wiped;
        }
        self.keys.release_buffer(buffer);
        self.buffers.remove(at);
        wiped
    }

    fn wipe(&mut self, at: usize) -> Result<(), Unwiped> {
        let Self {
            tee,
            keys,
            next,
            response,
            buffers,
            ..
        } = self;
        let Held { buffer, fd } = &buffers[at];
        match wipe(&mut **keys, response, *buffer) {
            Err(CallError::Transport(TeeError::Dead)) => {}
            done => return done.map_err(Unwiped::This),
        }
        // The next instance may have died since it was asked last.
        let kept = next.take().map(Ok);
        for another in kept.into_iter().chain(iter::once_with(|| tee.connect())) {
            let mut another = another.map_err(Unwiped::Nobody)?;
            match wipe_known_elsewhere(&mut *another, response, fd.as_fd()) {
                Err(CallError::Transport(TeeError::Dead)) => {}
                done => {
                    *next = Some(another);
                    return done.map_err(Unwiped::This);
                }
            }
        }
        Err(Unwiped::Nobody(TeeError::Dead))
    }
}

impl Drop for ProtectedSession {
    fn drop(&mut self) {
        for at in 0..self.buffers.len() {
            // Whoever wants to know releases them one by one. Each attempt at a dead trusted side may
            // take its time, and whoever drops a session waits for it: the first is the last.
            if let Err(Unwiped::Nobody(_)) = self.wipe(at) {
                break;
            }
        }
    }
}

/// Why a buffer was not wiped.
enum Unwiped {
    /// The trusted side is dead and no other instance of it answers: no buffer can be wiped now.
    Nobody(TeeError),
    /// It is a matter of this buffer.
    This(CallError),
}

impl Unwiped {
    fn error(self) -> CallError {
        match self {
            Self::Nobody(error) => error.into(),
            Self::This(error) => error,
        }
    }
}

/// Wipes a buffer over a connection that has not registered it.
fn wipe_known_elsewhere(
    keys: &mut dyn TeeSession,
    response: &mut Vec<u8>,
    fd: BorrowedFd<'_>,
) -> Result<(), CallError> {
    let buffer = keys.register_buffer(fd)?;
    let wiped = wipe(keys, response, buffer);
    keys.release_buffer(buffer);
    wiped
}

/// Whether the trusted side says that it would write to memory that the normal world can read.
const fn is_unprotected(error: &CallError) -> bool {
    matches!(error, CallError::Refused(Status::UnprotectedOutput))
}

/// Overwrites the whole of a buffer with zeros.
///
/// # Errors
/// `UnprotectedOutput` where some of it is no protected memory, and then the rest of it is zeros.
fn wipe(
    keys: &mut dyn TeeSession,
    response: &mut Vec<u8>,
    buffer: ProtectedBuffer,
) -> Result<(), CallError> {
    let request = body::WipeBuffer {};
    let command = body::WipeBuffer::COMMAND.code();
    let mut unprotected = None;
    for offset in (0..buffer.size()).step_by(WIPED_AT_ONCE) {
        let len = WIPED_AT_ONCE.min(buffer.size() - offset);
        let to = buffer.range(offset, len);
        match call_into(keys, response, command, &request, (&[], to)) {
            Ok(body::Empty {}) => {}
            Err(error) if is_unprotected(&error) => unprotected = Some(error),
            Err(error) => return Err(error),
        }
    }
    unprotected.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
