//! The backend over a worker: one worker at a time, another one when it died.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keybearer_tee::{BackendInfo, Tee, TeeError, TeeSession};
use keybearer_wire::limits::MAX_CLIENTS;

use crate::channel::Locked;
use crate::memory::Regions;
use crate::session::WorkerSession;
use crate::worker::Worker;
use crate::{SoftError, WorkerProgram};

/// How long a worker may be silent, while it starts or while a call is waiting, before it is taken for
/// hung and killed.
///
/// The longest call decrypts [`keybearer_wire::limits::MAX_MEDIA`] bytes or waits for storage to
/// become durable; both take seconds on the slowest devices.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// What an application decides about its worker.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Which program is the worker.
    pub program: WorkerProgram,
    /// Directory of the device's identities. Made with mode 0700 where absent; used by one process
    /// at a time.
    pub state_dir: PathBuf,
    /// The application says that the device has a built-in panel. Nobody verifies it: the core marks
    /// it as stated by the host.
    pub internal_panel: bool,
    /// How long a worker may be silent; [`DEADLINE`] unless there is reason.
    pub deadline: Duration,
}

impl WorkerConfig {
    /// A worker that declares no panel.
    #[must_use]
    pub fn new(program: WorkerProgram, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            program,
            state_dir: state_dir.into(),
            internal_panel: false,
            deadline: DEADLINE,
        }
    }
}

/// The software backend: the trusted core in a sandboxed process of its own. Clones share it.
///
/// When the worker dies, its keys are gone and every connection to it answers [`TeeError::Dead`];
/// [`Tee::connect`] then starts another.
#[derive(Clone, Debug)]
pub struct WorkerTee {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: WorkerConfig,
    regions: Arc<Regions>,
    current: Mutex<Arc<Worker>>,
}

impl WorkerTee {
    /// Starts a worker over the state directory, so that whatever is wrong with either is known now.
    ///
    /// # Errors
    /// [`SoftError`]: the program is missing, is no worker or is of another release; the state
    /// directory is in use, readable by others or damaged; the sandbox cannot be closed.
    pub fn start(mut config: WorkerConfig) -> Result<Self, SoftError> {
        // The worker runs in another directory.
        config.state_dir =
            std::path::absolute(&config.state_dir).map_err(|source| SoftError::Io {
                what: "find the state directory".into(),
                path: config.state_dir.clone(),
                source,
            })?;
        let regions = Arc::new(Regions::default());
        let worker = Arc::new(Worker::start(&config)?);
        regions.set_worker(Arc::downgrade(&worker));
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                regions,
                current: Mutex::new(worker),
            }),
        })
    }

    /// Process id of the worker in use, which may have ended.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.current().process_id()
    }

    /// The worker that is to be used: another one when the last one died.
    fn worker(&self) -> Result<Arc<Worker>, TeeError> {
        let mut current = self.current();
        if current.is_dead() {
            let started = Worker::start(&self.shared.config)
                .map_err(|error| TeeError::Unavailable(error.to_string()))?;
            *current = Arc::new(started);
            let regions = &self.shared.regions;
            regions.set_worker(Arc::downgrade(&current));
        }
        Ok(Arc::clone(&current))
    }

    fn current(&self) -> MutexGuard<'_, Arc<Worker>> {
        // The worker is replaced whole or not at all.
        let current = self.shared.current.lock();
        current.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tee for WorkerTee {
    fn info(&self) -> BackendInfo {
        let swapping = match self.current().locked {
            Locked::HeapAndStack => "its memory is not swapped out",
            Locked::Nothing => "its memory may be swapped out (see RLIMIT_MEMLOCK)",
        };
        BackendInfo {
            name: "worker",
            detail: format!("trusted core in a sandboxed process, level Low; {swapping}"),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        let mut worker = self.worker()?;
        let connected = match worker.connect() {
            // It died unnoticed since the last call; nothing was lost with this one.
            Err(TeeError::Dead) => {
                worker = self.worker()?;
                worker.connect()
            }
            other => other,
        };
        let Some((socket, arena)) = connected? else {
            return Err(TeeError::Unavailable(format!(
                "all its {MAX_CLIENTS} connections are in use"
            )));
        };
        let regions = Arc::clone(&self.shared.regions);
        Ok(Box::new(WorkerSession::new(socket, arena, regions, worker)))
    }
}
