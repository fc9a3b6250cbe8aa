//! Memory whose amount the host decides.

use alloc::vec::Vec;

use keybearer_wire::Status;

/// What an iterator yields, in memory that may not be had.
///
/// # Errors
/// [`Status::OutOfMemory`].
pub(crate) fn collected<T>(items: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>, Status> {
    let mut list = Vec::new();
    list.try_reserve_exact(items.len())
        .map_err(|_| Status::OutOfMemory)?;
    list.extend(items);
    Ok(list)
}

/// A copy of `bytes`.
///
/// # Errors
/// [`Status::OutOfMemory`]: a trusted application that runs out of memory must say so, not die.
pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<u8>, Status> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Status::OutOfMemory)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}
