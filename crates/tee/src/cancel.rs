//! Cancelling a call that another thread waits for.

/// Cancels the calls of one connection.
///
/// A call that has not reached the trusted side yet is not made. One that has is asked to end: the
/// trusted side may do so at the next point where nothing is half done, or finish its work. So the
/// call ends with [`crate::TeeError::Cancelled`] or as if nobody had asked, and a caller that wants to
/// know which looks at what it returns. Between two calls there is nothing to cancel.
pub trait CancelCall: Send + Sync {
    /// Cancels the call that is under way, if there is one. Does not wait for it to end.
    fn cancel(&self);
}

impl std::fmt::Debug for dyn CancelCall + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CancelCall").finish_non_exhaustive()
    }
}
