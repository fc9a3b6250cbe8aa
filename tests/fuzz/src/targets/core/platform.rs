//! A platform that the story holds in its hand: time, storage, outputs, and what fails when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use allocation_counter::opt_out;
use keybearer_core::{
    Anchors, Clock, Config, Core, Moment, NoAttester, NoCounter, OutputSource, Outputs, Parts,
    Platform, PlatformError, Slot, StoredIdentity, Vault,
};
use keybearer_crypto::{Crypto, CryptoError, Digest, Rng};
use keybearer_license::Isolation;
use keybearer_rules::Level;

use crate::provider::Toy;

/// Largest media of one call: more than the core's own buffer, and quick to check.
pub(crate) const MAX_MEDIA: u32 = 96 << 10;

/// Calls of a part of the platform that succeed before one fails; `None`: all do.
pub(crate) type Fuse = Option<u8>;

fn burn(fuse: &mut Fuse) -> bool {
    match fuse {
        Some(0) => {
            *fuse = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

/// What the core sees of the device only through its platform.
#[derive(Clone, Default)]
pub(crate) struct Device {
    pub(crate) slots: BTreeMap<Slot, Vec<u8>>,
    pub(crate) millis: u64,
    pub(crate) boot: u8,
    pub(crate) panel: Option<OutputSource>,
    pub(crate) draws: Fuse,
    pub(crate) writes: Fuse,
    pub(crate) reads: Fuse,
    pub(crate) clock: Fuse,
    pub(crate) drawn: u64,
}

/// The device, seen from the platform's parts and from the story.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Device>>);

impl Shared {
    pub(crate) fn new(device: Device) -> Self {
        Self(Arc::new(Mutex::new(device)))
    }

    pub(crate) fn get(&self) -> MutexGuard<'_, Device> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rng for Shared {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        let mut device = self.get();
        if burn(&mut device.draws) {
            return Err(CryptoError::Rng);
        }
        for chunk in out.chunks_mut(32) {
            device.drawn += 1;
            let block = Toy.sha256(&[b"drawn", &device.drawn.to_be_bytes()]);
            chunk.copy_from_slice(&block.0[..chunk.len()]);
        }
        Ok(())
    }
}

impl Vault for Shared {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        let mut device = self.get();
        if burn(&mut device.reads) {
            return Err(PlatformError::Storage);
        }
        match device.slots.get(slot) {
            Some(record) if record.len() > cap => Err(PlatformError::Damaged),
            record => Ok(record.cloned()),
        }
    }

    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        let mut device = self.get();
        if burn(&mut device.writes) {
            return Err(PlatformError::Storage);
        }
        // The storage's own memory is none of the core's.
        opt_out(|| drop(device.slots.insert(*slot, record.to_vec())));
        Ok(())
    }

    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        let mut device = self.get();
        if burn(&mut device.writes) {
            return Err(PlatformError::Storage);
        }
        opt_out(|| drop(device.slots.remove(slot)));
        Ok(())
    }
}

impl Clock for Shared {
    fn now(&mut self) -> Result<Moment, PlatformError> {
        let mut device = self.get();
        if burn(&mut device.clock) {
            return Err(PlatformError::Clock);
        }
        Ok(Moment {
            boot: [device.boot; 16],
            millis: device.millis,
        })
    }
}

impl Outputs for Shared {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        self.get().panel
    }
}

/// The types of the platform.
pub(crate) enum Fuzzed {}

impl Platform for Fuzzed {
    type Rng = Shared;
    type Clock = Shared;
    type Vault = Shared;
    type Counter = NoCounter;
    type Identity = StoredIdentity<Shared, Shared, Toy>;
    type Attester = NoAttester;
    type Outputs = Shared;
    type Crypto = Toy;
}

/// Which platform a story is told on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// In the application's process, any anchor.
    Software,
    /// A worker on a system without a clock.
    Timeless,
    /// A trusted application with anchors built in and a decoder beside it.
    Trusted,
}

impl Variant {
    pub(crate) const ALL: [Self; 3] = [Self::Software, Self::Timeless, Self::Trusted];

    /// A core on this platform.
    pub(crate) fn core(self, shared: &Shared, anchors: &'static [Digest]) -> Core<Fuzzed> {
        let (level, isolation, anchors) = match self {
            Self::Software => (Level::Low, Isolation::InProcess, Anchors::Application),
            Self::Timeless => (Level::Low, Isolation::Worker, Anchors::Application),
            Self::Trusted => (Level::High, Isolation::Tee, Anchors::Fixed(anchors)),
        };
        let parts = Parts {
            rng: shared.clone(),
            clock: (self != Self::Timeless).then(|| shared.clone()),
            vault: shared.clone(),
            counter: None,
            identity: StoredIdentity::new(shared.clone(), shared.clone(), Toy),
            attester: None,
            outputs: shared.clone(),
            crypto: Toy,
        };
        let config = Config {
            level,
            decoder: self == Self::Trusted,
            isolation,
            debug: true,
            ta_version: None,
            anchors,
            max_media: MAX_MEDIA,
            oem: None,
        };
        Core::new(parts, config).expect("its generator works when it is made")
    }
}
