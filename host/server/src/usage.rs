//! Usage rules: which of them hold for a key of a content on a device, and whether a request meets
//! those that can be checked before a licence is made.
//!
//! The rules themselves, their values, conversion and decision order are the rules room's. This one
//! knows names: profiles, device models and groups, what the operator has changed, and where a
//! request says what a rule is compared with. Distrusts the request: what it does not state meets
//! no demand, and the host's word only ever loosens where the host's word counts.

mod book;
mod definitions;
mod facts;
mod findings;
mod values;

pub(crate) use book::RuleBook;
pub use definitions::{
    Definitions, DeviceGroup, DeviceModel, DrmGroup, LicenseType, Overrides, ProfileForm,
};
pub(crate) use facts::{Facts, claims};
pub use findings::{Flaw, Unsound, Warning};
pub use values::RuleValues;
pub(crate) use values::{amended, listed};

#[cfg(test)]
mod tests;
