//! One area of the vault's file: a header, then the records one after another.
//!
//! Header, 64 bytes: magic (8), generation (8), length of the records (8), SHA-256 over all of these
//! and the records (32), zeros (8). A record: name (33), length (4), content. Numbers little-endian.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use keybearer_crypto::{Crypto, Digest};
use keybearer_crypto_soft::SoftCrypto;
use zeroize::Zeroizing;

/// Largest area in bytes: [`keybearer_wire::limits::MAX_ANCHORS`] times the records under one anchor,
/// of which only the revocation list comes near [`keybearer_wire::limits::MAX_SERVICE_MESSAGE`].
pub(super) const AREA: usize = 1 << 20;

const MAGIC: &[u8; 8] = b"KBvault1";
const HEADER: usize = 64;
/// Bytes of the header that the digest covers.
const COVERED: usize = 24;
const NAME: usize = 33;
const FRAME: usize = NAME + 4;
/// Bytes read at once when an area is searched.
const CHUNK: usize = 16 * 1024;

/// Where an area begins in the file.
pub(super) const fn start(index: usize) -> u64 {
    (index * AREA) as u64
}

/// Bytes that a record of `len` bytes takes.
pub(super) const fn framed(len: usize) -> usize {
    FRAME + len
}

pub(super) fn digest(parts: &[&[u8]]) -> Digest {
    SoftCrypto.sha256(parts)
}

/// Where a record lies, without its content: secrets stay in the file until they are used.
#[derive(Debug)]
pub(super) struct Record {
    /// Offset in the area.
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) digest: Digest,
}

/// A whole area.
#[derive(Debug)]
pub(super) struct Area {
    pub(super) generation: u64,
    pub(super) records: BTreeMap<[u8; NAME], Record>,
}

impl Area {
    /// Reads an area, `None` when it is not whole, and tells how many of its bytes hold anything.
    pub(super) fn read(file: &File, index: usize) -> io::Result<(Option<Self>, usize)> {
        let len = file.metadata()?.len().saturating_sub(start(index));
        let len = usize::try_from(len).map_or(AREA, |len| len.min(AREA));
        // What lies beyond the records is of interest only if it is not zero, which it hardly ever is.
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let mut used = 0;
        for at in (0..len).step_by(CHUNK) {
            let chunk = &mut chunk[..CHUNK.min(len - at)];
            file.read_exact_at(chunk, start(index) + at as u64)?;
            if let Some(last) = chunk.iter().rposition(|byte| *byte != 0) {
                used = at + last + 1;
            }
        }
        let mut declared = [0; 8];
        if len >= HEADER {
            file.read_exact_at(&mut declared, start(index) + 16)?;
        }
        let declared = usize::try_from(u64::from_le_bytes(declared)).unwrap_or(usize::MAX);
        let whole = len.min(declared.saturating_add(HEADER));
        let mut bytes = Zeroizing::new(vec![0; whole]);
        file.read_exact_at(&mut bytes, start(index))?;
        Ok((Self::parse(&bytes), used))
    }

    /// An area from its bytes and whatever follows them.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(HEADER)?;
        if &header[..8] != MAGIC {
            return None;
        }
        let number = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(header[at..at + 8].try_into().ok()?))
        };
        let generation = number(8)?;
        let records = rest.get(..usize::try_from(number(16)?).ok()?)?;
        if digest(&[&header[..COVERED], records]).0 != header[COVERED..COVERED + 32] {
            return None;
        }
        let mut area = Self {
            generation,
            records: BTreeMap::new(),
        };
        let mut left = records;
        while !left.is_empty() {
            let (frame, rest) = left.split_at_checked(FRAME)?;
            let (name, len) = frame.split_at(NAME);
            let len = usize::try_from(u32::from_le_bytes(len.try_into().ok()?)).ok()?;
            let content = rest.get(..len)?;
            let at = HEADER + records.len() - rest.len();
            let record = Record {
                at,
                len,
                digest: digest(&[content]),
            };
            area.records.insert(name.try_into().ok()?, record);
            left = &rest[len..];
        }
        Some(area)
    }
}

/// An area being put together, erased when it is dropped.
pub(super) struct Image(Zeroizing<Vec<u8>>);

impl Image {
    /// Without records.
    pub(super) fn empty() -> Self {
        Self(Zeroizing::new(vec![0; HEADER]))
    }

    /// With room for records of `size` bytes, so that it never moves and leaves no copies behind;
    /// `None` without memory.
    pub(super) fn with_room(size: usize) -> Option<Self> {
        let mut bytes = Zeroizing::new(Vec::new());
        bytes.try_reserve_exact(HEADER + size).ok()?;
        bytes.resize(HEADER, 0);
        Some(Self(bytes))
    }

    pub(super) fn add(&mut self, name: &[u8; NAME], record: &[u8]) {
        let room = self.0.capacity();
        self.0.extend_from_slice(name);
        // A record is far shorter: the area limits it.
        let len = u32::try_from(record.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&len.to_le_bytes());
        self.0.extend_from_slice(record);
        debug_assert_eq!(self.0.capacity(), room, "it moved and left a copy behind");
    }

    /// The area's bytes.
    pub(super) fn finish(mut self, generation: u64) -> Zeroizing<Vec<u8>> {
        let len = (self.0.len() - HEADER) as u64;
        self.0[..8].copy_from_slice(MAGIC);
        self.0[8..16].copy_from_slice(&generation.to_le_bytes());
        self.0[16..COVERED].copy_from_slice(&len.to_le_bytes());
        let digest = digest(&[&self.0[..COVERED], &self.0[HEADER..]]);
        self.0[COVERED..COVERED + 32].copy_from_slice(&digest.0);
        self.0
    }
}
