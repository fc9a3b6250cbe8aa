//! What a key demands of this device and of its outputs.
//!
//! There are no output reports yet. Without one only an internal panel counts, if the device
//! declares one: demands on connectors are then met, since nothing is shown on any, and only the
//! limit on the device's own picture is left. Without a panel a key that demands anything of
//! outputs is restricted.

use core::num::NonZeroU32;

use keybearer_license::{Isolation, KeyUse};
use keybearer_rules::{Level, MinSecurity, PictureLimit, SecureMediaPath};

use crate::platform::OutputSource;

/// Why a key may not be used on this device, whatever the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// It demands this level; `None`: it is denied at every level.
    Level(Option<Level>),
    /// It demands the worker process.
    Worker,
}

/// The barrier between a key and a session of this level, if there is one. It never goes away, so a key behind
/// one is not kept.
pub(crate) fn barrier(usage: &KeyUse, level: Level, isolation: Isolation) -> Option<Barrier> {
    if level < usage.lowest_level {
        return Some(Barrier::Level(Some(usage.lowest_level)));
    }
    match usage.policy.min_security {
        MinSecurity::AtLeast(wanted) if level < wanted => {
            return Some(Barrier::Level(Some(wanted)));
        }
        MinSecurity::Deny => return Some(Barrier::Level(None)),
        MinSecurity::AtLeast(_) | MinSecurity::Unspecified => {}
    }
    if usage.policy.secure_media_path == SecureMediaPath::Required && level < Level::High {
        return Some(Barrier::Level(Some(Level::High)));
    }
    if usage.require_worker && isolation == Isolation::InProcess {
        return Some(Barrier::Worker);
    }
    None
}

/// True when the outputs, as far as known, meet what the key demands of them.
pub(crate) fn met(usage: &KeyUse, level: Level, panel: Option<OutputSource>) -> bool {
    if usage.policy.demands_nothing() {
        return true;
    }
    match panel {
        None => false,
        Some(OutputSource::Platform) => true,
        Some(OutputSource::Host) => level < Level::High && !usage.policy.trusted_outputs_required(),
    }
}

/// True when what the key demands of outputs counts as met on the host's word alone.
pub(crate) fn host_reported(usage: &KeyUse, panel: Option<OutputSource>) -> bool {
    panel == Some(OutputSource::Host) && !usage.policy.demands_nothing()
}

/// True when a picture of the stated size exceeds what the key allows on this device. A side that
/// is not stated counts as one pixel: the host's word can only lead to a refusal.
pub(crate) fn picture_too_large(usage: &KeyUse, width: Option<u32>, height: Option<u32>) -> bool {
    let pixels = u64::from(width.unwrap_or(1)).saturating_mul(u64::from(height.unwrap_or(1)));
    largest_picture(usage).is_some_and(|limit| pixels > u64::from(limit.get()))
}

/// The largest picture in pixels that the key allows on this device; `None`: any.
pub(crate) fn largest_picture(usage: &KeyUse) -> Option<NonZeroU32> {
    let device = match usage.policy.max_res_device {
        PictureLimit::Pixels(limit) => Some(limit),
        _ => None,
    };
    [usage.max_pixels, device].into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
