//! The fake platform: every part looks at one shared world, which the test changes at will.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::vec::Vec;

use keybearer_core::{
    Attester, Clock, Counter, CounterKind, Moment, OutputList, OutputSource, Outputs, Parts,
    Platform, PlatformError, Slot, StoredIdentity, Vault,
};
use keybearer_crypto::{Crypto, CryptoError, Digest, Rng};
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::{Attestation, AttestationFormat};
use keybearer_rules::Output;

/// Everything about a device that the core cannot see but through its platform.
#[derive(Clone, Default)]
pub struct World {
    pub slots: BTreeMap<Slot, Vec<u8>>,
    pub millis: u64,
    pub boot: [u8; 16],
    pub panel: Option<OutputSource>,
    /// What the monitor shows: `None` without one, `Some(None)` where it does not answer.
    pub monitor: Option<Option<Vec<Output>>>,
    pub counter: u64,
    /// Writes that succeed before storage fails; `None`: it never does.
    pub writes_left: Option<usize>,
    pub writes: usize,
    pub reads_fail: bool,
    pub clock_fails: bool,
    pub rng_fails: bool,
    pub attestation_fails: bool,
    draws: u64,
    seed: u64,
}

/// One world, seen from several places.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(seed: u64) -> Self {
        let world = World {
            seed,
            millis: 1_000_000,
            boot: [1; 16],
            ..World::default()
        };
        Self(Arc::new(Mutex::new(world)))
    }

    pub fn get(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl World {
    /// Another boot: the monotonic clock starts anew.
    pub fn reboot(&mut self) {
        self.boot[0] = self.boot[0].wrapping_add(1);
        self.millis = 5_000;
    }
}

/// Deterministic random bytes: a hash of a counter.
#[derive(Clone)]
pub struct FakeRng(pub Shared);

impl Rng for FakeRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CryptoError> {
        let mut world = self.0.get();
        if world.rng_fails {
            return Err(CryptoError::Rng);
        }
        for chunk in out.chunks_mut(32) {
            world.draws += 1;
            let block = SoftCrypto.sha256(&[&world.seed.to_be_bytes(), &world.draws.to_be_bytes()]);
            chunk.copy_from_slice(&block.0[..chunk.len()]);
        }
        Ok(())
    }
}

std::thread_local! {
    /// True inside the fake platform, whose own memory is no business of the core.
    pub static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn inside<T>(work: impl FnOnce() -> T) -> T {
    INSIDE.set(true);
    let result = work();
    INSIDE.set(false);
    result
}

#[derive(Clone)]
pub struct FakeVault(pub Shared);

impl FakeVault {
    fn write(&self) -> Result<MutexGuard<'_, World>, PlatformError> {
        let mut world = self.0.get();
        if let Some(left) = &mut world.writes_left {
            *left = left.checked_sub(1).ok_or(PlatformError::Storage)?;
        }
        world.writes += 1;
        Ok(world)
    }
}

impl Vault for FakeVault {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        let world = self.0.get();
        match world.slots.get(slot) {
            _ if world.reads_fail => Err(PlatformError::Storage),
            Some(record) if record.len() > cap => Err(PlatformError::Damaged),
            record => Ok(inside(|| record.cloned())),
        }
    }
    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        let mut world = self.write()?;
        inside(|| world.slots.insert(*slot, record.to_vec()));
        Ok(())
    }
    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        let mut world = self.write()?;
        inside(|| world.slots.remove(slot));
        Ok(())
    }
}

#[derive(Clone)]
pub struct FakeClock(pub Shared);

impl Clock for FakeClock {
    fn now(&mut self) -> Result<Moment, PlatformError> {
        let world = self.0.get();
        if world.clock_fails {
            return Err(PlatformError::Clock);
        }
        Ok(Moment {
            boot: world.boot,
            millis: world.millis,
        })
    }
}

#[derive(Clone)]
pub struct FakeCounter {
    pub shared: Shared,
    pub kind: CounterKind,
}

impl Counter for FakeCounter {
    fn strength(&self) -> CounterKind {
        self.kind
    }
    fn read(&mut self) -> Result<u64, PlatformError> {
        Ok(self.shared.get().counter)
    }
    fn increment(&mut self) -> Result<u64, PlatformError> {
        let mut world = self.shared.get();
        world.counter += 1;
        Ok(world.counter)
    }
}

pub struct FakeAttester(pub Shared);

impl Attester for FakeAttester {
    /// Its proof is the nonce itself, so that a test sees what it was over.
    fn attest(&mut self, nonce: &Digest) -> Result<Attestation, PlatformError> {
        if self.0.get().attestation_fails {
            return Err(PlatformError::Attestation);
        }
        Ok(Attestation {
            format: AttestationFormat::Optee,
            key: Digest([0x4e; 32]),
            measurement: Digest([0x3e; 32]),
            proof: nonce.0.to_vec(),
        })
    }
}

#[derive(Clone)]
pub struct FakeOutputs(pub Shared);

impl Outputs for FakeOutputs {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        self.0.get().panel
    }

    fn has_monitor(&self) -> bool {
        self.0.get().monitor.is_some()
    }

    fn monitor(&mut self, seen: &mut OutputList) -> Result<(), PlatformError> {
        let shown = self.0.get().monitor.clone().flatten();
        for output in shown.ok_or(PlatformError::Monitor)? {
            seen.push(output);
        }
        Ok(())
    }
}

pub enum FakePlatform {}

impl Platform for FakePlatform {
    type Rng = FakeRng;
    type Clock = FakeClock;
    type Vault = FakeVault;
    type Counter = FakeCounter;
    type Identity = StoredIdentity<FakeVault, FakeRng, SoftCrypto>;
    type Attester = FakeAttester;
    type Outputs = FakeOutputs;
    type Crypto = SoftCrypto;
}

/// A platform with everything but a counter and an attestation.
pub fn parts(shared: &Shared) -> Parts<FakePlatform> {
    let vault = FakeVault(shared.clone());
    let rng = FakeRng(shared.clone());
    Parts {
        identity: StoredIdentity::new(vault.clone(), rng.clone(), SoftCrypto),
        rng,
        clock: Some(FakeClock(shared.clone())),
        vault,
        counter: None,
        attester: None,
        outputs: FakeOutputs(shared.clone()),
        crypto: SoftCrypto,
    }
}
