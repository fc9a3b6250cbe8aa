//! How a sample entry is protected: `sinf` with `frma`, `schm`, `schi`/`tenc`
//! (ISO/IEC 14496-12 section 8.12, ISO/IEC 23001-7 section 8.2).

use core::fmt;

use keybearer_cenc::{Pattern, Scheme};

use crate::boxes::Mp4Box;
use crate::cursor::Cursor;
use crate::{Expected, FourCc, MediaError};

/// A key identifier (KID), in the order of the file.
pub type KeyId = [u8; 16];

/// An initialisation vector of 8 or 16 bytes, as the file gives it (not padded).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Iv {
    bytes: [u8; 16],
    size: u8,
}

impl Iv {
    /// No IV: what samples that are not protected have.
    pub(crate) const NONE: Self = Self {
        bytes: [0; 16],
        size: 0,
    };

    /// Takes 8 or 16 bytes; anything else is `None`.
    #[must_use]
    pub fn new(iv: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        if !matches!(iv.len(), 8 | 16) {
            return None;
        }
        bytes.get_mut(..iv.len())?.copy_from_slice(iv);
        Some(Self {
            bytes,
            size: u8::try_from(iv.len()).ok()?,
        })
    }

    /// The IV: 8 or 16 bytes, none for a sample that is not protected.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.size))
            .unwrap_or(&self.bytes)
    }
}

impl fmt::Debug for Iv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iv(")?;
        self.as_slice()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Where the IVs of a track come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IvSource {
    /// Nothing is protected, so there are none.
    None,
    /// Each sample has its own.
    PerSample {
        /// Its size, 8 or 16 bytes.
        size: u8,
    },
    /// One for all samples (and, in `cbcs`, for each subsample anew).
    Constant(Iv),
}

/// The content of `tenc`, ISO/IEC 23001-7 section 8.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackEncryption {
    /// `default_isProtected`.
    pub is_protected: bool,
    /// `default_KID`. All zero where every sample's key comes from a sample group.
    pub default_kid: KeyId,
    /// `default_Per_Sample_IV_Size` or the constant IV.
    pub iv: IvSource,
    /// `default_crypt_byte_block` and `default_skip_byte_block`; 0:0 in version 0.
    pub pattern: Pattern,
}

impl TrackEncryption {
    pub(crate) fn parse(source: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let mut cursor = Cursor::new(source);
        let (version, _) = cursor.known_version(1)?;
        let [_, blocks, is_protected, iv_size] = cursor.array()?;
        let pattern = if version == 0 {
            Pattern::default()
        } else {
            Pattern {
                crypt: blocks >> 4,
                skip: blocks & 15,
            }
        };
        let is_protected = match is_protected {
            0 => false,
            1 => true,
            other => {
                let expected = Expected::Words("0 or 1");
                return Err(cursor.invalid("default_isProtected", other.into(), expected));
            }
        };
        let default_kid = cursor.array()?;
        let iv = match (is_protected, iv_size) {
            (true, 0) => {
                let size = cursor.u8()?;
                let constant = Iv::new(cursor.bytes(size.into())?).ok_or_else(|| {
                    let expected = Expected::Words("8 or 16");
                    cursor.invalid("default_constant_IV_size", size.into(), expected)
                })?;
                IvSource::Constant(constant)
            }
            (false, 0) => IvSource::None,
            // Some writers keep the size in tracks that only sample groups protect.
            (false, 8 | 16) => IvSource::None,
            (true, size @ (8 | 16)) => IvSource::PerSample { size },
            (_, other) => {
                let expected = Expected::Words("0, 8 or 16");
                return Err(cursor.invalid("default_Per_Sample_IV_Size", other.into(), expected));
            }
        };
        cursor.finish()?;
        Ok(Self {
            is_protected,
            default_kid,
            iv,
            pattern,
        })
    }
}

/// How samples are protected: all that a decryptor must know besides the key and the sample's own IV and
/// subsamples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The scheme.
    pub scheme: Scheme,
    /// `false`: the sample entry speaks of protection, but its samples are clear.
    pub is_protected: bool,
    /// Key of the samples.
    pub kid: KeyId,
    /// Where the IVs come from.
    pub iv: IvSource,
    /// The pattern; 0:0 where there is none.
    pub pattern: Pattern,
}

/// A parsed `sinf`: protection and the type the sample entry had before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtectionInfo {
    pub(crate) original: FourCc,
    pub(crate) protection: Protection,
}

impl ProtectionInfo {
    pub(crate) fn parse(sinf: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let original = original_format(&sinf.required(FourCc::FRMA)?)?;
        let schm = sinf.required(FourCc::SCHM)?;
        let (found, _) = scheme_type(&schm)?;
        let scheme = scheme(found).ok_or(MediaError::UnknownScheme {
            found,
            offset: schm.offset,
        })?;
        let tenc = sinf.required(FourCc::SCHI)?.required(FourCc::TENC)?;
        let track = TrackEncryption::parse(&tenc)?;
        let pattern = track.pattern;
        let blocks = u64::from(pattern.crypt) << 8 | u64::from(pattern.skip);
        // ISO/IEC 23001-7 section 10: cenc and cbc1 have no pattern. A pattern that only skips protects
        // nothing while the track says it does.
        match scheme {
            Scheme::Cenc | Scheme::Cbc1 if blocks != 0 => {
                let expected = Expected::Exactly(0);
                return Err(tenc.invalid("pattern (crypt in the upper byte)", blocks, expected));
            }
            _ if pattern.crypt == 0 && pattern.skip != 0 => {
                let expected = Expected::AtLeast(1);
                return Err(tenc.invalid("default_crypt_byte_block", 0, expected));
            }
            _ => {}
        }
        let protection = Protection {
            scheme,
            is_protected: track.is_protected,
            kid: track.default_kid,
            iv: track.iv,
            pattern,
        };
        Ok(Self {
            original,
            protection,
        })
    }
}

/// `frma`: the type of the sample entry before protection.
pub(crate) fn original_format(frma: &Mp4Box<'_>) -> Result<FourCc, MediaError> {
    let mut cursor = Cursor::new(frma);
    let original = cursor.fourcc()?;
    cursor.finish()?;
    Ok(original)
}

/// `schm`: scheme and its version. A URI may follow, which nobody needs.
pub(crate) fn scheme_type(schm: &Mp4Box<'_>) -> Result<(FourCc, u32), MediaError> {
    let mut cursor = Cursor::new(schm);
    cursor.known_version(0)?;
    Ok((cursor.fourcc()?, cursor.u32()?))
}

pub(crate) fn scheme(code: FourCc) -> Option<Scheme> {
    match code {
        FourCc::CENC => Some(Scheme::Cenc),
        FourCc::CENS => Some(Scheme::Cens),
        FourCc::CBC1 => Some(Scheme::Cbc1),
        FourCc::CBCS => Some(Scheme::Cbcs),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
