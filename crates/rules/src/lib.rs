//! Usage rules, and what they demand of a device and its outputs.
//!
//! The rules of six DRMs and the generic set are typed data here ([`family`]), with the five built-in
//! columns of each table, so that no value outside a rule's set can be held. Where the meaning of a
//! rule is inferred or unknown its documentation says so, and the strict reading holds; a value
//! without public meaning closes the output that it is about.
//!
//! Every rule family speaks of outputs in its own words. A licence carries one
//! [`OutputPolicy`] for each key instead: the same fields whatever the family, each with the values
//! that mean something and no others. What a family leaves open is [`Unspecified`], which is a value
//! like any other: a field that is missing from an encoded policy is refused and never taken for
//! one, so that nothing on the way can loosen a policy by leaving something out.
//!
//! [`Unspecified`]: DigitalVideo::Unspecified

#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate alloc;

mod code;
mod combine;
mod convert;
mod decide;
pub mod family;
mod form;
mod level;
mod output;
mod policy;
mod reason;
mod rules;
#[cfg(test)]
mod tests;
pub mod ur;
mod values;
mod video;

pub use decide::{Allowance, Content, Decision, Demand, Device, KeyStatus, Term, barrier, decide};
pub use family::{Column, Drm};
pub use form::{Form, RuleError, RuleValue};
pub use level::{Level, MinSecurity};
pub use output::{MAX_REPORT_AGE_MS, Output, OutputKind, Outputs, Report, SoundForm, Source};
pub use policy::OutputPolicy;
pub use reason::{Field, Reason, Reasons};
pub use rules::{Profile, Readings, Rules};
pub use values::{
    CompressedVideo, DigitalAudio, Permission, Persistence, PictureLimit, Recording,
    SecureMediaPath, TrustedOutputs, Watermark,
};
pub use video::{
    AnalogVideo, AnalogVideoKind, CgmsA, DigitalVideo, DigitalVideoKind, Hdcp, HdcpVersion,
    Type1Version,
};

/// The picture that `hdcp_or_constrain` still allows on an unprotected output, in pixels.
pub const CONSTRAINED_PIXELS: u32 = 520_000;
