//! Whether a key may be used now, and for how large a picture.
//!
//! [`decide`] is pure and total: the same policy, device, term and outputs give the same decision,
//! and every input gives one. It keeps nothing and asks nobody. What is unknown closes the output it
//! is about; what the rules leave unspecified demands nothing there.

mod way;

use core::num::NonZeroU32;

use crate::code::codes;
use crate::level::{Level, MinSecurity};
use crate::output::{MAX_REPORT_AGE_MS, Output, Outputs, Source};
use crate::policy::OutputPolicy;
use crate::reason::{Field, Reason, Reasons};
use crate::values::{PictureLimit, SecureMediaPath};

codes! {
    /// Status of a key (W3C Encrypted Media Extensions, `MediaKeyStatus`). The order is that of the
    /// numbers and means nothing.
    KeyStatus {
        /// It may be used.
        Usable = 0 "usable",
        /// It may be used later.
        UsableInFuture = 1 "usable-in-future",
        /// It ended.
        Expired = 2 "expired",
        /// It was given back.
        Released = 3 "released",
        /// The device or its outputs do not give what it demands.
        OutputRestricted = 4 "output-restricted",
        /// It may be used for a smaller picture.
        OutputDownscaled = 5 "output-downscaled",
        /// Something is not known yet.
        StatusPending = 6 "status-pending",
        /// It cannot be used for another reason.
        InternalError = 7 "internal-error",
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Sound, which has no size.
    Sound,
    /// A picture of at most so many pixels; `None`: of any size.
    Picture(Option<NonZeroU32>),
}

/// What a key demands, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand<'a> {
    /// The demands.
    pub policy: &'a OutputPolicy,
    /// What the key is for.
    pub content: Content,
}

/// The trusted side that would use the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its level.
    pub level: Level,
    /// Whether it makes a picture smaller itself before the picture leaves.
    pub scales: bool,
}

impl Device {
    /// A device of a level: content processing in the TEE is what scales.
    #[must_use]
    pub const fn of(level: Level) -> Self {
        Self {
            level,
            scales: matches!(level, Level::High),
        }
    }
}

/// What trusted time says of the term in which the key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// It runs, or there is none.
    Running,
    /// It begins later.
    Future,
    /// It is limited and there is no trusted time.
    Pending,
    /// It is over.
    Over,
}

impl Term {
    /// What `now` says of a term between two moments, all in the same unit; the last moment is the
    /// first one outside. A bound without a `now` leaves it pending.
    #[must_use]
    pub fn of(begin: Option<u64>, end: Option<u64>, now: Option<u64>) -> Self {
        match (begin, end, now) {
            (None, None, _) => Self::Running,
            (_, _, None) => Self::Pending,
            (_, Some(end), Some(now)) if now >= end => Self::Over,
            (Some(begin), _, Some(now)) if now < begin => Self::Future,
            _ => Self::Running,
        }
    }
}

/// How large a picture may be. The order is from less to more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allowance {
    /// None at all.
    Nothing,
    /// At most so many pixels.
    UpTo(NonZeroU32),
    /// Any.
    Any,
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its status.
    pub status: KeyStatus,
    /// The largest picture that is allowed now, whoever makes it so small. Where the status is
    /// [`OutputRestricted`](KeyStatus::OutputRestricted) and this is not
    /// [`Nothing`](Allowance::Nothing), a key for a smaller picture would be usable.
    pub largest: Allowance,
    /// Why.
    pub reasons: Reasons,
}

/// Decides whether a key may be used now.
///
/// The level comes first, then the term, then the outputs. Every active output has to give what is
/// demanded of it, since one that does not shows the same picture as the others.
#[must_use]
pub fn decide(demand: &Demand<'_>, device: Device, term: Term, outputs: &Outputs<'_>) -> Decision {
    let mut reasons = Reasons::default();
    let policy = demand.policy;
    if let Some(reason) = barrier(policy, device.level) {
        reasons.add(reason);
        return closed(KeyStatus::OutputRestricted, reasons);
    }
    let outside = match term {
        Term::Running => None,
        Term::Future => Some(KeyStatus::UsableInFuture),
        Term::Pending => Some(KeyStatus::StatusPending),
        Term::Over => Some(KeyStatus::Expired),
    };
    if let Some(status) = outside {
        reasons.add(about(Field::Term));
        return closed(status, reasons);
    }
    let mut largest = Allowance::Any;
    if let (PictureLimit::Pixels(limit), Content::Picture(_)) =
        (policy.max_res_device, demand.content)
    {
        largest = Allowance::UpTo(limit);
        reasons.add(Reason {
            wanted: Some(limit.get()),
            ..about(Field::MaxResDevice)
        });
    }
    let mut by_host = false;
    if !policy.demands_nothing() {
        let Some(seen) = seen(policy, device.level, outputs) else {
            reasons.add(about(Field::Report));
            return closed(KeyStatus::OutputRestricted, reasons);
        };
        by_host = seen.source == Source::Host;
        for output in seen.outputs {
            largest = largest.min(way::allowance(demand, output, &mut reasons));
        }
    }
    let status = status_for(demand.content, device, largest);
    if status == KeyStatus::Usable {
        // A limit that the picture keeps anyway is no reason for anything.
        reasons = Reasons::default();
    }
    if by_host {
        reasons.add(about(Field::HostReported));
    }
    Decision {
        status,
        largest,
        reasons,
    }
}

/// What the device itself does not give, whatever its outputs and the time.
#[must_use]
pub fn barrier(policy: &OutputPolicy, level: Level) -> Option<Reason> {
    let found = Some(u32::from(level.code()));
    if !policy.min_security.permits(level) {
        return Some(Reason {
            wanted: match policy.min_security {
                MinSecurity::AtLeast(least) => Some(u32::from(least.code())),
                MinSecurity::Unspecified | MinSecurity::Deny => None,
            },
            found,
            ..about(Field::MinSecurity)
        });
    }
    if policy.secure_media_path == SecureMediaPath::Required && level < Level::High {
        return Some(Reason {
            wanted: Some(u32::from(Level::High.code())),
            found,
            ..about(Field::SecureMediaPath)
        });
    }
    None
}

const fn about(field: Field) -> Reason {
    Reason {
        field,
        output: None,
        wanted: None,
        found: None,
    }
}

const fn closed(status: KeyStatus, reasons: Reasons) -> Decision {
    Decision {
        status,
        largest: Allowance::Nothing,
        reasons,
    }
}

/// The outputs that count, and on whose word.
struct Seen<'a> {
    source: Source,
    outputs: &'a [Output],
}

/// A fresh report of somebody who may give one, else the built-in panel, else nothing.
///
/// At High, and where the policy requires a trusted report, the host's word is none.
fn seen<'a>(policy: &OutputPolicy, level: Level, outputs: &Outputs<'a>) -> Option<Seen<'a>> {
    let host_counts = level < Level::High && !policy.trusted_outputs_required();
    let counts = |source| source == Source::Platform || host_counts;
    let fresh = outputs
        .report
        .filter(|report| counts(report.source) && report.age_ms <= MAX_REPORT_AGE_MS);
    if let Some(report) = fresh {
        return Some(Seen {
            source: report.source,
            outputs: report.outputs,
        });
    }
    // Nothing is shown on any connector then, so what is demanded of them is met.
    let source = outputs.panel.filter(|source| counts(*source))?;
    Some(Seen {
        source,
        outputs: &[],
    })
}

fn status_for(content: Content, device: Device, largest: Allowance) -> KeyStatus {
    let Allowance::UpTo(limit) = largest else {
        return match largest {
            Allowance::Nothing => KeyStatus::OutputRestricted,
            _ => KeyStatus::Usable,
        };
    };
    let fits = match content {
        Content::Sound => true,
        Content::Picture(size) => size.is_some_and(|size| size <= limit),
    };
    match (fits, device.scales) {
        (true, _) => KeyStatus::Usable,
        (false, true) => KeyStatus::OutputDownscaled,
        (false, false) => KeyStatus::OutputRestricted,
    }
}
