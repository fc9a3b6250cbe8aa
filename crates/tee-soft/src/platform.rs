//! What the core asks of a platform, on this operating system: random numbers, time, storage and the
//! panel that the application declares. For the worker, and for the core in the application's process.
//!
//! After [`core()`] has returned, nothing here opens a file: the state directory's one file stays open,
//! so that a worker can close its sandbox behind it.

mod clock;
mod rng;
mod vault;

use std::path::Path;

use keybearer_core::{
    Anchors, Clock, Config, Core, NoAttester, NoCounter, OutputSource, Outputs, Parts, Platform,
    StoredIdentity,
};
use keybearer_crypto::Rng;
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::Isolation;
use keybearer_rules::Level;
use keybearer_wire::limits::MAX_MEDIA;

use crate::SoftError;
use clock::BootClock;
use rng::SystemRng;
use vault::FileVault;

/// Names the parts of this platform.
#[derive(Debug)]
pub enum SoftPlatform {}

impl Platform for SoftPlatform {
    type Rng = SystemRng;
    type Clock = BootClock;
    type Vault = FileVault;
    type Counter = NoCounter;
    type Identity = StoredIdentity<FileVault, SystemRng, SoftCrypto>;
    type Attester = NoAttester;
    type Outputs = DeclaredPanel;
    type Crypto = SoftCrypto;
}

/// The panel as the application declares it.
#[derive(Debug)]
pub struct DeclaredPanel(bool);

impl Outputs for DeclaredPanel {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        self.0.then_some(OutputSource::Host)
    }
}

/// Makes the core over a state directory. `isolation` goes into the evidence of every request, so it
/// must be what the caller really is.
///
/// # Errors
/// [`SoftError::InUse`] while another process has the directory; [`SoftError::Permissions`] when
/// others can read it; [`SoftError::Damaged`]; [`SoftError::Io`]; [`SoftError::Core`].
pub fn core(
    state_dir: &Path,
    internal_panel: bool,
    isolation: Isolation,
) -> Result<Core<SoftPlatform>, SoftError> {
    let vault = FileVault::open(state_dir)?;
    let mut clock = BootClock::new(&SoftCrypto).map_err(|source| SoftError::Io {
        what: "read the clock's identity for".into(),
        path: state_dir.to_path_buf(),
        source,
    })?;
    // Both find out at their first use how this system provides them, for which they may open files.
    let not_there = |error: &dyn std::fmt::Display| SoftError::Core(error.to_string());
    clock.now().map_err(|error| not_there(&error))?;
    SystemRng
        .fill(&mut [0; 16])
        .map_err(|error| not_there(&error))?;
    let parts = Parts::<SoftPlatform> {
        rng: SystemRng,
        clock: Some(clock),
        vault: vault.clone(),
        // A file that can be copied back proves nothing, so there is no counter here.
        counter: None,
        identity: StoredIdentity::new(vault, SystemRng, SoftCrypto),
        attester: None,
        outputs: DeclaredPanel(internal_panel),
        crypto: SoftCrypto,
    };
    let config = Config {
        level: Level::Low,
        decoder: false,
        isolation,
        debug: false,
        ta_version: None,
        anchors: Anchors::Application,
        max_media: u32::try_from(MAX_MEDIA).unwrap_or(u32::MAX),
        oem: None,
    };
    Core::new(parts, config).map_err(|error| not_there(&error))
}

/// Makes identities under these anchors in a state directory, as provisioning does.
#[cfg(all(test, feature = "in-process"))]
pub(crate) fn with_identities(state_dir: &Path, anchors: &[[u8; 32]]) {
    use keybearer_core::Identity;
    let vault = FileVault::open(state_dir).expect("a vault");
    let mut identity = StoredIdentity::new(vault, SystemRng, SoftCrypto);
    for anchor in anchors {
        identity
            .create(&keybearer_crypto::Digest(*anchor))
            .expect("an identity");
    }
}
