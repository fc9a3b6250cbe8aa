//! What the tests that span rooms share: the sample files, a service, a hostile network.

#![forbid(unsafe_code)]

pub mod bare;
pub mod payloads;
pub mod post;
pub mod proxy;
pub mod samples;
pub mod service;
pub mod story;
