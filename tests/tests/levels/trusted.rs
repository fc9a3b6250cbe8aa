//! Trusted sides of every ceiling: the core itself over a machine in memory, so that one test meets
//! all of them on any machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use keybearer_core::{
    Anchors, Caller, ClientId, Clock, Config, Core, Moment, NoAttester, NoCounter, NoMedia,
    OutputSource, Outputs, Parts, Platform, PlatformError, Slot, StoredIdentity, Vault,
};
use keybearer_crypto::Digest;
use keybearer_crypto_ring::SystemRng;
use keybearer_crypto_soft::SoftCrypto;
use keybearer_license::Isolation;
use keybearer_rules::Level;
use keybearer_tee::{BackendInfo, Media, Tee, TeeError, TeeSession};

/// Names the parts.
enum Machine {}

impl Platform for Machine {
    type Rng = SystemRng;
    type Clock = SystemClock;
    type Vault = Memory;
    type Counter = NoCounter;
    type Identity = StoredIdentity<Memory, SystemRng, SoftCrypto>;
    type Attester = NoAttester;
    type Outputs = Panel;
    type Crypto = SoftCrypto;
}

/// A panel that the trusted side vouches for, so that levels alone decide.
struct Panel;

impl Outputs for Panel {
    fn internal_panel(&mut self) -> Option<OutputSource> {
        Some(OutputSource::Platform)
    }
}

struct SystemClock(Instant);

impl Clock for SystemClock {
    fn now(&mut self) -> Result<Moment, PlatformError> {
        let millis = u64::try_from(self.0.elapsed().as_millis());
        Ok(Moment {
            boot: [1; 16],
            millis: millis.map_err(|_| PlatformError::Clock)?,
        })
    }
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<Slot, Vec<u8>>>>);

impl Memory {
    fn slots(&self) -> MutexGuard<'_, BTreeMap<Slot, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for Memory {
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError> {
        let record = self.slots().get(slot).cloned();
        match record {
            Some(record) if record.len() > cap => Err(PlatformError::Damaged),
            record => Ok(record),
        }
    }
    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError> {
        self.slots().insert(*slot, record.to_vec());
        Ok(())
    }
    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError> {
        self.slots().remove(slot);
        Ok(())
    }
}

/// A trusted side in this process. What it says of itself is what the test wants to be said.
#[derive(Clone)]
pub(crate) struct Trusted(Arc<Mutex<Core<Machine>>>);

impl Trusted {
    /// With no identity yet. Above Low it accepts `anchor` and no other.
    pub(crate) fn new(level: Level, isolation: Isolation, anchor: [u8; 32]) -> Self {
        let config = Config {
            level,
            decoder: matches!(level, Level::None | Level::High),
            isolation,
            debug: true,
            ta_version: None,
            anchors: if level > Level::Low {
                Anchors::Fixed(built_in(anchor))
            } else {
                Anchors::Application
            },
            max_media: 1 << 20,
            oem: None,
        };
        let memory = Memory::default();
        let parts = Parts {
            rng: SystemRng::new(),
            clock: Some(SystemClock(Instant::now())),
            vault: memory.clone(),
            counter: None,
            identity: StoredIdentity::new(memory, SystemRng::new(), SoftCrypto),
            attester: None,
            outputs: Panel,
            crypto: SoftCrypto,
        };
        let core = Core::new(parts, config).expect("there is memory and randomness");
        Self(Arc::new(Mutex::new(core)))
    }

    fn core(&self) -> MutexGuard<'_, Core<Machine>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Anchors that are built in stay for as long as the program: they are kept, and not lost.
fn built_in(anchor: [u8; 32]) -> &'static [Digest] {
    static KEPT: Mutex<Vec<&[Digest]>> = Mutex::new(Vec::new());
    let anchors: &[Digest] = vec![Digest(anchor)].leak();
    KEPT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(anchors);
    anchors
}

impl Tee for Trusted {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "matrix",
            detail: "the core in this process, as whatever it shall be".into(),
        }
    }

    fn connect(&self) -> Result<Box<dyn TeeSession>, TeeError> {
        let client = self.core().connect(Caller::Host);
        let client = client.ok_or(TeeError::Dead)?;
        Ok(Box::new(Connection {
            core: self.clone(),
            client,
        }))
    }
}

struct Connection {
    core: Trusted,
    client: ClientId,
}

impl TeeSession for Connection {
    fn call<'a>(
        &mut self,
        command: u32,
        request: &[u8],
        response: &mut Vec<u8>,
        _media: Media<'a>,
    ) -> Result<(), TeeError> {
        response.clear();
        let mut core = self.core.core();
        response.extend_from_slice(&core.call(self.client, command, request, &mut NoMedia));
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.core.core().disconnect(self.client);
    }
}
