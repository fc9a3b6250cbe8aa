//! The trusted core: sessions, keys, licences, enforcement, trusted time, decryption.

#![no_std]
#![forbid(unsafe_code)]
