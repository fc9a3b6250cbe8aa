//! Canonical output policy of a content key.

#![no_std]
#![forbid(unsafe_code)]
