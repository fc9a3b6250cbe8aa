//! What the core asks of the platform under it: small traits, static dispatch.
//!
//! A platform is a family of types ([`Platform`]) and one value of each ([`Parts`]). What a
//! platform may lack is an `Option`; the core then refuses what it cannot back, it never pretends.
//! The core trusts the clock, the random source and the identity, because nothing below it could
//! check them. It does not trust what the vault returns: every record it stores there is sealed.

use alloc::vec::Vec;

pub use keybearer_rules::Source as OutputSource;

use keybearer_crypto::{Digest, Label, PrivateKeys, PublicKey, Rng, Secret, Signature};
use keybearer_license::Attestation;

use crate::outputs::OutputList;

/// Why the platform did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// Storage could not be read or written.
    #[error("the platform's storage failed")]
    Storage,
    /// The random source failed.
    #[error("the platform's random source failed")]
    Random,
    /// The clock could not be read.
    #[error("the platform's clock failed")]
    Clock,
    /// There is no such key, or it cannot be used.
    #[error("the platform's key is missing or unusable")]
    Key,
    /// As many identities exist as may.
    #[error("the platform holds as many identities as it may")]
    Full,
    /// Memory could not be had.
    #[error("the platform is out of memory")]
    Memory,
    /// A record is there and is not what was stored.
    #[error("a record in the platform's storage is damaged")]
    Damaged,
    /// The platform's attestation failed.
    #[error("the platform's attestation failed")]
    Attestation,
    /// There is no monitor of the outputs, or it did not answer.
    #[error("the platform's monitor of the outputs did not answer")]
    Monitor,
    /// A record was written by a newer core, or for a newer protocol.
    #[error("a record in the platform's storage is of a newer version")]
    Version,
}

/// The types that make up a platform. Implemented by a marker type, never constructed.
pub trait Platform {
    /// Random bytes fit for keys.
    type Rng: Rng;
    /// Time that the host cannot set.
    type Clock: Clock;
    /// Storage for the core's sealed records.
    type Vault: Vault;
    /// A number that never goes back.
    type Counter: Counter;
    /// The device's keys.
    type Identity: Identity;
    /// What says which code runs.
    type Attester: Attester;
    /// What a picture can reach.
    type Outputs: Outputs;
    /// The cryptographic provider.
    type Crypto: PrivateKeys;
}

/// One value of each type of a platform, as fields so that they can be borrowed side by side.
pub struct Parts<P: Platform> {
    /// Random bytes.
    pub rng: P::Rng,
    /// `None`: the platform has no clock that the host cannot set, and licences limited in time
    /// are refused.
    pub clock: Option<P::Clock>,
    /// Storage.
    pub vault: P::Vault,
    /// `None`: licences that need a counter are refused.
    pub counter: Option<P::Counter>,
    /// The device's keys.
    pub identity: P::Identity,
    /// `None`: the platform says nothing of the code that runs, and services certify and serve this
    /// device by other evidence.
    pub attester: Option<P::Attester>,
    /// Outputs.
    pub outputs: P::Outputs,
    /// Cryptography.
    pub crypto: P::Crypto,
}

/// A reading of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Identity of the clock's origin: random, another one after every restart of the clock.
    pub boot: [u8; 16],
    /// Milliseconds since that origin, time spent suspended included.
    pub millis: u64,
}

/// Monotonic time. Wall time is no business of the platform: the core computes it from signed
/// anchors.
///
/// Porting: `CLOCK_BOOTTIME` with the kernel's boot id in software; in OP-TEE
/// `TEE_GetSystemTime`, only where `gpd.tee.systemTime.protectionLevel` is 1000.
pub trait Clock {
    /// Reads the clock.
    ///
    /// # Errors
    /// [`PlatformError::Clock`]; the call that needed the time is then refused.
    fn now(&mut self) -> Result<Moment, PlatformError>;
}

/// What a slot of the vault holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SlotKind {
    /// The list of anchors that identities exist under; one slot, id all zero.
    Anchors = 1,
    /// Signing key and device secret under an anchor.
    Identity = 2,
    /// Root key and device certificate chain under an anchor.
    Certificate = 3,
    /// Last trusted time seen under an anchor.
    Time = 4,
    /// Newest revocation list under an anchor.
    Revocation = 5,
    /// Lowest versions of core and protocol that may go on with the records under an anchor.
    Floor = 6,
}

/// Name of one record in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// What it holds.
    pub kind: SlotKind,
    /// Which one: the anchor's digest.
    pub id: [u8; 32],
}

impl Slot {
    /// The slot of `kind` under `anchor`.
    #[must_use]
    pub const fn under(kind: SlotKind, anchor: &Digest) -> Self {
        Self { kind, id: anchor.0 }
    }

    /// The name as 33 bytes, kind first: a GlobalPlatform object id, or in hex a file name.
    #[must_use]
    pub const fn object_id(&self) -> [u8; 33] {
        let mut name = [0; 33];
        let (kind, id) = name.split_at_mut(1);
        kind.copy_from_slice(&[self.kind.code()]);
        id.copy_from_slice(&self.id);
        name
    }
}

impl SlotKind {
    /// The number in a slot's name. Never changed.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Anchors => 1,
            Self::Identity => 2,
            Self::Certificate => 3,
            Self::Time => 4,
            Self::Revocation => 5,
            Self::Floor => 6,
        }
    }
}

/// Named records, atomic one by one: after a failure or a power cut a slot holds the old record or
/// the new one, whole.
pub trait Vault {
    /// Reads a record; `None` when the slot is empty.
    ///
    /// # Errors
    /// [`PlatformError::Storage`]; [`PlatformError::Damaged`] for a record that the storage itself
    /// finds damaged, and for one of more than `cap` bytes, which is not read;
    /// [`PlatformError::Memory`].
    fn load(&mut self, slot: &Slot, cap: usize) -> Result<Option<Vec<u8>>, PlatformError>;

    /// Replaces a record and returns once the new one is durable.
    ///
    /// # Errors
    /// [`PlatformError::Storage`].
    fn store(&mut self, slot: &Slot, record: &[u8]) -> Result<(), PlatformError>;

    /// Empties a slot; an empty one stays so.
    ///
    /// # Errors
    /// [`PlatformError::Storage`].
    fn remove(&mut self, slot: &Slot) -> Result<(), PlatformError>;
}

/// What keeps a counter from going back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CounterKind {
    /// Only software: whoever can restore the storage can restore the counter.
    Software,
    /// Hardware, such as RPMB.
    Hardware,
}

/// A counter that never goes back.
pub trait Counter {
    /// What keeps it from going back.
    fn strength(&self) -> CounterKind;

    /// Its value.
    ///
    /// # Errors
    /// [`PlatformError::Storage`].
    fn read(&mut self) -> Result<u64, PlatformError>;

    /// Adds one, durably, and returns the new value.
    ///
    /// # Errors
    /// [`PlatformError::Storage`].
    fn increment(&mut self) -> Result<u64, PlatformError>;
}

/// The device's keys: one signing key and one device secret under each anchor. Verbs only; no
/// method returns a key that the platform keeps.
///
/// [`crate::StoredIdentity`] implements it over any [`Vault`].
pub trait Identity {
    /// The public signing key under an anchor; `None` when there is none.
    ///
    /// # Errors
    /// Those of the platform.
    fn public_key(&mut self, anchor: &Digest) -> Result<Option<PublicKey>, PlatformError>;

    /// The public signing key under an anchor, made if there is none.
    ///
    /// # Errors
    /// [`PlatformError::Full`] beyond [`keybearer_wire::limits::MAX_ANCHORS`]; those of the
    /// platform.
    fn create(&mut self, anchor: &Digest) -> Result<PublicKey, PlatformError>;

    /// Signs as COSE ESP256 with the key under an anchor.
    ///
    /// # Errors
    /// [`PlatformError::Key`] when there is none.
    fn sign(&mut self, anchor: &Digest, message: &[u8]) -> Result<Signature, PlatformError>;

    /// A pseudo-random function of `label` and `context` under the device secret of an anchor: the
    /// device's identifier, its boot identity, the key that seals its records.
    ///
    /// # Errors
    /// [`PlatformError::Key`] when there is no identity under the anchor, or for a context of more
    /// than four parts.
    fn derive(
        &mut self,
        anchor: &Digest,
        label: Label,
        context: &[&[u8]],
    ) -> Result<Secret<32>, PlatformError>;

    /// Forgets key and secret under an anchor, durably. What was sealed under them is lost.
    ///
    /// # Errors
    /// [`PlatformError::Storage`].
    fn erase(&mut self, anchor: &Digest) -> Result<(), PlatformError>;
}

/// The platform under the trusted side: it loaded the code that runs, measures it and signs the
/// measurement, so that a service need not take this code's word for what it is.
///
/// Porting: OP-TEE's attestation PTA where it is built in, which measures the running trusted
/// application's memory. What measures a file instead proves nothing of the code that asks.
pub trait Attester {
    /// Measures the code that runs and signs the measurement together with `nonce`. Asked once for
    /// each provision request and licence request, whose own the nonce is.
    ///
    /// # Errors
    /// [`PlatformError::Attestation`], [`PlatformError::Memory`]; no request is built then.
    fn attest(&mut self, nonce: &Digest) -> Result<Attestation, PlatformError>;
}

/// What a picture can reach.
///
/// Porting: a trusted monitor is a part of the trusted side that sees the outputs as they are (in
/// OP-TEE another trusted application, reached from this one). Without a monitor the host's reports
/// count at the levels below High, and at High only a built-in panel does.
pub trait Outputs {
    /// Says that the device has an internal panel, and who says so; `None` when it declares none.
    fn internal_panel(&mut self) -> Option<OutputSource>;

    /// Whether the platform has a trusted monitor. It never changes.
    fn has_monitor(&self) -> bool {
        false
    }

    /// Asks the monitor for the outputs that are active now and adds them to `seen`. Asked once at
    /// the beginning of every call, so its answer counts for that call.
    ///
    /// # Errors
    /// Any: the monitor did not answer, and then only an internal panel counts. A platform without a
    /// monitor is never asked.
    fn monitor(&mut self, seen: &mut OutputList) -> Result<(), PlatformError> {
        seen.clear();
        Err(PlatformError::Monitor)
    }
}
