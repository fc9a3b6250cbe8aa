//! The keybearer command.

#![forbid(unsafe_code)]
fn main() {}
