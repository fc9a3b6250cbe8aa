//! The core's platform on nothing but this process's memory, this machine's clock and its random
//! numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keybearer_core::{
    Clock, Moment, NoAttester, NoCounter, Parts, Platform, PlatformError, Slot, StoredIdentity,
    Vault,
};
use keybearer_crypto::{CryptoError, Digest, Rng};
use keybearer_crypto_soft::SoftCrypto;

use crate::monitor::BoardOutputs;

/// Names the parts.
pub(crate) enum Simulated {}

impl Platform for Simulated {
    type Rng = SystemRng;
    type Clock = BoardClock;
    type Vault = Storage;
    /// Storage that a test may put back proves nothing.
    type Counter = NoCounter;
    type Identity = StoredIdentity<Storage, SystemRng, SoftCrypto>;
    type Attester = NoAttester;
    type Outputs = BoardOutputs;
    type Crypto = SoftCrypto;
}

/// A board's storage and clock, which outlive the trusted application.
#[derive(Clone)]
pub(crate) struct Machine {
    storage: Storage,
    clock: BoardClock,
    /// The anchors of the TEE of level High that it says it is; `None`: it says what it is.
    posed: Option<&'static [Digest]>,
    outputs: BoardOutputs,
}

impl Machine {
    /// Empty storage, a clock that has just started, and these outputs.
    pub(crate) fn new(outputs: BoardOutputs) -> Self {
        let time = Time {
            boot: boot_identity(),
            begun: Instant::now(),
            ahead: Duration::ZERO,
        };
        Self {
            storage: Storage::default(),
            clock: BoardClock(Arc::new(Mutex::new(time))),
            posed: None,
            outputs,
        }
    }

    /// Says from now on that it is a TEE with this one anchor.
    pub(crate) fn pose(&mut self, anchor: [u8; 32]) {
        // A build's anchors are constants: these live as long, and a leak checker sees where.
        static ANCHORS: Mutex<Vec<&'static [Digest]>> = Mutex::new(Vec::new());
        let anchors: &'static [Digest] = vec![Digest(anchor)].leak();
        let mut all = ANCHORS.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(anchors);
        self.posed = Some(anchors);
    }

    /// The anchors of the TEE that it says it is.
    pub(crate) const fn posed(&self) -> Option<&'static [Digest]> {
        self.posed
    }

    /// What the core of a new instance stands on.
    pub(crate) fn parts(&self) -> Parts<Simulated> {
        Parts {
            rng: SystemRng,
            clock: Some(self.clock.clone()),
            vault: self.storage.clone(),
            counter: None,
            identity: StoredIdentity::new(self.storage.clone(), SystemRng, SoftCrypto),
            attester: None,
            outputs: self.outputs.clone(),
            crypto: SoftCrypto,
        }
    }

    /// Lets time pass at once.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.with(|time| time.ahead += by);
    }

    /// Takes back time that was let pass at once.
    pub(crate) fn set_back(&self, by: Duration) {
        self.clock
            .with(|time| time.ahead = time.ahead.saturating_sub(by));
    }

    /// The clock starts anew, as after power-off.
    pub(crate) fn reboot(&self) {
        self.clock.with(|time| {
            *time = Time {
                boot: boot_identity(),
                begun: Instant::now(),
                ahead: Duration::ZERO,
            };
        });
    }
}

/// What tells one run of the clock from another.
fn boot_identity() -> [u8; 16] {
    let mut boot = [0; 16];
    // Without randomness a second boot would not be told from the first: no test may go on.
    getrandom::fill(&mut boot).expect("this machine has random numbers");
    boot
}

/// The machine's generator.
#[derive(Clone, Copy)]
pub(crate) struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        getrandom::fill(out).map_err(|_| CryptoError::Rng)
    }
}

/// Records by slot.
#[derive(Clone, Default)]
pub(crate) struct Storage(Arc<Mutex<BTreeMap<Slot, Vec<u8>>>>);

impl Storage {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<Slot, Vec<u8>>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Vault for Storage {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        self.with(|slots| match slots.get(slot) {
            Some(record) if record.len() > cap => Err(PlatformError::Damaged),
            record => Ok(record.cloned()),
        })
    }

    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        self.with(|slots| slots.insert(*slot, record.to_vec()));
        Ok(())
    }

    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        self.with(|slots| slots.remove(slot));
        Ok(())
    }
}

/// This machine's monotonic clock, with what a test has added.
#[derive(Clone)]
pub(crate) struct BoardClock(Arc<Mutex<Time>>);

struct Time {
    boot: [u8; 16],
    begun: Instant,
    ahead: Duration,
}

impl BoardClock {
    fn with<T>(&self, f: impl FnOnce(&mut Time) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for BoardClock {
    fn now(&mut self) -> Result<Moment, PlatformError> {
        self.with(|time| {
            let elapsed = time.begun.elapsed() + time.ahead;
            let millis = u64::try_from(elapsed.as_millis()).map_err(|_| PlatformError::Clock)?;
            Ok(Moment {
                boot: time.boot,
                millis,
            })
        })
    }
}
