//! RustCrypto provider for trusted applications and software.

#![no_std]
#![forbid(unsafe_code)]
