//! Backends that this build has, as subjects.

use std::path::Path;
use std::sync::Arc;

use keybearer_backend::{BackendChoice, BackendOptions, WorkerProgram, detect};
use keybearer_tee::Tee;
use rustix::process::{Pid, Signal, getpid, kill_process};
use tempfile::TempDir;

use crate::{Device, Need, Subject};

/// A backend by name. A software backend gives as many devices as are wanted, each with a folder
/// of its own; a TEE is one device.
///
/// The worker is this very program: its `main` has to call [`keybearer_worker::run`] before anything
/// else when its first argument is [`keybearer_worker::ARGUMENT`].
pub struct Chosen {
    choice: BackendChoice,
    operator: Option<[u8; 32]>,
    disposable: bool,
}

impl Chosen {
    /// The backend as it comes: software, or a TEE whose device must stay as it is.
    #[must_use]
    pub fn new(choice: BackendChoice) -> Self {
        Self {
            choice,
            operator: None,
            disposable: choice != BackendChoice::Optee,
        }
    }

    /// The TEE's permitted anchor is that of this key directory, whose `root.key` is read.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn with_operator(mut self, keys: &Path) -> Result<Self, String> {
        let path = keys.join("root.key");
        let bytes = std::fs::read(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        // As `keybearer serve init` writes it: a line that names the key, then the key.
        let root = bytes
            .strip_prefix(b"keybearer key v1 root\n")
            .and_then(|key| key.try_into().ok())
            .ok_or_else(|| format!("{} is no root key", path.display()))?;
        self.operator = Some(root);
        Ok(self)
    }

    /// The TEE's device may lose its identity.
    #[must_use]
    pub const fn disposable(mut self) -> Self {
        self.disposable = true;
        self
    }
}

impl Subject for Chosen {
    fn name(&self) -> &str {
        self.choice.name()
    }

    fn device(&self) -> Result<Box<dyn Device>, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let before = children();
        let tee = start(self.choice, &folder)?;
        let worker = children().into_iter().find(|child| !before.contains(child));
        Ok(Box::new(Started {
            choice: self.choice,
            folder,
            tee: Some(tee),
            worker,
        }))
    }

    fn only_one(&self) -> bool {
        self.choice == BackendChoice::Optee
    }

    fn disposable(&self) -> bool {
        self.disposable
    }

    fn operator(&self) -> Option<[u8; 32]> {
        self.operator
    }

    fn can(&self, need: Need) -> bool {
        match need {
            Need::Restart => !self.only_one(),
            Need::Kill => self.choice == BackendChoice::Worker,
            _ => false,
        }
    }
}

fn start(choice: BackendChoice, folder: &TempDir) -> Result<Arc<dyn Tee>, String> {
    // A TEE keeps its own state and leaves the folder alone.
    let mut options = BackendOptions::new(folder.path().join("device"));
    options.worker = WorkerProgram::This {
        argument: keybearer_worker::ARGUMENT,
    };
    match detect(choice, &options) {
        Ok((tee, _)) => Ok(tee),
        Err(error) => Err(error.to_string()),
    }
}

/// A backend over its folder.
struct Started {
    choice: BackendChoice,
    folder: TempDir,
    tee: Option<Arc<dyn Tee>>,
    /// The worker that was started with it, if one was.
    worker: Option<Pid>,
}

/// Processes that this one has started: field 4 of `/proc/PID/stat` is the parent, and what stands
/// before it may hold anything (`proc_pid_stat(5)`).
fn children() -> Vec<Pid> {
    let parent = getpid().as_raw_nonzero().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let child = |entry: std::fs::DirEntry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        let found = rest.split_whitespace().nth(1)?;
        (found == parent).then(|| Pid::from_raw(number)).flatten()
    };
    processes.filter_map(child).collect()
}

impl Device for Started {
    fn tee(&self) -> Arc<dyn Tee> {
        Arc::clone(self.tee.as_ref().expect("absent only while it restarts"))
    }

    fn restart(&mut self) -> Result<(), String> {
        // One at a time may use a folder.
        self.tee = None;
        self.tee = Some(start(self.choice, &self.folder)?);
        Ok(())
    }

    fn kill(&self) {
        if let Some(worker) = self.worker {
            kill_process(worker, Signal::KILL).expect("it is a child of this process");
        }
    }
}
