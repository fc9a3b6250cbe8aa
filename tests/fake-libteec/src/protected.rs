//! Buffers of a heap that the simulated TEE guards.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The buffers of a board; clones share them.
///
/// A descriptor stands for one and gives nobody its bytes: it is the end of a pipe, which has an inode
/// of its own.
#[derive(Clone, Default)]
pub(crate) struct ProtectedBuffers(Arc<Mutex<Vec<Buffer>>>);

struct Buffer {
    /// Kept open, so that no other file gets its inode.
    end: OwnedFd,
    /// Atomic, because the trusted application writes to them through a pointer while others may look.
    bytes: Box<[AtomicU8]>,
}

fn inode(fd: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let metadata = File::from(fd.try_clone_to_owned()?).metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

impl ProtectedBuffers {
    fn all(&self) -> MutexGuard<'_, Vec<Buffer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn make(&self, size: usize) -> OwnedFd {
        let (reader, _) = io::pipe().expect("the system has descriptors");
        let end = OwnedFd::from(reader);
        let given = end.try_clone().expect("the system has descriptors");
        let bytes = (0..size).map(|_| Default::default()).collect();
        self.all().push(Buffer { end, bytes });
        given
    }

    /// The buffer never moves: the list keeps it as long as there is a board.
    pub(crate) fn find(&self, fd: BorrowedFd<'_>) -> Option<(*mut u8, usize)> {
        self.with(fd, |buffer| {
            let start = buffer.bytes.as_ptr().cast_mut().cast();
            (start, buffer.bytes.len())
        })
    }

    pub(crate) fn content(&self, fd: BorrowedFd<'_>) -> Option<Vec<u8>> {
        let load = |byte: &AtomicU8| byte.load(Ordering::SeqCst);
        self.with(fd, |buffer| buffer.bytes.iter().map(load).collect())
    }

    fn with<T>(&self, fd: BorrowedFd<'_>, what: impl FnOnce(&Buffer) -> T) -> Option<T> {
        let wanted = inode(fd).ok()?;
        let all = self.all();
        let found = all
            .iter()
            .find(|buffer| inode(buffer.end.as_fd()).is_ok_and(|found| found == wanted))?;
        Some(what(found))
    }
}
