//! Records in files, each atomic by rename.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keybearer_core::{PlatformError, Slot, Vault};

use crate::SoftError;

/// Held while the directory is in use. Its content means nothing.
const LOCK: &str = "lock";
/// Permission bits that let others in.
const OTHERS: u32 = 0o077;

/// A directory of records that only the user can read. Clones share the directory's lock, which ends
/// with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct FileVault {
    shared: Arc<Directory>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Open for `fsync`: a rename is durable once its directory is.
    handle: File,
    /// Locked for as long as it is open.
    _lock: File,
}

impl FileVault {
    /// Opens or makes the directory and locks it against other processes.
    pub(crate) fn open(path: &Path) -> Result<Self, SoftError> {
        let failed = |what| {
            move |source| SoftError::Io {
                what,
                path: path.to_path_buf(),
                source,
            }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("make the state directory"))?;
        let handle = File::open(path).map_err(failed("open the state directory"))?;
        let metadata = handle
            .metadata()
            .map_err(failed("look at the state directory"))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(SoftError::Permissions {
                path: path.to_path_buf(),
                mode,
            });
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(failed("open the lock in"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SoftError::InUse {
                    path: path.to_path_buf(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        let shared = Directory {
            path: path.to_path_buf(),
            handle,
            _lock: lock,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    fn path(&self, slot: &Slot) -> PathBuf {
        self.shared.path.join(hex::encode(slot.object_id()))
    }

    /// The record, unless it exceeds `cap` bytes or others can read it.
    ///
    /// It is read into memory that was reserved whole: a record may be a secret, and a buffer that
    /// grows leaves copies of it behind.
    fn read(&self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        let failed = |_| PlatformError::Storage;
        let mut file = match File::open(self.path(slot)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if metadata.permissions().mode() & OTHERS != 0 {
            return Err(PlatformError::Storage);
        }
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if size > cap {
            return Err(PlatformError::Damaged);
        }
        let mut record = Vec::new();
        record
            .try_reserve_exact(size)
            .map_err(|_| PlatformError::Memory)?;
        record.resize(size, 0);
        // One writer replaces records whole, so the file behind the handle keeps its size.
        file.read_exact(&mut record).map_err(failed)?;
        Ok(Some(record))
    }

    /// Writes beside the record, then takes its place: a power cut leaves the old one or the new.
    fn write(&self, slot: &Slot, record: &[u8]) -> io::Result<()> {
        let path = self.path(slot);
        // One name a slot, so that a crash leaves at most one such file, which the next write takes
        // over. There is one writer: the directory's lock keeps other processes out, and the core's
        // lock other threads.
        let beside = path.with_extension("new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(record)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        self.shared.handle.sync_all()
    }

    fn erase(&self, slot: &Slot) -> io::Result<()> {
        match fs::remove_file(self.path(slot)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.shared.handle.sync_all(),
        }
    }
}

impl Vault for FileVault {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        self.read(slot, cap)
    }

    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        self.write(slot, record).map_err(|_| PlatformError::Storage)
    }

    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        self.erase(slot).map_err(|_| PlatformError::Storage)
    }
}

#[cfg(test)]
mod tests;
