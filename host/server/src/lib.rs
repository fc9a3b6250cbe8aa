//! Reference licence server.

#![forbid(unsafe_code)]
