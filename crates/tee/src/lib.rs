//! The trait a host uses to reach a trusted core.

#![forbid(unsafe_code)]
