//! Sample groups of type `seig` (ISO/IEC 23001-7 section 6), which give samples keys of their own.
//!
//! They are not applied yet, so what matters is to notice them: a sample in such a group must never be
//! decrypted with the track's key.

use crate::boxes::Mp4Box;
use crate::cursor::Cursor;
use crate::{FourCc, MediaError, Unsupported};

/// Whether a box describes or assigns `seig` groups.
pub(crate) fn is_key_group(found: &Mp4Box<'_>) -> Result<bool, MediaError> {
    if !matches!(found.kind, FourCc::SGPD | FourCc::SBGP | FourCc::CSGP) {
        return Ok(false);
    }
    let mut cursor = Cursor::new(found);
    cursor.version_and_flags()?;
    Ok(cursor.fourcc()? == FourCc::SEIG)
}

/// Refuses a box that puts samples into a `seig` group.
pub(crate) fn refuse_use(found: &Mp4Box<'_>) -> Result<(), MediaError> {
    if is_key_group(found)? && assigns_samples(found)? {
        let what = Unsupported::KeyRotation;
        return Err(MediaError::Unsupported {
            what,
            offset: found.offset,
        });
    }
    Ok(())
}

fn assigns_samples(found: &Mp4Box<'_>) -> Result<bool, MediaError> {
    let mut cursor = Cursor::new(found);
    match found.kind {
        // From version 2 on a description may apply to samples that are in no group, and editions of
        // the standard differ on where that is said.
        FourCc::SGPD => Ok(cursor.version_and_flags()?.0 >= 2),
        FourCc::SBGP => {
            let (version, _) = cursor.known_version(1)?;
            cursor.skip(if version == 1 { 8 } else { 4 })?;
            let count = cursor.u32()?;
            for _ in 0..count {
                let (samples, description) = (cursor.u32()?, cursor.u32()?);
                if samples != 0 && description != 0 {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests;
