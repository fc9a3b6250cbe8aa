//! Canonical output policy of a content key.
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
mod level;
mod policy;
#[cfg(test)]
mod tests;
mod values;
mod video;

pub use level::{Level, MinSecurity};
pub use policy::OutputPolicy;
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
