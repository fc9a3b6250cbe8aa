//! Where protected buffers come from, on a kernel that has OP-TEE's heap.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use keybearer_tee::TeeError;

use crate::sys;

/// The heap of Linux for buffers of protected video, which OP-TEE's driver makes where OP-TEE has a
/// secure data path.
pub const PROTECTED_HEAP: &str = "/dev/dma_heap/protected,secure-video";

/// A protected buffer of at least `size` bytes, from [`PROTECTED_HEAP`]. There may be the content in it
/// that its last user left; it goes back to the heap with its last descriptor and registration.
///
/// # Errors
/// [`TeeError::NoProtectedBuffer`] where there is no such heap, or it may not be opened;
/// [`TeeError::Io`] when it gives none, as when it is used up.
pub fn protected_buffer(size: usize) -> Result<OwnedFd, TeeError> {
    of(Path::new(PROTECTED_HEAP), size)
}

pub(crate) fn of(heap: &Path, size: usize) -> Result<OwnedFd, TeeError> {
    sys::allocate(heap, size).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            TeeError::NoProtectedBuffer(format!("{}: {error}", heap.display()))
        }
        _ => TeeError::Io {
            what: "allocating a protected buffer",
            code: error.raw_os_error().unwrap_or(0).unsigned_abs(),
        },
    })
}
