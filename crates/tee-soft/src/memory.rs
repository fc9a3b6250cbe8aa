//! Media memory that this process shares with its worker.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use keybearer_tee::SharedMemory;
use rustix::fs::{MemfdFlags, SealFlags};

use crate::channel::MAX_REGIONS;
use crate::sys::Mapping;
use crate::worker::Worker;

/// A file in memory of `len` bytes, all zero, of which neither side can change the size: whoever maps
/// it may reach all of it for ever.
pub(crate) fn memory_file(len: usize) -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create(
        c"keybearer-media",
        MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
    )?;
    let size = u64::try_from(len.max(1)).map_err(|_| io::ErrorKind::InvalidInput)?;
    rustix::fs::ftruncate(&file, size)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// What a worker must be told about one piece of memory. It outlives workers: a new one is told anew.
#[derive(Debug)]
pub(crate) struct Region {
    /// Its name towards workers.
    pub(crate) name: u64,
    pub(crate) file: OwnedFd,
    /// Where it lies in this process.
    range: Range<usize>,
    /// Number of the worker that has been told.
    known_to: AtomicU64,
}

impl Region {
    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    pub(crate) fn is_known_to(&self, worker: u64) -> bool {
        self.known_to.load(Ordering::Acquire) == worker
    }

    pub(crate) fn set_known_to(&self, worker: u64) {
        self.known_to.store(worker, Ordering::Release);
    }

    /// Offset of `slice` if all of it lies here.
    fn offset_of(&self, slice: &[u8]) -> Option<usize> {
        let begin = slice.as_ptr().addr();
        let end = begin.checked_add(slice.len())?;
        (self.range.start <= begin && end <= self.range.end).then(|| begin - self.range.start)
    }
}

/// All media memory of one backend.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    /// The last name given.
    last: u64,
    shared: Vec<Arc<Region>>,
    /// Names of memory that is gone and that a worker may still have mapped.
    retired: Vec<u64>,
    /// The worker that may.
    worker: Weak<Worker>,
}

impl Regions {
    fn list(&self) -> MutexGuard<'_, List> {
        // Nothing is left half done by a panic under this lock.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// New memory of `len` bytes, all zero, known to no worker yet; `None` when as much is shared as
    /// a worker maps.
    pub(crate) fn make(self: &Arc<Self>, len: usize) -> io::Result<Option<Handle>> {
        let file = memory_file(len)?;
        let mapping = Mapping::new(file.as_fd(), len)?;
        let begin = mapping.address();
        let mut list = self.list();
        // Half of them, since memory that is gone counts until the worker has been told.
        if list.shared.len() >= MAX_REGIONS / 2 {
            return Ok(None);
        }
        list.last += 1;
        let region = Arc::new(Region {
            name: list.last,
            file,
            range: begin..begin + len,
            known_to: AtomicU64::new(0),
        });
        list.shared.push(Arc::clone(&region));
        Ok(Some(Handle {
            mapping,
            region,
            home: Arc::downgrade(self),
        }))
    }

    /// The memory that `slice` lies in, and where in it.
    pub(crate) fn find(&self, slice: &[u8]) -> Option<(Arc<Region>, usize)> {
        let list = self.list();
        list.shared.iter().find_map(|region| {
            let offset = region.offset_of(slice)?;
            Some((Arc::clone(region), offset))
        })
    }

    /// Has a worker forget memory that is gone.
    pub(crate) fn release(&self, worker: &Worker) {
        let retired = std::mem::take(&mut self.list().retired);
        if retired.is_empty() {
            return;
        }
        if let Err(kept) = worker.release(retired) {
            self.list().retired.extend(kept);
        }
    }

    /// Says which worker is to hear of memory that goes.
    pub(crate) fn set_worker(&self, worker: Weak<Worker>) {
        self.list().worker = worker;
    }
}

/// Memory in the hands of its user.
#[derive(Debug)]
pub(crate) struct Handle {
    mapping: Mapping,
    pub(crate) region: Arc<Region>,
    home: Weak<Regions>,
}

impl SharedMemory for Handle {
    fn bytes(&self) -> &[u8] {
        self.mapping.bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.mapping.bytes_mut()
    }
}

impl Drop for Handle {
    /// Takes the addresses off the list before they are unmapped: afterwards other memory may lie
    /// there.
    fn drop(&mut self) {
        let Some(home) = self.home.upgrade() else {
            return;
        };
        let mut list = home.list();
        list.shared.retain(|region| region.name != self.region.name);
        if self.region.is_known_to(0) {
            return;
        }
        list.retired.push(self.region.name);
        let worker = list.worker.upgrade();
        drop(list);
        if let Some(worker) = worker {
            home.release(&worker);
        }
    }
}

#[cfg(test)]
mod tests;
