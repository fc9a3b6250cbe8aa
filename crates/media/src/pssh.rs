//! Protection system specific header box (`pssh`), ISO/IEC 23001-7 section 8.1; usable alone, since it
//! is also what init data, manifests and playlists carry.

use crate::boxes::{Boxes, Mp4Box, SHORT_HEADER};
use crate::cursor::{Cursor, to_u64};
use crate::limits::{self, MAX_PSSH, MAX_PSSH_BYTES};
use crate::{Expected, FourCc, KeyId, MediaError};

/// One `pssh` box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pssh {
    /// Which protection system the data is for.
    pub system_id: [u8; 16],
    /// The key ids listed: `Some` in version 1 (possibly empty), `None` in version 0.
    pub key_ids: Option<Vec<KeyId>>,
    /// Data in the system's own format.
    pub data: Vec<u8>,
}

impl Pssh {
    /// Parses one or more `pssh` boxes, one behind the other (the `cenc` init data format of W3C EME).
    ///
    /// # Errors
    /// Anything else among them, an unknown version, cut or contradictory sizes.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, MediaError> {
        Boxes::new(bytes, 0)
            .map(|found| {
                let found = found?;
                if found.kind != FourCc::PSSH {
                    return Err(MediaError::Missing {
                        kind: FourCc::PSSH,
                        parent: FourCc::FILE,
                        offset: found.offset,
                    });
                }
                Self::parse(&found)
            })
            .collect()
    }

    /// Adds one to the list of its container. Nothing is copied before the limits are known to hold.
    pub(crate) fn parse_into(list: &mut Vec<Self>, source: &Mp4Box<'_>) -> Result<(), MediaError> {
        let bytes = list.iter().map(Self::size).sum::<usize>();
        limits::within(
            bytes.saturating_add(source.bytes.len()),
            MAX_PSSH_BYTES,
            "size of all in one box",
            source.kind,
            source.offset,
        )?;
        list.push(Self::parse(source)?);
        limits::within(
            list.len(),
            MAX_PSSH,
            "number in one box",
            source.kind,
            source.offset,
        )
    }

    pub(crate) fn parse(source: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let mut cursor = Cursor::new(source);
        let (version, _) = cursor.known_version(1)?;
        let system_id = cursor.array()?;
        let key_ids = if version == 1 {
            let count = cursor.u32()?;
            // The ids are taken as bytes first: a count without bytes behind it allocates nothing.
            let bytes = usize::try_from(count)
                .ok()
                .and_then(|count| count.checked_mul(size_of::<KeyId>()))
                .filter(|bytes| *bytes <= cursor.remaining())
                .ok_or_else(|| {
                    let most = to_u64(cursor.remaining() / 16);
                    cursor.invalid("KID_count", count.into(), Expected::AtMost(most))
                })?;
            Some(cursor.bytes(bytes)?.as_chunks().0.to_vec())
        } else {
            None
        };
        let data_size = cursor.u32()?;
        let data = usize::try_from(data_size)
            .ok()
            .filter(|size| *size == cursor.remaining())
            .ok_or_else(|| {
                let there = to_u64(cursor.remaining());
                cursor.invalid("DataSize", data_size.into(), Expected::Exactly(there))
            })?;
        let data = cursor.bytes(data)?.to_vec();
        Ok(Self {
            system_id,
            key_ids,
            data,
        })
    }

    /// Bytes of the box.
    fn size(&self) -> usize {
        let ids = self.key_ids.as_deref();
        self.data
            .len()
            .saturating_add(ids.map_or(0, |ids| size_of_val(ids).saturating_add(4)))
            .saturating_add(SHORT_HEADER + 4 + 16 + 4)
    }

    /// The box as bytes: version 1 where there are key ids, else version 0.
    ///
    /// # Errors
    /// [`MediaError::TooLarge`] when a 32-bit size cannot hold it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MediaError> {
        let ids = self.key_ids.as_deref();
        let total = self.size();
        let too_large = MediaError::TooLarge {
            kind: FourCc::PSSH,
            offset: 0,
            field: "size",
            found: to_u64(total),
            limit: u32::MAX.into(),
        };
        let Ok(size) = u32::try_from(total) else {
            return Err(too_large);
        };
        let mut out = Vec::with_capacity(total);
        out.extend(size.to_be_bytes());
        out.extend(FourCc::PSSH.0);
        out.extend([u8::from(ids.is_some()), 0, 0, 0]);
        out.extend(self.system_id);
        if let Some(ids) = ids {
            // Shorter than the whole, which fits.
            out.extend(u32::try_from(ids.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(ids.as_flattened());
        }
        out.extend(
            u32::try_from(self.data.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
        );
        out.extend(&self.data);
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
