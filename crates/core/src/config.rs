//! What a build or an embedder fixes about a core, once.

use keybearer_crypto::Digest;
use keybearer_license::{Isolation, OemId, Version};
use keybearer_rules::Level;

/// Version of the core, as evidence states it.
pub const VERSION: Version = Version {
    major: number(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: number(env!("CARGO_PKG_VERSION_MINOR")),
    patch: number(env!("CARGO_PKG_VERSION_PATCH")),
};

/// A part of the package's version; a test compares the whole with the package's text.
const fn number(text: &str) -> u16 {
    match u16::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => u16::MAX,
    }
}

/// Which trust anchors a core accepts. None ever arrives over the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchors {
    /// Only these, by digest of the operator's root public key: compiled into a signed build.
    Fixed(&'static [Digest]),
    /// Whatever the application names. At Medium and High this accepts no anchor at all.
    Application,
}

/// Fixed at construction; goes into the evidence of every request.
#[derive(Clone, Debug)]
pub struct Config {
    /// The ceiling: highest level of a session on the backend that really runs.
    pub level: Level,
    /// Whether there is a decoder that takes H.264 of protected sessions. Without one there are none.
    pub decoder: bool,
    /// Where it runs.
    pub isolation: Isolation,
    /// True for development builds and keys, test sinks and simulated backends.
    pub debug: bool,
    /// Version of the trusted application around the core, if one is.
    pub ta_version: Option<Version>,
    /// Accepted trust anchors.
    pub anchors: Anchors,
    /// Largest media slot of one call in bytes.
    pub max_media: u32,
    /// Maker of the device.
    pub oem: Option<OemId>,
}

impl Config {
    /// The level of a session. Clear media for the host is at most Medium whatever the ceiling; a
    /// protected session is what a trusted side of level High is for. Simulated backends, of level
    /// None, have protected sessions of that level, so that all of it runs on any machine.
    ///
    /// `None`: there is no such session here.
    pub(crate) fn session_level(&self, protected: bool) -> Option<Level> {
        match (protected, self.level) {
            (false, ceiling) => Some(ceiling.min(Level::Medium)),
            (true, ceiling @ (Level::None | Level::High)) if self.decoder => Some(ceiling),
            (true, _) => None,
        }
    }

    /// True when the core may be used under `anchor`.
    pub(crate) fn permits(&self, anchor: &Digest) -> bool {
        match self.anchors {
            Anchors::Fixed(list) => list.contains(anchor),
            Anchors::Application => self.level <= Level::Low,
        }
    }
}

#[cfg(test)]
mod tests;
