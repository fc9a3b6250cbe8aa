//! Protected files of other packagers, and what the product and other decryptors make of them.
//!
//! Everything is judged by sample payloads against a clear track, and read by FFmpeg: nothing of the
//! product's own file reader takes part in the verdict.

#![forbid(unsafe_code)]

pub mod crafted;
pub mod encrypt;
pub mod files;
pub mod isobmff;
pub mod judge;
pub mod peers;
pub mod product;
pub mod table;
pub mod tools;
