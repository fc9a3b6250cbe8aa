//! One client's connection to the core in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybearer_core::{Buffers, ClientId, Core, InPlace, NoMedia};
use keybearer_tee::{Media, TeeError, TeeSession};
use keybearer_wire::limits::MAX_CLIENTS;

use crate::SoftPlatform;

/// The core, one call at a time.
pub(crate) type SharedCore = Arc<Mutex<Core<SoftPlatform>>>;

/// One client of the core. Dropping it frees what the core holds for it.
pub(crate) struct SoftSession {
    core: SharedCore,
    client: ClientId,
}

impl SoftSession {
    pub(crate) fn new(core: SharedCore) -> Result<Self, TeeError> {
        let client = lock(&core)?.connect();
        let client = client.ok_or_else(|| {
            TeeError::Unavailable(format!("all its {MAX_CLIENTS} connections are in use"))
        })?;
        Ok(Self { core, client })
    }
}

impl TeeSession for SoftSession {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        media: Media<'a>,
    ) -> Result<(), TeeError> {
        response.clear();
        let mut core = lock(&self.core)?;
        let answer = match media {
            Media::None => core.call(self.client, command, request, &mut NoMedia),
            Media::InPlace(data) => core.call(self.client, command, request, &mut InPlace(data)),
            Media::Into { input, output } => core.call(
                self.client,
                command,
                request,
                &mut Buffers { input, output },
            ),
        };
        response.extend_from_slice(&answer);
        Ok(())
    }
}

impl Drop for SoftSession {
    fn drop(&mut self) {
        // Keys are erased even of a core that died: it is only never called again.
        self.core
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .disconnect(self.client);
    }
}

/// The core, or `Dead` when a call into it panicked: what it then holds is half done, as in a trusted
/// application that panicked.
fn lock(core: &SharedCore) -> Result<MutexGuard<'_, Core<SoftPlatform>>, TeeError> {
    core.lock().map_err(|_| TeeError::Dead)
}

#[cfg(test)]
mod tests;
