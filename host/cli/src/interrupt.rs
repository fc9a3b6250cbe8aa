//! Ctrl-C and the termination signal: the first asks work to stop at the next batch of samples, so that
//! its unfinished file is taken away; the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

use keybearer_client::{KeyId, SampleDecryptor, TrackBatch};
use keybearer_media::{BatchLimit, Pssh};

use crate::exit::Exit;
use crate::failure::Failure;

static ASKED: AtomicBool = AtomicBool::new(false);

/// Starts to listen; [`check`] and [`Interruptible`] then see the first signal.
pub(crate) fn watch() {
    watch_with(|| ());
}

/// Starts to listen, and does more at the first signal. Where signals cannot be had, Ctrl-C ends the
/// process as ever: what is being written then stays behind under its temporary name only.
pub(crate) fn watch_with(asked: impl FnOnce() + Send + 'static) {
    let listen = move || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        runtime.block_on(async {
            signalled().await?;
            ASKED.store(true, Ordering::Relaxed);
            asked();
            signalled().await?;
            std::process::exit(i32::from(Exit::Interrupted.code()));
        })
    };
    // A thread that cannot start leaves the default behaviour.
    let _ = std::thread::Builder::new()
        .name("signals".into())
        .spawn(listen);
}

/// Waits for Ctrl-C or the termination signal.
async fn signalled() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// Fails once Ctrl-C was pressed.
pub(crate) fn check() -> Result<(), Failure> {
    if ASKED.load(Ordering::Relaxed) {
        Err(Failure::interrupted())
    } else {
        Ok(())
    }
}

/// A decryptor that stops when Ctrl-C was pressed.
pub(crate) struct Interruptible<D>(pub(crate) D);

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped<E: std::error::Error + 'static> {
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The decryptor's own error.
    #[error(transparent)]
    Inner(E),
}

impl<E: std::error::Error + 'static> From<Stopped<E>> for Failure
where
    Self: From<E>,
{
    fn from(stopped: Stopped<E>) -> Self {
        match stopped {
            Stopped::Interrupted => Self::interrupted(),
            Stopped::Inner(error) => error.into(),
        }
    }
}

impl<D: SampleDecryptor> SampleDecryptor for Interruptible<D> {
    type Error = Stopped<D::Error>;

    fn limit(&self) -> BatchLimit {
        self.0.limit()
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), Self::Error> {
        going_on()?;
        self.0.prepare(key_ids, pssh).map_err(Stopped::Inner)
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), Self::Error> {
        going_on()?;
        self.0.decrypt(batch, data).map_err(Stopped::Inner)
    }
}

fn going_on<E: std::error::Error + 'static>() -> Result<(), Stopped<E>> {
    if ASKED.load(Ordering::Relaxed) {
        Err(Stopped::Interrupted)
    } else {
        Ok(())
    }
}
