//! The core's records in one file that only the user can read, written so that a crash at any point
//! leaves the old state or the new one, whole.
//!
//! The file has two areas, each with all records, a generation and a digest. A change writes the area
//! that does not hold the current state, and is done once that is durable; the newer whole area
//! counts. So a torn write is a digest that does not fit, and the other area still holds what was.
//! What is removed is overwritten in both areas before the removal is reported.
//!
//! The file and the directory's lock are opened once; reading and writing need no path, so that a
//! worker can do both in its sandbox. What others may read, what is damaged in both areas, and a
//! record that changed behind our back are refused.

mod area;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybearer_core::{PlatformError, Slot, Vault};
use zeroize::Zeroizing;

use crate::SoftError;
use area::{AREA, Area, Image};

/// Held while the directory is in use. Its content means nothing.
const LOCK: &str = "lock";
/// The file with the records.
const FILE: &str = "vault";
/// Where a new file is written before it gets its name.
const NEW_FILE: &str = "vault.new";
/// Permission bits that let others in.
const OTHERS: u32 = 0o077;

/// The records of a state directory. Clones share the directory's lock, which ends with the last of
/// them.
#[derive(Clone, Debug)]
pub struct FileVault {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Locked for as long as it is open.
    _lock: File,
    /// Which area holds the current state, and what is in it.
    current: usize,
    area: Area,
    /// Bytes of each area that may hold something.
    used: [usize; 2],
}

impl FileVault {
    /// Opens or makes the directory and its file, and locks both against other processes.
    pub(crate) fn open(path: &Path) -> Result<Self, SoftError> {
        let failed = |what: &'static str| {
            move |source| SoftError::Io {
                what: what.into(),
                path: path.to_path_buf(),
                source,
            }
        };
        let private = |metadata: &fs::Metadata| match metadata.permissions().mode() & 0o7777 {
            mode if mode & OTHERS != 0 => Err(SoftError::Permissions {
                path: path.to_path_buf(),
                mode,
            }),
            _ => Ok(()),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed("make the state directory"))?;
        let directory = File::open(path).map_err(failed("open the state directory"))?;
        let metadata = directory.metadata();
        private(&metadata.map_err(failed("look at the state directory"))?)?;

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

        let file = match read_write(&path.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(path, &directory).map_err(failed("make the vault in"))?
            }
            other => other.map_err(failed("open the vault in"))?,
        };
        let metadata = file.metadata().map_err(failed("look at the vault in"))?;
        private(&metadata)?;
        let damaged = || SoftError::Damaged {
            path: path.to_path_buf(),
        };
        if !metadata.is_file() {
            return Err(damaged());
        }
        let read = |index| Area::read(&file, index).map_err(failed("read the vault in"));
        let ((first, used_first), (second, used_second)) = (read(0)?, read(1)?);
        let (current, area) = match (first, second) {
            (Some(first), Some(second)) if second.generation > first.generation => (1, second),
            (Some(first), _) => (0, first),
            (None, Some(second)) => (1, second),
            (None, None) => return Err(damaged()),
        };
        let state = State {
            file,
            _lock: lock,
            current,
            area,
            used: [used_first, used_second],
        };
        Ok(Self {
            shared: Arc::new(Mutex::new(state)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state in memory changes only after that in the file, and at once.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_write(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        // A link would lead out of the directory that was looked at.
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// A file without records, which has its name only once it is whole and durable.
fn make(path: &Path, directory: &File) -> io::Result<File> {
    let beside = path.join(NEW_FILE);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    // Whatever the umask of the process: the owner, and nobody else.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all_at(&Image::empty().finish(1), 0)?;
    file.sync_all()?;
    fs::rename(&beside, path.join(FILE))?;
    directory.sync_all()?;
    Ok(file)
}

impl State {
    /// Reads a record into memory that was reserved whole: it may be a secret, and a buffer that
    /// grows leaves copies of it behind.
    fn load(&self, name: &[u8; 33], cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        let Some(record) = self.area.records.get(name) else {
            return Ok(None);
        };
        if record.len > cap {
            return Err(PlatformError::Damaged);
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(record.len)
            .map_err(|_| PlatformError::Memory)?;
        bytes.resize(record.len, 0);
        let at = area::start(self.current) + record.at as u64;
        self.file
            .read_exact_at(&mut bytes, at)
            .map_err(|_| PlatformError::Storage)?;
        if area::digest(&[&bytes]) != record.digest {
            return Err(PlatformError::Damaged);
        }
        Ok(Some(bytes))
    }

    /// Writes all records, with `name` replaced by `record` or gone, over the other area; afterwards
    /// that is the current one.
    fn commit(&mut self, name: &[u8; 33], record: Option<&[u8]>) -> Result<(), PlatformError> {
        let mut size = record.map_or(0, |record| area::framed(record.len()));
        for (_, kept) in self.area.records.iter().filter(|(other, _)| *other != name) {
            size += area::framed(kept.len);
        }
        let mut image = Image::with_room(size).ok_or(PlatformError::Memory)?;
        for other in self.area.records.keys().filter(|other| *other != name) {
            let kept = Zeroizing::new(self.load(other, AREA)?.ok_or(PlatformError::Storage)?);
            image.add(other, &kept);
        }
        if let Some(record) = record {
            image.add(name, record);
        }
        self.write(image)
    }

    fn write(&mut self, image: Image) -> Result<(), PlatformError> {
        let other = 1 - self.current;
        let bytes = image.finish(self.area.generation + 1);
        if bytes.len() > AREA {
            return Err(PlatformError::Storage);
        }
        let area = Area::parse(&bytes).ok_or(PlatformError::Storage)?;
        // What lies there beyond the new state is overwritten as well.
        let beyond = vec![0; self.used[other].saturating_sub(bytes.len())];
        // Until this is durable the area may hold anything of both.
        self.used[other] = self.used[other].max(bytes.len());
        let (at, end) = (area::start(other), bytes.len() as u64);
        self.file
            .write_all_at(&bytes, at)
            .and_then(|()| self.file.write_all_at(&beyond, at + end))
            .and_then(|()| self.file.sync_all())
            .map_err(|_| PlatformError::Storage)?;
        self.used[other] = bytes.len();
        self.current = other;
        self.area = area;
        Ok(())
    }
}

impl Vault for FileVault {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        self.state().load(&slot.object_id(), cap)
    }

    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        self.state().commit(&slot.object_id(), Some(record))
    }

    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        let mut state = self.state();
        let name = slot.object_id();
        if state.area.records.contains_key(&name) {
            state.commit(&name, None)?;
            // And once more, over the area that still has it.
            state.commit(&name, None)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
