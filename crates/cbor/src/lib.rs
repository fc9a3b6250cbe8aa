//! Strict deterministic CBOR (RFC 8949 section 4.2.1).

#![no_std]
#![forbid(unsafe_code)]
