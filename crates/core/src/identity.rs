//! The device's keys over any vault, one implementation for every platform without a key store of
//! its own.
//!
//! An identity is a signing key and a device secret under one anchor, both random and unrelated to
//! those under any other: services under different anchors cannot link a device. The records are
//! written as they are, so the vault must be storage that only the trusted side can read. They are
//! read for each use and wiped after it; nothing of them stays in memory.

use keybearer_crypto::{
    CryptoError, Digest, Label, PrivateKeys, PublicKey, Rng, Secret, Signature, Signer,
};
use keybearer_wire::limits::MAX_ANCHORS;
use zeroize::Zeroizing;

use crate::platform::{Identity, PlatformError, Slot, SlotKind, Vault};

/// Format of both records; another one is refused.
const VERSION: u8 = 1;
/// Bytes of an identity record: version, signing key, device secret.
const IDENTITY_RECORD: usize = 65;
/// Bytes of the anchor list at most: version and digests.
const LIST_RECORD: usize = 1_usize.saturating_add(MAX_ANCHORS.saturating_mul(32));
/// Parts of a derivation's context at most; the core names two.
const MAX_CONTEXT: usize = 4;
/// The list is one record for the whole device.
const LIST: Slot = Slot {
    kind: SlotKind::Anchors,
    id: [0; 32],
};

/// An [`Identity`] kept in a vault.
///
/// The anchor list is written before an identity is made and after one is erased, so that a power
/// cut can leave a name too many in it but never an identity that it does not count.
pub struct StoredIdentity<V: Vault, R: Rng, C: PrivateKeys> {
    vault: V,
    rng: R,
    crypto: C,
}

/// The two halves of a record.
struct Keys {
    signing: Secret<32>,
    device: Secret<32>,
}

impl<V: Vault, R: Rng, C: PrivateKeys> StoredIdentity<V, R, C> {
    /// Keys in `vault`, made with `rng`, used with `crypto`.
    #[must_use]
    pub const fn new(vault: V, rng: R, crypto: C) -> Self {
        Self { vault, rng, crypto }
    }

    fn keys(&mut self, anchor: &Digest) -> Result<Option<Keys>, PlatformError> {
        let slot = Slot::under(SlotKind::Identity, anchor);
        let Some(record) = self.vault.load(&slot, IDENTITY_RECORD)? else {
            return Ok(None);
        };
        let record = Zeroizing::new(record);
        let Some((&VERSION, halves)) = record.split_first() else {
            return Err(PlatformError::Damaged);
        };
        let ([signing, device], []) = halves.as_chunks::<32>() else {
            return Err(PlatformError::Damaged);
        };
        Ok(Some(Keys {
            signing: Secret::copied_from(signing),
            device: Secret::copied_from(device),
        }))
    }

    fn listed(&mut self) -> Result<List, PlatformError> {
        let mut list = List::default();
        let Some(record) = self.vault.load(&LIST, LIST_RECORD)? else {
            return Ok(list);
        };
        let Some((&VERSION, digests)) = record.split_first() else {
            return Err(PlatformError::Damaged);
        };
        let (digests, []) = digests.as_chunks::<32>() else {
            return Err(PlatformError::Damaged);
        };
        for digest in digests {
            list.push(*digest).map_err(|_| PlatformError::Damaged)?;
        }
        Ok(list)
    }

    fn store_list(&mut self, list: &List) -> Result<(), PlatformError> {
        let mut record = [VERSION; LIST_RECORD];
        let digests = list.digests().as_flattened();
        let end = digests.len().saturating_add(1);
        let record = record.get_mut(..end).ok_or(PlatformError::Full)?;
        if let Some((_, room)) = record.split_first_mut() {
            room.copy_from_slice(digests);
        }
        self.vault.store(&LIST, record)
    }
}

/// The anchors that identities exist under, at most [`MAX_ANCHORS`].
#[derive(Default)]
struct List {
    digests: [[u8; 32]; MAX_ANCHORS],
    len: usize,
}

impl List {
    fn digests(&self) -> &[[u8; 32]] {
        self.digests.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, digest: [u8; 32]) -> Result<(), PlatformError> {
        *self.digests.get_mut(self.len).ok_or(PlatformError::Full)? = digest;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Forgets a digest; false when it was not there. The last one takes its place.
    fn remove(&mut self, digest: &[u8; 32]) -> bool {
        let last = self.len.saturating_sub(1);
        match self.digests().iter().position(|listed| listed == digest) {
            Some(at) => {
                self.digests.swap(at, last);
                self.len = last;
                true
            }
            None => false,
        }
    }
}

impl<V: Vault, R: Rng, C: PrivateKeys> Identity for StoredIdentity<V, R, C> {
    fn public_key(&mut self, anchor: &Digest) -> Result<Option<PublicKey>, PlatformError> {
        let Some(keys) = self.keys(anchor)? else {
            return Ok(None);
        };
        self.crypto
            .public_key(&keys.signing)
            .map(Some)
            .map_err(key_error)
    }

    fn create(&mut self, anchor: &Digest) -> Result<PublicKey, PlatformError> {
        if let Some(public) = self.public_key(anchor)? {
            return Ok(public);
        }
        let mut list = self.listed()?;
        if !list.digests().contains(&anchor.0) {
            list.push(anchor.0)?;
            self.store_list(&list)?;
        }
        let (signing, public) = self.crypto.generate(&mut self.rng).map_err(key_error)?;
        let rng = &mut self.rng;
        let device = Secret::<32>::try_filled(|bytes| rng.fill(bytes)).map_err(key_error)?;
        let mut record = Zeroizing::new([VERSION; IDENTITY_RECORD]);
        let (_, halves) = record.split_at_mut(1);
        for (half, key) in halves.as_chunks_mut().0.iter_mut().zip([&signing, &device]) {
            *half = *key.expose();
        }
        self.vault
            .store(&Slot::under(SlotKind::Identity, anchor), &*record)?;
        Ok(public)
    }

    fn sign(&mut self, anchor: &Digest, message: &[u8]) -> Result<Signature, PlatformError> {
        let keys = self.keys(anchor)?.ok_or(PlatformError::Key)?;
        self.crypto.sign(&keys.signing, message).map_err(key_error)
    }

    fn derive(
        &mut self,
        anchor: &Digest,
        label: Label,
        context: &[&[u8]],
    ) -> Result<Secret<32>, PlatformError> {
        let keys = self.keys(anchor)?.ok_or(PlatformError::Key)?;
        // Each part carries its length, so that no two contexts run together into the same bytes.
        let mut lengths = [[0; 8]; MAX_CONTEXT];
        let mut info: [&[u8]; 2 * MAX_CONTEXT] = [&[]; 2 * MAX_CONTEXT];
        if context.len() > MAX_CONTEXT {
            return Err(PlatformError::Key);
        }
        for (length, part) in lengths.iter_mut().zip(context) {
            *length = u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        }
        let pairs = info.as_chunks_mut::<2>().0.iter_mut();
        for (pair, (length, part)) in pairs.zip(lengths.iter().zip(context)) {
            *pair = [length, part];
        }
        Ok(self.crypto.hkdf_sha256(label.bytes(), &keys.device, &info))
    }

    fn erase(&mut self, anchor: &Digest) -> Result<(), PlatformError> {
        self.vault
            .remove(&Slot::under(SlotKind::Identity, anchor))?;
        let mut list = self.listed()?;
        if !list.remove(&anchor.0) {
            return Ok(());
        }
        self.store_list(&list)
    }
}

/// The platform's view of a provider's failure.
fn key_error(error: CryptoError) -> PlatformError {
    match error {
        CryptoError::Rng => PlatformError::Random,
        CryptoError::Memory => PlatformError::Memory,
        _ => PlatformError::Key,
    }
}

/// Lends the key under one anchor to the code that builds messages.
pub(crate) struct AnchorSigner<'a, I: Identity> {
    identity: &'a mut I,
    anchor: Digest,
    public: PublicKey,
}

impl<'a, I: Identity> AnchorSigner<'a, I> {
    /// The signer under `anchor`.
    ///
    /// # Errors
    /// [`PlatformError::Key`] when there is no identity.
    pub(crate) fn new(identity: &'a mut I, anchor: Digest) -> Result<Self, PlatformError> {
        let public = identity.public_key(&anchor)?.ok_or(PlatformError::Key)?;
        Ok(Self {
            identity,
            anchor,
            public,
        })
    }
}

impl<I: Identity> Signer for AnchorSigner<'_, I> {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign(&mut self, message: &[u8]) -> Result<Signature, CryptoError> {
        self.identity
            .sign(&self.anchor, message)
            .map_err(|error| match error {
                PlatformError::Random => CryptoError::Rng,
                PlatformError::Memory => CryptoError::Memory,
                _ => CryptoError::Rejected,
            })
    }
}

#[cfg(test)]
mod tests;
