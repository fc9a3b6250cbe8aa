//! A browser that a test drives: headless Chromium over WebDriver (W3C Recommendation), which is
//! JSON over HTTP.
//!
//! Whatever the page does not do within a few seconds panics with what was awaited, since that is how
//! a test reports. Without Chromium nothing here passes: [`Browser::start`] says what to install.

#![forbid(unsafe_code)]

mod driver;
mod page;

pub use driver::Browser;
pub use page::{Element, key};
