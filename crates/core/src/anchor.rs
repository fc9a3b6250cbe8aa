//! What the core holds under one trust anchor: the device's certificate, trusted time, and the
//! newest revocation list. All of it is sealed in the vault and read once, when it is first needed.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Error as Cbor, decode, encode};
use keybearer_crypto::{Digest, PublicKey};
use keybearer_license::{
    CertificateChain, DebugStatus, HardwareModel, LicenseError, MAX_CHAIN_BYTES, MAX_REVOKED,
    RevocationList, RevokedSerials, Serial, UnixTime, Validity, peek_device,
};
use keybearer_rules::Level;
use keybearer_wire::Status;

use crate::config::Config;
use crate::floor::{self, Floor};
use crate::platform::{Identity, Parts, Platform, PlatformError, Slot, SlotKind, Vault};
use crate::refusal;
use crate::seal;
use crate::time::{Interval, SealedTime, TrustedTime};

/// Bytes of a certificate record at most: root key, chain, heads.
const MAX_CERTIFICATE_RECORD: usize = MAX_CHAIN_BYTES.saturating_add(128);
/// Bytes of a time record at most.
const MAX_TIME_RECORD: usize = 32;
/// Bytes of a revocation record at most.
const MAX_REVOCATION_RECORD: usize = MAX_REVOKED.saturating_mul(16).saturating_add(64);
/// Seconds that a revocation list serves past its next update.
const LIST_GRACE: u64 = 7 * 24 * 60 * 60;

/// The device's certificate and the root that it leads to.
pub(crate) struct Certificate {
    pub(crate) root: PublicKey,
    pub(crate) chain: CertificateChain,
    pub(crate) model: HardwareModel,
    level: Level,
    debug: DebugStatus,
    validity: Validity,
    serial: Serial,
}

/// The newest revocation list seen.
pub(crate) struct Revocation {
    pub(crate) number: u64,
    pub(crate) serials: RevokedSerials,
    next_update: Option<UnixTime>,
}

/// All of it.
pub(crate) struct AnchorState {
    pub(crate) anchor: Digest,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) time: TrustedTime,
    pub(crate) revocation: Revocation,
}

impl AnchorState {
    fn load<P: Platform>(parts: &mut Parts<P>, anchor: &Digest) -> Result<Self, PlatformError> {
        let floor = seal::load(parts, anchor, SlotKind::Floor, floor::MAX_RECORD)?;
        // Before anything else is read: a newer core may have written it by other rules.
        let (raise, known) = match floor {
            Some(bytes) => (Floor::from_record(&bytes)?.pass()?, true),
            None => (Some(Floor::RUNNING), false),
        };
        let mut record = |kind, cap| seal::load(parts, anchor, kind, cap);
        let certificate = record(SlotKind::Certificate, MAX_CERTIFICATE_RECORD)?;
        let time = record(SlotKind::Time, MAX_TIME_RECORD)?;
        let revocation = record(SlotKind::Revocation, MAX_REVOCATION_RECORD)?;
        // The floor is written before all else, so without one nothing else can honestly be there.
        if !known && (certificate.is_some() || time.is_some() || revocation.is_some()) {
            return Err(PlatformError::Damaged);
        }
        if let Some(floor) = raise {
            seal::store(parts, anchor, SlotKind::Floor, floor.to_record()?)?;
        }
        Ok(Self {
            anchor: *anchor,
            certificate: certificate
                .map(|bytes| Certificate::from_record(&bytes))
                .transpose()?,
            time: TrustedTime::restored(time.map(|bytes| read_time(&bytes)).transpose()?),
            revocation: match revocation {
                Some(bytes) => Revocation::from_record(&bytes)?,
                None => Revocation::none(),
            },
        })
    }

    /// The device's certificate.
    ///
    /// # Errors
    /// [`Status::NotProvisioned`].
    pub(crate) fn certificate(&self) -> Result<&Certificate, Status> {
        self.certificate.as_ref().ok_or(Status::NotProvisioned)
    }

    /// Tests whether a certificate of this level may take the place of the one held: not while that
    /// one counts and is of a higher level, or of a device that is no development build. Any client
    /// may provision the device, and none shall take from the others what it was certified for.
    ///
    /// # Errors
    /// [`Status::LowerLevel`].
    pub(crate) fn check_replacement(&self, level: Level, debug: DebugStatus) -> Result<(), Status> {
        let rank = |level, debug: DebugStatus| (level, !debug.is_debug());
        match &self.certificate {
            Some(held)
                if self.time.allows(&held.validity)
                    && !self.revocation.serials.contains(&held.serial)
                    && rank(level, debug) < rank(held.level, held.debug) =>
            {
                Err(Status::LowerLevel)
            }
            _ => Ok(()),
        }
    }

    /// Keeps a certificate, sealed first.
    ///
    /// # Errors
    /// Those of the platform; the former certificate then stays.
    pub(crate) fn certify<P: Platform>(
        &mut self,
        parts: &mut Parts<P>,
        certificate: Certificate,
    ) -> Result<(), PlatformError> {
        let record = certificate.to_record()?;
        seal::store(parts, &self.anchor, SlotKind::Certificate, record)?;
        self.certificate = Some(certificate);
        Ok(())
    }

    /// Replaces the time by one that has taken an anchor or moved on, sealed first where due.
    ///
    /// # Errors
    /// Those of the platform; the former time then stays.
    pub(crate) fn settle_time<P: Platform>(
        &mut self,
        parts: &mut Parts<P>,
        mut time: TrustedTime,
    ) -> Result<(), PlatformError> {
        if let Some(sealed) = time.seal_due() {
            let record = encode(MAX_TIME_RECORD, |e| {
                e.array(|e| {
                    e.uint(sealed.seen)?;
                    e.uint(sealed.ceiling)
                })
            });
            let record = record.map_err(|_| PlatformError::Memory)?;
            seal::store(parts, &self.anchor, SlotKind::Time, record)?;
            time.note_sealed(sealed);
        }
        self.time = time;
        Ok(())
    }

    /// Keeps a newer revocation list, sealed first. A list of the number held must name the same
    /// serials; signed again, it can only put off when the next one is due.
    ///
    /// # Errors
    /// [`Status::StaleRevocationList`]; those of the platform. The former list then stays.
    pub(crate) fn revoke<P: Platform>(
        &mut self,
        parts: &mut Parts<P>,
        list: RevocationList,
    ) -> Result<(), Status> {
        if list.number < self.revocation.number {
            return Err(Status::StaleRevocationList);
        }
        if let Some(due) = self.revocation.next_update
            && list.number == self.revocation.number
        {
            // Both are in ascending order.
            if list.serials != self.revocation.serials.serials() {
                return Err(Status::StaleRevocationList);
            }
            if list.next_update <= due {
                return Ok(());
            }
        }
        let record = revocation_record(&list)?;
        let revocation = Revocation {
            number: list.number,
            serials: RevokedSerials::from_serials(list.serials).map_err(refusal::of_message)?,
            next_update: Some(list.next_update),
        };
        seal::store(parts, &self.anchor, SlotKind::Revocation, record)?;
        self.revocation = revocation;
        Ok(())
    }

    /// Tests whether the list at hand is new enough to load a licence.
    ///
    /// # Errors
    /// [`Status::RevocationListNeeded`].
    pub(crate) fn check_revocation(
        &self,
        least: u64,
        level: Level,
        now: Option<Interval>,
    ) -> Result<(), Status> {
        let stale = |next: UnixTime| {
            let last = next.saturating_add(LIST_GRACE);
            level >= Level::Medium && now.is_some_and(|now| now.may_have_reached(last))
        };
        if least > self.revocation.number || self.revocation.next_update.is_some_and(stale) {
            return Err(Status::RevocationListNeeded);
        }
        Ok(())
    }
}

impl Certificate {
    /// Takes a chain whose leaf has been verified.
    ///
    /// # Errors
    /// [`PlatformError::Damaged`] when the leaf is not a device certificate;
    /// [`PlatformError::Memory`].
    pub(crate) fn new(root: PublicKey, chain: CertificateChain) -> Result<Self, PlatformError> {
        let claims = peek_device(&chain.leaf).map_err(message_error)?;
        Ok(Self {
            root,
            chain,
            model: claims.model,
            level: claims.highest_level,
            debug: claims.debug,
            validity: claims.validity,
            serial: claims.serial,
        })
    }

    fn to_record(&self) -> Result<Vec<u8>, PlatformError> {
        let chain = self.chain.to_bytes().map_err(|_| PlatformError::Memory)?;
        let record = encode(MAX_CERTIFICATE_RECORD, |e| {
            e.array(|e| {
                e.bytes(&self.root.x)?;
                e.bytes(&self.root.y)?;
                e.bytes(&chain)
            })
        });
        record.map_err(|_| PlatformError::Memory)
    }

    fn from_record(bytes: &[u8]) -> Result<Self, PlatformError> {
        let (root, chain) = decode(bytes, MAX_CERTIFICATE_RECORD, |d| {
            d.array(3..=3, |items| {
                let x = *items.item(Decoder::bytes_fixed)?;
                let y = *items.item(Decoder::bytes_fixed)?;
                let chain = items.item(|d| d.bytes(MAX_CHAIN_BYTES))?;
                Ok((PublicKey { x, y }, chain))
            })
        })
        .map_err(record_error)?;
        let chain = CertificateChain::from_bytes(chain).map_err(message_error)?;
        Self::new(root, chain)
    }
}

impl Revocation {
    fn none() -> Self {
        Self {
            number: 0,
            serials: RevokedSerials::none(),
            next_update: None,
        }
    }

    fn from_record(bytes: &[u8]) -> Result<Self, PlatformError> {
        let (number, next_update, serials) = decode(bytes, MAX_REVOCATION_RECORD, |d| {
            d.array(3..=3, |items| {
                let number = items.item(Decoder::uint)?;
                let next_update = UnixTime(items.item(Decoder::uint)?);
                Ok((
                    number,
                    next_update,
                    items.item(|d| d.bytes(MAX_REVOCATION_RECORD))?,
                ))
            })
        })
        .map_err(record_error)?;
        let (serials, []) = serials.as_chunks::<16>() else {
            return Err(PlatformError::Damaged);
        };
        let mut list = Vec::new();
        list.try_reserve_exact(serials.len())
            .map_err(|_| PlatformError::Memory)?;
        list.extend(serials.iter().map(|serial| Serial(*serial)));
        Ok(Self {
            number,
            serials: RevokedSerials::from_serials(list).map_err(|_| PlatformError::Damaged)?,
            next_update: Some(next_update),
        })
    }
}

fn revocation_record(list: &RevocationList) -> Result<Vec<u8>, PlatformError> {
    let mut serials = Vec::new();
    serials
        .try_reserve_exact(list.serials.len().saturating_mul(16))
        .map_err(|_| PlatformError::Memory)?;
    for serial in &list.serials {
        serials.extend_from_slice(&serial.0);
    }
    let record = encode(MAX_REVOCATION_RECORD, |e| {
        e.array(|e| {
            e.uint(list.number)?;
            e.uint(list.next_update.0)?;
            e.bytes(&serials)
        })
    });
    record.map_err(|_| PlatformError::Memory)
}

fn read_time(bytes: &[u8]) -> Result<SealedTime, PlatformError> {
    decode(bytes, MAX_TIME_RECORD, |d| {
        d.array(2..=2, |items| {
            Ok(SealedTime {
                seen: items.item(Decoder::uint)?,
                ceiling: items.item(Decoder::uint)?,
            })
        })
    })
    .map_err(record_error)
}

/// A sealed record that does not read as this version writes it: nothing may be assumed of it.
pub(crate) fn record_error(error: Cbor) -> PlatformError {
    match error {
        Cbor::Memory => PlatformError::Memory,
        _ => PlatformError::Damaged,
    }
}

/// The same for a certificate in it.
fn message_error(error: LicenseError) -> PlatformError {
    match error {
        LicenseError::Memory => PlatformError::Memory,
        _ => PlatformError::Damaged,
    }
}

/// The slots of what is sealed under an anchor's identity.
const SEALED: [SlotKind; 4] = [
    SlotKind::Certificate,
    SlotKind::Revocation,
    SlotKind::Time,
    SlotKind::Floor,
];

/// Makes the device's identity under an anchor, unless there is one.
///
/// What an erased one left behind goes first: it would not open under the new key, and the device
/// could not be used under the anchor.
///
/// # Errors
/// Those of the platform.
pub(crate) fn create_identity<P: Platform>(
    parts: &mut Parts<P>,
    anchor: &Digest,
) -> Result<PublicKey, PlatformError> {
    if let Some(key) = parts.identity.public_key(anchor)? {
        return Ok(key);
    }
    clear(parts, anchor)?;
    parts.identity.create(anchor)
}

/// Removes what is sealed under an anchor.
///
/// # Errors
/// Those of the platform.
pub(crate) fn clear<P: Platform>(
    parts: &mut Parts<P>,
    anchor: &Digest,
) -> Result<(), PlatformError> {
    for kind in SEALED {
        parts.vault.remove(&Slot::under(kind, anchor))?;
    }
    Ok(())
}

/// The state under an anchor, read from the vault if it is not in memory yet.
///
/// # Errors
/// [`Status::UnsupportedVersion`] when a newer core wrote it, [`Status::DamagedRecord`];
/// [`Status::UnknownAnchor`] when the anchor is not permitted, [`Status::NotProvisioned`] when no
/// identity exists under it; those of the platform.
pub(crate) fn under<'s, P: Platform>(
    states: &'s mut Vec<AnchorState>,
    parts: &mut Parts<P>,
    config: &Config,
    anchor: &Digest,
) -> Result<&'s mut AnchorState, Status> {
    if !config.permits(anchor) {
        return Err(Status::UnknownAnchor);
    }
    if let Some(at) = states.iter().position(|state| state.anchor == *anchor) {
        return states.get_mut(at).ok_or(Status::Platform);
    }
    if parts.identity.public_key(anchor)?.is_none() {
        return Err(Status::NotProvisioned);
    }
    let state = AnchorState::load(parts, anchor)?;
    states.try_reserve(1).map_err(|_| Status::OutOfMemory)?;
    states.push(state);
    states.last_mut().ok_or(Status::Platform)
}

/// Time under an anchor as last observed.
pub(crate) fn time_under(states: &[AnchorState], anchor: &Digest) -> Option<Interval> {
    states
        .iter()
        .find(|state| state.anchor == *anchor)?
        .time
        .known()
}

#[cfg(test)]
pub(crate) mod tests;
