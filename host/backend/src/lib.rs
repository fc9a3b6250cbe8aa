//! Detects and builds the backend to the trusted core.

#![forbid(unsafe_code)]
