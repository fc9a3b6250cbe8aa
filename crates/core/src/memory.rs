//! Memory whose amount the host decides.

use alloc::vec::Vec;

use keybearer_wire::Status;

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
