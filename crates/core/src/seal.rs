//! Records that the core keeps in the vault, sealed: the host may read, keep, swap or restore
//! them, but neither understand nor alter one.
//!
//! A record is `version | nonce | ciphertext and tag`. The key is derived from the device's secret
//! under the anchor for one slot and one version of the format, the nonce is random, and version and
//! slot are authenticated with it: a record from another slot, another anchor or another device does
//! not open. Replacing a record by an older one of the
//! same slot is not noticed here; only a counter can.

use alloc::vec::Vec;

use keybearer_crypto::{Crypto, CryptoError, Digest, Label, Nonce, Rng, Secret};

use crate::platform::{Identity, Parts, Platform, PlatformError, Slot, SlotKind, Vault};

/// Version of the record format.
const VERSION: u8 = 1;
/// Bytes before the ciphertext: version and nonce.
const HEAD: usize = 13;
/// Bytes that sealing adds to a plaintext: head and tag.
const OVERHEAD: usize = HEAD.saturating_add(16);

/// Seals and stores a record, durable on return.
///
/// # Errors
/// Those of the platform; the slot then holds what it held, or the new record after all.
pub(crate) fn store<P: Platform>(
    parts: &mut Parts<P>,
    anchor: &Digest,
    kind: SlotKind,
    mut plain: Vec<u8>,
) -> Result<(), PlatformError> {
    let slot = Slot::under(kind, anchor);
    let key = key(parts, anchor, &slot)?;
    let mut nonce = Nonce([0; 12]);
    parts
        .rng
        .fill(&mut nonce.0)
        .map_err(|_| PlatformError::Random)?;
    parts
        .crypto
        .seal(&key, &nonce, &aad(&slot), &mut plain)
        .map_err(seal_error)?;
    let mut record = Vec::new();
    record
        .try_reserve_exact(plain.len().saturating_add(HEAD))
        .map_err(|_| PlatformError::Memory)?;
    record.push(VERSION);
    record.extend_from_slice(&nonce.0);
    record.extend_from_slice(&plain);
    parts.vault.store(&slot, &record)
}

/// Loads and opens a record whose plaintext has at most `cap` bytes; `None` for an empty slot.
///
/// # Errors
/// [`PlatformError::Damaged`] for a record that does not open, [`PlatformError::Version`] for one of
/// a later format; those of the platform.
pub(crate) fn load<P: Platform>(
    parts: &mut Parts<P>,
    anchor: &Digest,
    kind: SlotKind,
    cap: usize,
) -> Result<Option<Vec<u8>>, PlatformError> {
    let slot = Slot::under(kind, anchor);
    let Some(mut record) = parts.vault.load(&slot, cap.saturating_add(OVERHEAD))? else {
        return Ok(None);
    };
    let nonce = match record.split_first_chunk::<HEAD>() {
        Some((&[VERSION, ref nonce @ ..], _)) => nonce,
        // The byte is not authenticated yet. Who changes it only fools himself: nothing opens.
        Some((&[version, ..], _)) if version > VERSION => return Err(PlatformError::Version),
        _ => return Err(PlatformError::Damaged),
    };
    let nonce = Nonce(*nonce);
    record.drain(..HEAD);
    let key = key(parts, anchor, &slot)?;
    parts
        .crypto
        .open(&key, &nonce, &aad(&slot), &mut record)
        .map_err(seal_error)?;
    Ok(Some(record))
}

/// The key of one slot in this format.
fn key<P: Platform>(
    parts: &mut Parts<P>,
    anchor: &Digest,
    slot: &Slot,
) -> Result<Secret<32>, PlatformError> {
    let context: [&[u8]; 2] = [&slot.object_id(), &[VERSION]];
    parts.identity.derive(anchor, Label::Vault, &context)
}

/// What is authenticated beside the content: format and slot.
fn aad(slot: &Slot) -> [u8; 34] {
    let mut aad = [VERSION; 34];
    let (_, name) = aad.split_at_mut(1);
    name.copy_from_slice(&slot.object_id());
    aad
}

fn seal_error(error: CryptoError) -> PlatformError {
    match error {
        CryptoError::Memory => PlatformError::Memory,
        _ => PlatformError::Damaged,
    }
}

#[cfg(test)]
mod tests;
