//! The interface between the host and the trusted core: commands, bodies, limits, status codes.

#![no_std]
#![forbid(unsafe_code)]
