//! Ctrl-C, the termination signal and the end of the terminal (SIGHUP): the first asks work to stop at
//! the next part of its input, so that its unfinished file is taken away; the second takes away what is
//! unfinished and ends the process at once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use keybearer_client::{Cancel, KeyId, SampleDecryptor, TrackBatch, remove_unfinished};
use keybearer_media::{BatchLimit, Pssh};
use keybearer_tee::SharedMemory;

use crate::exit::Exit;
use crate::failure::Failure;

static ASKED: AtomicBool = AtomicBool::new(false);
/// Triggered at the first signal.
static CANCEL: LazyLock<Cancel> = LazyLock::new(Cancel::new);
/// Temporary folders to be taken away when the process ends at once.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Has a temporary folder taken away at a second signal. Whoever made it removes it otherwise.
pub(crate) fn remove_at_second(folder: &Path) {
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    folders.push(folder.to_path_buf());
}

/// Ends whatever a client waits for at the first signal.
pub(crate) fn cancel() -> &'static Cancel {
    &CANCEL
}

/// Starts to listen; [`check`] and [`Interruptible`] then see the first signal.
pub(crate) fn watch() {
    watch_with(|| ());
}

/// Starts to listen, and does more at the first signal; one that comes after this has returned is seen.
/// Where signals cannot be had, Ctrl-C ends the process as ever: what is being written then stays behind
/// under its temporary name only.
pub(crate) fn watch_with(asked: impl FnOnce() + Send + 'static) {
    let begun = || -> std::io::Result<_> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let inside = runtime.enter();
        let signals = Signals::new()?;
        drop(inside);
        Ok((runtime, signals))
    };
    let Ok((runtime, signals)) = begun() else {
        return;
    };
    // Without its thread nobody acts on what was seen, which only a machine out of threads does.
    let _ = std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(listen(signals, asked)));
}

async fn listen(mut signals: Signals, asked: impl FnOnce()) {
    signals.next().await;
    ASKED.store(true, Ordering::Relaxed);
    cancel().cancel();
    asked();
    signals.next().await;
    remove_unfinished();
    for folder in FOLDERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        // The process ends: there is nothing else to do about one that stays.
        let _ = std::fs::remove_dir_all(folder);
    }
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// A file that reaches the limit of its size (RLIMIT_FSIZE) is then an error to be told, and its
/// unfinished part goes away. By default SIGXFSZ ends the process where it stands.
#[cfg(unix)]
pub(crate) fn outlive_size_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    /// Its number on every architecture that this is built for (signal(7)).
    const SIGXFSZ: i32 = 25;
    let caught = || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let _inside = runtime.enter();
        // The handler stays when nobody listens any more, and that is all it is for.
        signal(SignalKind::from_raw(SIGXFSZ)).map(drop)
    };
    // Without it the default remains.
    let _ = caught();
}

#[cfg(not(unix))]
pub(crate) fn outlive_size_limit() {}

/// The signals that ask for an end.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// None where whoever started the command had it ignored (`nohup`).
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup()));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: hangup.transpose()?,
        })
    }

    async fn next(&mut self) {
        let Self {
            interrupt,
            terminate,
            hangup,
        } = self;
        let hung_up = async {
            match hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hung_up => {}
        }
    }
}

/// Whether SIGHUP, signal 1, is among the ignored signals (proc(5)).
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 != 0)
}

/// Ctrl-C alone.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Where it cannot be had there is nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
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

    fn begin(&mut self, init: &[u8]) -> Result<(), Self::Error> {
        self.0.begin(init).map_err(Stopped::Inner)
    }

    fn go_on(&mut self) -> Result<(), Self::Error> {
        going_on()?;
        self.0.go_on().map_err(Stopped::Inner)
    }

    fn end(&mut self) -> Result<(), Self::Error> {
        going_on()?;
        self.0.end().map_err(Stopped::Inner)
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), Self::Error> {
        going_on()?;
        self.0.prepare(key_ids, pssh).map_err(Stopped::Inner)
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), Self::Error> {
        going_on()?;
        self.0.decrypt(batch, data).map_err(Stopped::Inner)
    }

    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        self.0.memory(len)
    }

    fn recover(&mut self, error: &Self::Error) -> bool {
        match error {
            Stopped::Interrupted => false,
            Stopped::Inner(error) => self.0.recover(error),
        }
    }
}

fn going_on<E: std::error::Error + 'static>() -> Result<(), Stopped<E>> {
    if ASKED.load(Ordering::Relaxed) {
        Err(Stopped::Interrupted)
    } else {
        Ok(())
    }
}
