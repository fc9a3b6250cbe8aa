//! What the tests that span rooms share: the sample files, a service, a hostile network, and what
//! looks for keys where none may be.

#![forbid(unsafe_code)]

pub mod bare;
pub mod payloads;
pub mod post;
pub mod proxy;
pub mod samples;
pub mod scan;
pub mod service;
pub mod story;
