//! Common Encryption sample decryption (ISO/IEC 23001-7).

#![no_std]
#![forbid(unsafe_code)]

/// Protection scheme of a track, ISO/IEC 23001-7 section 4.2 (`schm` scheme_type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Scheme {
    /// AES-CTR over whole protected ranges.
    Cenc = 1,
    /// AES-CTR over a pattern of blocks.
    Cens = 2,
    /// AES-CBC over whole protected ranges.
    Cbc1 = 3,
    /// AES-CBC over a pattern of blocks, restarted at each subsample.
    Cbcs = 4,
}

/// Pattern of encrypted and skipped 16-byte blocks, ISO/IEC 23001-7 section 9.6.
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
    /// Bytes left clear, before the protected ones.
    pub clear: u32,
    /// Bytes protected (`BytesOfProtectedData`).
    pub protected: u32,
}
