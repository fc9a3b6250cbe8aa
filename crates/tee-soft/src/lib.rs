//! The trusted core in the application's own process: level Low, for devices without a TEE.
//!
//! What it promises is exactly that: one core behind one lock, its identity in files that only the
//! user can read, and evidence in every licence request that says `Low` and `in-process`. It cannot
//! protect a key from the process it runs in, nor from whoever controls the account or the
//! operating system, and it claims neither. It distrusts what the state directory holds as far as
//! it can: records beyond their size or readable by others are refused, and what the core stores
//! there is sealed.

#![forbid(unsafe_code)]

mod clock;
mod error;
mod rng;
mod session;
mod vault;

pub use error::SoftError;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use keybearer_core::{
    Anchors, Config, Core, NoCounter, OutputSource, Outputs, Parts, Platform, StoredIdentity,
};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::Isolation;
use keybearer_rules::Level;
use keybearer_tee::{BackendInfo, Tee, TeeError, TeeSession};
use keybearer_wire::limits::MAX_MEDIA;

use clock::BootClock;
use rng::SystemRng;
use session::SoftSession;
use vault::FileVault;

/// What an application decides about its software backend.
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

/// The software backend. Clones share one core.
#[derive(Clone)]
pub struct SoftTee {
    core: Arc<Mutex<Core<SoftPlatform>>>,
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
    /// others can read it; [`SoftError::Io`]; [`SoftError::Platform`].
    pub fn open(config: SoftConfig) -> Result<Self, SoftError> {
        let vault = FileVault::open(&config.state_dir)?;
        let clock = BootClock::new(&SoftCrypto).map_err(|source| SoftError::Io {
            what: "read the clock's identity for",
            path: config.state_dir,
            source,
        })?;
        let parts = Parts::<SoftPlatform> {
            rng: SystemRng,
            clock: Some(clock),
            vault: vault.clone(),
            // A file that can be copied back proves nothing, so there is no counter here.
            counter: None,
            identity: StoredIdentity::new(vault, SystemRng, SoftCrypto),
            outputs: DeclaredPanel(config.internal_panel),
            crypto: SoftCrypto,
        };
        let core = Core::new(
            parts,
            Config {
                level: Level::Low,
                isolation: Isolation::InProcess,
                debug: false,
                ta_version: None,
                anchors: Anchors::Application,
                max_media: u32::try_from(MAX_MEDIA).unwrap_or(u32::MAX),
                oem: None,
                measurement: None,
                attestation: None,
            },
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
            detail: "trusted core in this process, level Low: the operating system sees its keys"
                .into(),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        Ok(Box::new(SoftSession::new(Arc::clone(&self.core))?))
    }
}

/// Names the parts of this platform.
enum SoftPlatform {}

impl Platform for SoftPlatform {
    type Rng = SystemRng;
    type Clock = BootClock;
    type Vault = FileVault;
    type Counter = NoCounter;
    type Identity = StoredIdentity<FileVault, SystemRng, SoftCrypto>;
    type Outputs = DeclaredPanel;
    type Crypto = SoftCrypto;
}

/// The panel as the application declares it.
struct DeclaredPanel(bool);

impl Outputs for DeclaredPanel {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        self.0.then_some(OutputSource::Host)
    }
}
