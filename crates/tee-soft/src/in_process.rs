//! The core in the application's own process: for platforms that cannot start another one.
//!
//! It cannot protect a key from the process it runs in, and says so in the evidence of every request:
//! licences that demand the worker are refused here.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybearer_core::{Buffers, Caller, ClientId, Core, InPlace, NoMedia};
use keybearer_license::Isolation;
use keybearer_tee::{BackendInfo, Media, Tee, TeeError, TeeSession};
use keybearer_wire::limits::MAX_CLIENTS;

use crate::SoftError;
use crate::platform::{self, SoftPlatform};

/// What an application decides about a core in its own process.
#[derive(Clone, Debug)]
pub struct SoftConfig {
    /// Directory of the device's identities. Made with mode 0700 where absent; used by one process
    /// at a time.
    pub state_dir: PathBuf,
    /// The application says that the device has a built-in panel. Nobody verifies it: the core marks
    /// it as stated by the host.
    pub internal_panel: bool,
}

impl SoftConfig {
    /// A backend that declares no panel.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            internal_panel: false,
        }
    }
}

/// The core in this process. Clones share one core.
#[derive(Clone)]
pub struct SoftTee {
    core: SharedCore,
}

impl std::fmt::Debug for SoftTee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoftTee").finish_non_exhaustive()
    }
}

impl SoftTee {
    /// Makes the core over the state directory.
    ///
    /// # Errors
    /// [`SoftError::InUse`] while another process has the directory; [`SoftError::Permissions`] when
    /// others can read it; [`SoftError::Damaged`]; [`SoftError::Io`]; [`SoftError::Core`].
    pub fn open(config: SoftConfig) -> Result<Self, SoftError> {
        let core = platform::core(
            &config.state_dir,
            config.internal_panel,
            Isolation::InProcess,
        )?;
        Ok(Self {
            core: Arc::new(Mutex::new(core)),
        })
    }
}

impl Tee for SoftTee {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "in-process",
            detail: "trusted core in this process, level Low: the application can read its keys"
                .into(),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(SoftSession::new(Arc::clone(&self.core))?))
    }
}

/// The core, one call at a time.
type SharedCore = Arc<Mutex<Core<SoftPlatform>>>;

/// One client of the core. Dropping it frees what the core holds for it.
struct SoftSession {
    core: SharedCore,
    client: ClientId,
}

impl SoftSession {
    fn new(core: SharedCore) -> Result<Self, TeeError> {
        let client = lock(&core)?.connect(Caller::Host);
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
            Media::Input(input) => {
                let output = &mut [];
                core.call(
                    self.client,
                    command,
                    request,
                    &mut Buffers { input, output },
                )
            }
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
