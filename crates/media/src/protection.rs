//! How a sample entry is protected: `sinf` with `frma`, `schm`, `schi`/`tenc`
//! (ISO/IEC 14496-12 section 8.12, ISO/IEC 23001-7 section 8.2).

use core::fmt;

use keybearer_cenc::{Pattern, Scheme};

use crate::boxes::Mp4Box;
use crate::cursor::Cursor;
use crate::{Expected, FourCc, MediaError, Unsupported};

/// Bit of a `seig` group: its samples have several keys (third edition).
const SEVERAL_KEYS: u8 = 0x80;

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

/// The content of `tenc`, ISO/IEC 23001-7 section 8.2, or of a `seig` group, section 6, which has the
/// same fields without "default" in their names.
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

/// What the fields of `tenc`, and those of a `seig` group, are called.
struct FieldNames {
    is_protected: &'static str,
    iv_size: &'static str,
    constant_iv_size: &'static str,
}

const OF_TRACK: FieldNames = FieldNames {
    is_protected: "default_isProtected",
    iv_size: "default_Per_Sample_IV_Size",
    constant_iv_size: "default_constant_IV_size",
};

const OF_GROUP: FieldNames = FieldNames {
    is_protected: "isProtected",
    iv_size: "Per_Sample_IV_Size",
    constant_iv_size: "constant_IV_size",
};

impl TrackEncryption {
    pub(crate) fn parse(source: &Mp4Box<'_>) -> Result<Self, MediaError> {
        let mut cursor = Cursor::new(source);
        let (version, _) = cursor.known_version(1)?;
        let [_, blocks] = cursor.array()?;
        // In version 0 the byte is reserved.
        let blocks = if version == 0 { 0 } else { blocks };
        let track = Self::fields(&mut cursor, blocks, &OF_TRACK)?;
        cursor.finish()?;
        Ok(track)
    }

    /// Reads the description of a `seig` group, ISO/IEC 23001-7 section 6.
    pub(crate) fn group(cursor: &mut Cursor<'_>) -> Result<Self, MediaError> {
        let [flags, blocks] = cursor.array()?;
        if flags & SEVERAL_KEYS != 0 {
            return Err(cursor.unsupported(Unsupported::SeveralKeysInSample));
        }
        Self::fields(cursor, blocks, &OF_GROUP)
    }

    fn fields(cursor: &mut Cursor<'_>, blocks: u8, names: &FieldNames) -> Result<Self, MediaError> {
        let [is_protected, iv_size] = cursor.array()?;
        let is_protected = match is_protected {
            0 => false,
            1 => true,
            other => {
                let expected = Expected::Words("0 or 1");
                return Err(cursor.invalid(names.is_protected, other.into(), expected));
            }
        };
        let default_kid = cursor.array()?;
        let iv = match (is_protected, iv_size) {
            (true, 0) => {
                let size = cursor.u8()?;
                let constant = Iv::new(cursor.bytes(size.into())?).ok_or_else(|| {
                    let expected = Expected::Words("8 or 16");
                    cursor.invalid(names.constant_iv_size, size.into(), expected)
                })?;
                IvSource::Constant(constant)
            }
            (false, 0) => IvSource::None,
            // Some writers keep the size in tracks that only sample groups protect.
            (false, 8 | 16) => IvSource::None,
            (true, size @ (8 | 16)) => IvSource::PerSample { size },
            (_, other) => {
                let expected = Expected::Words("0, 8 or 16");
                return Err(cursor.invalid(names.iv_size, other.into(), expected));
            }
        };
        Ok(Self {
            is_protected,
            default_kid,
            iv,
            pattern: Pattern {
                crypt: blocks >> 4,
                skip: blocks & 15,
            },
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

impl Protection {
    /// Puts scheme and parameters together; `place` is the box that has the parameters.
    pub(crate) fn new(
        scheme: Scheme,
        of: &TrackEncryption,
        (kind, offset): (FourCc, u64),
    ) -> Result<Self, MediaError> {
        let invalid = |field, found, expected| MediaError::Invalid {
            kind,
            offset,
            field,
            found,
            expected,
        };
        let pattern = of.pattern;
        let blocks = u64::from(pattern.crypt) << 8 | u64::from(pattern.skip);
        // ISO/IEC 23001-7 section 10: cenc and cbc1 have no pattern. A pattern that only skips protects
        // nothing while the file says that something is protected.
        match scheme {
            Scheme::Cenc | Scheme::Cbc1 if blocks != 0 => {
                let field = "pattern (crypt in the upper byte)";
                return Err(invalid(field, blocks, Expected::Exactly(0)));
            }
            _ if pattern.crypt == 0 && pattern.skip != 0 => {
                return Err(invalid("crypt_byte_block", 0, Expected::AtLeast(1)));
            }
            _ => {}
        }
        Ok(Self {
            scheme,
            is_protected: of.is_protected,
            kid: of.default_kid,
            iv: of.iv,
            pattern,
        })
    }
}

/// A parsed `sinf`: protection and the type the sample entry had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let protection = Protection::new(scheme, &track, (tenc.kind, tenc.offset))?;
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
