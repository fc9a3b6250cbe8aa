//! What the tests that span rooms share: the sample files, a service, a hostile network, and what
//! looks for keys where none may be.

#![deny(unsafe_code)]

pub mod bare;
pub mod buffers;
pub mod clips;
#[path = "../interop/src/encrypt.rs"]
pub mod encrypt;
#[cfg(feature = "optee")]
pub mod guest;
pub mod high;
pub mod payloads;
pub mod post;
pub mod proxy;
#[cfg(feature = "optee")]
#[allow(unsafe_code)] // libteec's C interface; every block says why it is sound
pub mod raw;
pub mod samples;
pub mod scan;
pub mod service;
pub mod story;
pub mod token;
pub mod usage;
