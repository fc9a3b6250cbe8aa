//! The cases, a file a subject matter.

use crate::Case;

mod binding;
mod calls;
mod content;
mod decryption;
mod levels;
mod licenses;
mod protected;
mod provisioning;
mod quotas;
mod revocation;
mod sessions;
mod time;

/// Every case, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Case> {
    let groups = [
        calls::CASES,
        provisioning::CASES,
        binding::CASES,
        licenses::CASES,
        levels::CASES,
        decryption::CASES,
        content::CASES,
        protected::CASES,
        sessions::CASES,
        quotas::CASES,
        revocation::CASES,
        time::CASES,
    ];
    groups.into_iter().flatten()
}
