//! The data of our own `pssh` box: key ids, and leaves for rotation in band.
//!
//! Leaves are sealed, not signed: who holds a root can make stricter or useless leaves for that
//! root's devices, never rights, because a leaf's policy may only narrow its root's.

use alloc::vec::Vec;

use keybearer_cbor::{Decoder, Encoder, Error as Cbor, decode, encode};
use keybearer_crypto::{Crypto, Label, Nonce as Iv, Rng, Secret};
use keybearer_rules::OutputPolicy;
use zeroize::Zeroizing;

use crate::cose::sign::PROTOCOL_VERSION;
use crate::error::LicenseError;
use crate::ids::{KeyId, RootId, random_bytes};
use crate::license::key::RootKey;
use crate::limits::{MAX_CONTENT_INIT, MAX_KEYS, MAX_LEAVES};

/// Our `pssh` system id, a138f678-3d7c-4978-8873-227d7bfe109f.
pub const SYSTEM_ID: [u8; 16] = [
    0xa1, 0x38, 0xf6, 0x78, 0x3d, 0x7c, 0x49, 0x78, 0x88, 0x73, 0x22, 0x7d, 0x7b, 0xfe, 0x10, 0x9f,
];

/// Bytes of a sealed leaf key: an AES-128 key and an AES-GCM tag.
const SEALED_KEY: usize = 32;
/// Bytes of a leaf's derivation input or additional data.
const MAX_LEAF_CONTEXT: usize = 512;

/// The data of a `pssh` box with [`SYSTEM_ID`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentInit {
    /// Key ids to ask for, at most [`MAX_KEYS`].
    pub keys: Vec<KeyId>,
    /// Leaves, at most [`MAX_LEAVES`].
    pub leaves: Vec<Leaf>,
}

/// A content key sealed under a root of a licence that the device holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The root.
    pub root_id: RootId,
    /// The rotation period.
    pub period: u64,
    /// The content key's id.
    pub key_id: KeyId,
    /// Random AES-GCM nonce.
    pub nonce: [u8; 12],
    /// The key and its tag.
    pub sealed_key: [u8; SEALED_KEY],
    /// A policy of its own; the stricter of it and the root's counts, field by field.
    pub policy: Option<OutputPolicy>,
}

mod field {
    pub(super) const VERSION: i64 = 1;
    pub(super) const KEYS: i64 = 2;
    pub(super) const LEAVES: i64 = 3;

    pub(super) mod leaf {
        pub(crate) const ROOT_ID: i64 = 1;
        pub(crate) const PERIOD: i64 = 2;
        pub(crate) const KEY_ID: i64 = 3;
        pub(crate) const NONCE: i64 = 4;
        pub(crate) const SEALED_KEY: i64 = 5;
        pub(crate) const POLICY: i64 = 6;
    }
}

impl ContentInit {
    /// The payload as bytes.
    ///
    /// # Errors
    /// [`LicenseError::Malformed`] over a cap.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LicenseError> {
        if self.keys.len() > MAX_KEYS || self.leaves.len() > MAX_LEAVES {
            return Err(LicenseError::Malformed(Cbor::SizeCap));
        }
        Ok(encode(MAX_CONTENT_INIT, |e| {
            e.map(|m| {
                m.entry(field::VERSION, |e| e.uint(PROTOCOL_VERSION))?;
                m.entry(field::KEYS, |e| e.list(&self.keys, |e, id| id.encode(e)))?;
                m.entry(field::LEAVES, |e| {
                    e.list(&self.leaves, |e, leaf| leaf.encode(e))
                })
            })
        })?)
    }

    /// Reads what [`Self::to_bytes`] writes.
    ///
    /// # Errors
    /// [`LicenseError::Version`], [`LicenseError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LicenseError> {
        let mut version = PROTOCOL_VERSION;
        let read = decode(bytes, MAX_CONTENT_INIT, |d| {
            d.map(|m| {
                version = m.required(field::VERSION, Decoder::uint)?;
                Ok(Self {
                    keys: m.required(field::KEYS, |d| d.list(MAX_KEYS, KeyId::decode))?,
                    leaves: m.required(field::LEAVES, |d| d.list(MAX_LEAVES, Leaf::decode))?,
                })
            })
        });
        if version == PROTOCOL_VERSION {
            Ok(read?)
        } else {
            Err(LicenseError::Version)
        }
    }
}

impl Leaf {
    fn encode(&self, e: &mut Encoder) -> Result<(), Cbor> {
        e.map(|m| {
            m.entry(field::leaf::ROOT_ID, |e| self.root_id.encode(e))?;
            m.entry(field::leaf::PERIOD, |e| e.uint(self.period))?;
            m.entry(field::leaf::KEY_ID, |e| self.key_id.encode(e))?;
            m.entry(field::leaf::NONCE, |e| e.bytes(&self.nonce))?;
            m.entry(field::leaf::SEALED_KEY, |e| e.bytes(&self.sealed_key))?;
            m.optional(field::leaf::POLICY, self.policy, |e, policy| {
                policy.encode(e)
            })
        })
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, Cbor> {
        d.map(|m| {
            Ok(Self {
                root_id: m.required(field::leaf::ROOT_ID, RootId::decode)?,
                period: m.required(field::leaf::PERIOD, Decoder::uint)?,
                key_id: m.required(field::leaf::KEY_ID, KeyId::decode)?,
                nonce: *m.required(field::leaf::NONCE, Decoder::bytes_fixed)?,
                sealed_key: *m.required(field::leaf::SEALED_KEY, Decoder::bytes_fixed)?,
                policy: m.optional(field::leaf::POLICY, OutputPolicy::decode)?,
            })
        })
    }
}

/// Seals a content key under `root` for one period.
///
/// # Errors
/// [`LicenseError::PeriodOutsideRoot`], [`LicenseError::Random`], [`LicenseError::Memory`].
pub fn seal_leaf<C: Crypto + ?Sized>(
    crypto: &C,
    rng: &mut dyn Rng,
    root: &RootKey,
    period: u64,
    key_id: KeyId,
    policy: Option<OutputPolicy>,
    key: &Secret<16>,
) -> Result<Leaf, LicenseError> {
    in_window(root, period)?;
    let nonce = random_bytes(rng)?;
    let mut data = Zeroizing::new(Vec::new());
    data.try_reserve_exact(SEALED_KEY)
        .map_err(|_| LicenseError::Memory)?;
    data.extend_from_slice(key.expose());
    let wrapping = wrapping_key(crypto, root, period, key_id)?;
    let aad = additional_data(root.root_id, period, key_id, policy.as_ref())?;
    crypto
        .seal(&wrapping, &Iv(nonce), &aad, &mut data)
        .map_err(|error| LicenseError::from_crypto(error, LicenseError::Size))?;
    let sealed_key = *data.first_chunk().ok_or(LicenseError::Size)?;
    Ok(Leaf {
        root_id: root.root_id,
        period,
        key_id,
        nonce,
        sealed_key,
        policy,
    })
}

/// Opens a leaf. That its policy narrows the root's is the caller's to enforce.
///
/// # Errors
/// [`LicenseError::WrongRoot`], [`LicenseError::PeriodOutsideRoot`], [`LicenseError::Sealed`],
/// [`LicenseError::Memory`].
pub fn open_leaf<C: Crypto + ?Sized>(
    crypto: &C,
    root: &RootKey,
    leaf: &Leaf,
) -> Result<Secret<16>, LicenseError> {
    if leaf.root_id != root.root_id {
        return Err(LicenseError::WrongRoot);
    }
    in_window(root, leaf.period)?;
    let mut data = Zeroizing::new(Vec::new());
    data.try_reserve_exact(SEALED_KEY)
        .map_err(|_| LicenseError::Memory)?;
    data.extend_from_slice(&leaf.sealed_key);
    let wrapping = wrapping_key(crypto, root, leaf.period, leaf.key_id)?;
    let aad = additional_data(leaf.root_id, leaf.period, leaf.key_id, leaf.policy.as_ref())?;
    crypto
        .open(&wrapping, &Iv(leaf.nonce), &aad, &mut data)
        .map_err(|error| LicenseError::from_crypto(error, LicenseError::Sealed))?;
    let key = data
        .as_slice()
        .try_into()
        .map_err(|_| LicenseError::Sealed)?;
    Ok(Secret::copied_from(key))
}

fn in_window(root: &RootKey, period: u64) -> Result<(), LicenseError> {
    if (root.first_period..=root.last_period).contains(&period) {
        Ok(())
    } else {
        Err(LicenseError::PeriodOutsideRoot)
    }
}

/// HKDF over the root with label, root id, period and key id: a key for one leaf.
fn wrapping_key<C: Crypto + ?Sized>(
    crypto: &C,
    root: &RootKey,
    period: u64,
    key_id: KeyId,
) -> Result<Secret<32>, LicenseError> {
    let info = encode(MAX_LEAF_CONTEXT, |e| {
        e.array(|e| {
            e.bytes(Label::Leaf.bytes())?;
            root.root_id.encode(e)?;
            e.uint(period)?;
            key_id.encode(e)
        })
    })?;
    Ok(crypto.hkdf_sha256(&[], &root.key, &[&info]))
}

/// Every field of a leaf that is neither the nonce nor the sealed key.
fn additional_data(
    root_id: RootId,
    period: u64,
    key_id: KeyId,
    policy: Option<&OutputPolicy>,
) -> Result<Vec<u8>, LicenseError> {
    Ok(encode(MAX_LEAF_CONTEXT, |e| {
        e.array(|e| {
            root_id.encode(e)?;
            e.uint(period)?;
            key_id.encode(e)?;
            match policy {
                Some(policy) => policy.encode(e),
                None => e.null(),
            }
        })
    })?)
}
