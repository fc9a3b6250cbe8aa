//! What a key demands of this device and of its outputs, and what is known of them during a call.
//!
//! The platform's monitor is asked at every call, where there is one; else the newest report of the
//! client that owns a session counts for that session, as far as the rules let a host's word count at
//! all. A report's sequence number only grows, so that an older one cannot be played back, and its
//! age is taken from the trusted clock: without one no report counts. Who says so is a matter of the
//! way it came, and nothing in a message can claim it.

mod sight;

use core::num::NonZeroU32;

use keybearer_license::{Isolation, KeyUse, TrackType};
use keybearer_rules::{Allowance, Content, Decision, Demand, Device, Level, Term, decide};

use crate::license::Circumstances;

pub use sight::OutputList;
pub(crate) use sight::Sight;

/// Why a key may not be used on this device, whatever the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// It demands this level; `None`: it is denied at every level.
    Level(Option<Level>),
    /// It demands the worker process.
    Worker,
}

/// The barrier between a key and a session of this level, if there is one. It never goes away, so a
/// key behind one is not kept.
pub(crate) fn barrier(usage: &KeyUse, level: Level, isolation: Isolation) -> Option<Barrier> {
    if level < usage.lowest_level {
        return Some(Barrier::Level(Some(usage.lowest_level)));
    }
    if let Some(reason) = keybearer_rules::barrier(&usage.policy, level) {
        let wanted = reason.wanted.and_then(|code| u8::try_from(code).ok());
        return Some(Barrier::Level(wanted.and_then(Level::from_code)));
    }
    if usage.require_worker && isolation == Isolation::InProcess {
        return Some(Barrier::Worker);
    }
    None
}

/// What the rules say of a key in a term.
pub(crate) fn decision(usage: &KeyUse, term: Term, circumstances: &Circumstances<'_>) -> Decision {
    let demand = Demand {
        policy: &usage.policy,
        content: content(usage),
    };
    let device = Device {
        level: circumstances.level,
        scales: circumstances.scales,
    };
    decide(&demand, device, term, &circumstances.outputs)
}

/// What a key is for: by the licence, and where that names no size by the track's type.
fn content(usage: &KeyUse) -> Content {
    let nominal = match usage.track {
        TrackType::Audio => return Content::Sound,
        // The largest picture of each type: 768 by 576, 1920 by 1080, 4096 by 2160, 8192 by 4320.
        TrackType::Sd => Some(442_368),
        TrackType::Hd => Some(2_073_600),
        TrackType::Uhd1 => Some(8_847_360),
        TrackType::Uhd2 => Some(35_389_440),
        TrackType::Other => None,
    };
    Content::Picture(usage.max_pixels.or(nominal.and_then(NonZeroU32::new)))
}

/// True when a picture of the stated size exceeds what a key allows now. A side that is not stated
/// counts as one pixel: the host's word can only lead to a refusal.
pub(crate) fn picture_too_large(
    largest: Option<NonZeroU32>,
    width: Option<u32>,
    height: Option<u32>,
) -> bool {
    let pixels = u64::from(width.unwrap_or(1)).saturating_mul(u64::from(height.unwrap_or(1)));
    largest.is_some_and(|limit| pixels > u64::from(limit.get()))
}

/// The largest picture in pixels that a key allows while its outputs allow `allowed`; `None`: any.
pub(crate) fn largest_picture(usage: &KeyUse, allowed: Allowance) -> Option<NonZeroU32> {
    let by_outputs = match allowed {
        Allowance::UpTo(limit) => Some(limit),
        // A key that allows nothing is not usable, and no size says that.
        Allowance::Nothing | Allowance::Any => None,
    };
    [usage.max_pixels, by_outputs].into_iter().flatten().min()
}

#[cfg(test)]
mod tests;
