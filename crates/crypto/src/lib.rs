//! Cryptography at protocol grain: provider traits, secrets, labels.

#![no_std]
#![forbid(unsafe_code)]
