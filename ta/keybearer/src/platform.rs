//! The core's platform on GlobalPlatform's internal API.
//!
//! What OP-TEE has is used as it is; what it lacks is left out, and the core refuses what would
//! need it. OP-TEE's own elliptic curves are correct but slow where no hardware helps them, so
//! P-256 is the software provider's, inside the trusted application all the same.

mod attestation;
mod clock;
mod monitor;
mod rng;
mod storage;

pub use attestation::AttestationPta;
pub use clock::SystemClock;
pub use monitor::MonitoredOutputs;
pub use rng::TeeRng;
pub use storage::PrivateStorage;

use keybearer_core::{NoCounter, Parts, Platform, PlatformError, StoredIdentity};
use keybearer_crypto_soft::SoftCrypto;

use crate::config::MONITOR;

/// OP-TEE, or another TEE with GlobalPlatform's internal API.
pub enum GlobalPlatform {}

impl Platform for GlobalPlatform {
    type Rng = TeeRng;
    type Clock = SystemClock;
    type Vault = PrivateStorage;
    /// GlobalPlatform has no monotonic counter. One could stand on storage whose anti-rollback
    /// protection level is 1000; on storage without it a counter would go back with the files.
    type Counter = NoCounter;
    /// The records lie in the trusted application's private storage, which the TEE encrypts under
    /// a key of this application on this device.
    type Identity = StoredIdentity<PrivateStorage, TeeRng, SoftCrypto>;
    /// Where OP-TEE has it; its usual configuration has not.
    type Attester = AttestationPta;
    /// What the monitor says that the build names, and no build setting that declares a panel.
    type Outputs = MonitoredOutputs;
    type Crypto = SoftCrypto;
}

/// One of each, for a new instance of the trusted application.
///
/// # Errors
/// [`PlatformError::Random`] when there is no randomness to tell this instance from another, and as
/// [`AttestationPta::of_this_tee`] has it.
pub fn parts() -> Result<Parts<GlobalPlatform>, PlatformError> {
    let mut rng = TeeRng;
    let clock = SystemClock::of_this_instance(&mut rng).map_err(|_| PlatformError::Random)?;
    Ok(Parts {
        rng,
        clock,
        vault: PrivateStorage,
        counter: None,
        identity: StoredIdentity::new(PrivateStorage, TeeRng, SoftCrypto),
        attester: AttestationPta::of_this_tee()?,
        outputs: MonitoredOutputs::of(MONITOR),
        crypto: SoftCrypto,
    })
}
