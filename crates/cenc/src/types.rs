//! The vocabulary that file readers, the core and the decryptor share.

use core::fmt;

/// Protection scheme of a track, ISO/IEC 23001-7 section 4.2 (`schm` scheme_type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Scheme {
    /// AES-CTR over whole protected ranges (section 10.1).
    Cenc = 1,
    /// AES-CTR over a pattern of blocks (section 10.3).
    Cens = 2,
    /// AES-CBC over whole protected ranges (section 10.2).
    Cbc1 = 3,
    /// AES-CBC over a pattern of blocks, restarted at each subsample (section 10.4).
    Cbcs = 4,
}

/// The scheme's four-character code.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cenc => "cenc",
            Self::Cens => "cens",
            Self::Cbc1 => "cbc1",
            Self::Cbcs => "cbcs",
        })
    }
}

/// Pattern of encrypted and skipped 16-byte blocks, ISO/IEC 23001-7 section 9.6.
///
/// `0:0` means that no pattern is in effect: every whole block is encrypted, as it is with any
/// `n:0`. `0:n` would encrypt nothing and is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// `crypt_byte_block`, 0 to 15.
    pub crypt: u8,
    /// `skip_byte_block`, 0 to 15.
    pub skip: u8,
}

/// One entry of a subsample table, ISO/IEC 23001-7 section 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsample {
    /// Bytes left clear, before the protected ones (`BytesOfClearData`).
    pub clear: u32,
    /// Bytes protected (`BytesOfProtectedData`).
    pub protected: u32,
}
