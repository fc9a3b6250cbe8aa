//! ISO base media files: protection read, samples found, clear files written.

#![forbid(unsafe_code)]
