//! Common Encryption sample decryption (ISO/IEC 23001-7).

#![no_std]
#![forbid(unsafe_code)]
