//! ring provider for licence servers and host-side checks.

#![forbid(unsafe_code)]
