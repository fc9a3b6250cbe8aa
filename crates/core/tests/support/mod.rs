//! A device whose platform the test holds in its hand, and a service to talk to.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses its own part of this"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a failed expectation is how a test reports"
)]
#![allow(unreachable_pub, reason = "a module of test programs has no outside")]

mod device;
mod forever;
mod platform;
mod protected;

use keybearer_scripted_service as service;

pub use device::{Device, Loaded, Provisioned, Sample, Statuses, records, samples};
pub use forever::forever;
pub use platform::{
    FakeAttester, FakeClock, FakeCounter, FakePlatform, FakeRng, FakeVault, INSIDE, Shared, World,
    parts,
};
pub use protected::{Placed, unit};
pub use service::{NOW, Service, cenc_use, key, license, seconds, secret};
