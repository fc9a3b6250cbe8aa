//! Waiting for a socket and for the end of an exchange at once.
//!
//! `ureq` does all the work of an exchange on the thread that asked for it, with connections that
//! outlive one exchange and know nothing of who uses them next. So what ends the exchange is noted for
//! the thread, and looked for in every wait.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Cancel;

thread_local! {
    /// Becomes readable when the exchange on this thread shall end.
    static END: RefCell<Option<UnixStream>> = const { RefCell::new(None) };
}

/// Runs an exchange whose waits `cancel` ends.
///
/// # Errors
/// The system's, when it has no socket to spare for the signal.
pub(super) fn interruptible<T>(cancel: &Cancel, exchange: impl FnOnce() -> T) -> io::Result<T> {
    /// Takes the signal away, also when the exchange panics.
    struct Noted(Option<UnixStream>);

    impl Drop for Noted {
        fn drop(&mut self) {
            END.with_borrow_mut(|end| *end = self.0.take());
        }
    }

    let (end, signal) = UnixStream::pair()?;
    signal.set_nonblocking(true)?;
    let _registration = cancel.on_cancel(move || {
        // One byte is enough, and when it does not fit there is one already.
        let _ = (&signal).write(&[1]);
    });
    let _noted = Noted(END.replace(Some(end)));
    Ok(exchange())
}

/// Waits until a socket is ready for what `wanted` says, until `deadline` or until the exchange shall
/// end.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`]; [`io::ErrorKind::Other`] when the exchange shall end.
pub(super) fn wait(
    socket: BorrowedFd<'_>,
    wanted: PollFlags,
    deadline: Option<Instant>,
) -> io::Result<()> {
    END.with_borrow(|end| {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut waited = vec![PollFd::from_borrowed_fd(socket, wanted)];
            waited.extend(end.iter().map(|end| {
                let end = end.as_fd();
                PollFd::from_borrowed_fd(end, PollFlags::IN)
            }));
            let timeout = left.map(timespec);
            let ready = match poll(&mut waited, timeout.as_ref()) {
                // A signal of the process, which is none of this exchange's.
                Err(rustix::io::Errno::INTR) => continue,
                ready => ready?,
            };
            let is_ready = |at: usize| {
                let waited = waited.get(at);
                waited.is_some_and(|waited| !waited.revents().is_empty())
            };
            if is_ready(1) {
                return Err(io::Error::other("the exchange was cancelled"));
            }
            if is_ready(0) {
                return Ok(());
            }
            if ready == 0 && left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    })
}

/// A time to wait as `poll` takes it; longer ones than it can hold are not waited for in one piece.
fn timespec(left: Duration) -> Timespec {
    Timespec {
        tv_sec: left.as_secs().min(3600).try_into().unwrap_or(3600),
        tv_nsec: left.subsec_nanos().into(),
    }
}
