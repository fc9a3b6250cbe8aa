//! Licence protocol messages: COSE structures and key schedule, sans-IO.

#![no_std]
#![forbid(unsafe_code)]
