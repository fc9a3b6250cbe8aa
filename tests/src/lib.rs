//! Tests that span rooms.

#![forbid(unsafe_code)]
