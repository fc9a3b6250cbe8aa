//! What the host says of the device's outputs.
//!
//! The trusted side forgets a report after two seconds ([`MAX_REPORT_AGE_MS`]), so that a host which does
//! not look any more is not believed any more. A host therefore names an [`OutputsSource`], and its
//! session asks that: before each call that decrypts, and whenever the statuses are looked at, which is
//! once a second while somebody waits. What has changed is reported at once, what has not once a second;
//! so a change is known to the very next call. A report counts at Low, and at Medium where the platform
//! has no monitor; the trusted side decides that, and its reasons say on whose word a key is usable.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use keybearer_rules::{MAX_REPORT_AGE_MS, Output, OutputKind};
use keybearer_wire::body::OutputReport;
use keybearer_wire::limits::MAX_OUTPUTS;

/// How often an unchanged report is made again: twice in its life.
const AGAIN: Duration = Duration::from_millis(MAX_REPORT_AGE_MS / 2);

/// Where a host sees the device's outputs. A closure is one as well.
pub trait OutputsSource: Send {
    /// All outputs that are active now; `None` while that cannot be told, and then nothing is reported.
    ///
    /// Asked before each call that decrypts, on the caller's thread and while it has the session: answer
    /// from what was seen last rather than by looking for it, and do not call the session.
    fn outputs(&mut self) -> Option<Vec<Output>>;
}

impl<F: FnMut() -> Option<Vec<Output>> + Send> OutputsSource for F {
    fn outputs(&mut self) -> Option<Vec<Output>> {
        self()
    }
}

/// The outputs as a host sets them when it hears of a change, from any thread. Clones are the same ones.
#[derive(Clone, Default)]
pub struct ActiveOutputs(Arc<Mutex<Option<Vec<Output>>>>);

impl fmt::Debug for ActiveOutputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActiveOutputs").field(&self.get()).finish()
    }
}

impl ActiveOutputs {
    /// These outputs, until they are set again.
    #[must_use]
    pub fn new(outputs: Vec<Output>) -> Self {
        Self(Arc::new(Mutex::new(Some(outputs))))
    }

    /// These are active from now on; `None`: it cannot be told.
    pub fn set(&self, outputs: Option<Vec<Output>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = outputs;
    }

    /// What was set last.
    #[must_use]
    pub fn get(&self) -> Option<Vec<Output>> {
        let outputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outputs.clone()
    }
}

impl OutputsSource for ActiveOutputs {
    fn outputs(&mut self) -> Option<Vec<Output>> {
        self.get()
    }
}

/// A session's source, and what it said last.
#[derive(Default)]
pub(crate) struct Feed {
    source: Option<Box<dyn OutputsSource>>,
    /// The last report, and when it was made.
    told: Option<(Vec<Output>, Instant)>,
    /// The platform has a monitor of its own, and hears nobody else.
    monitored: bool,
}

impl Feed {
    /// Takes another source, or none.
    pub(crate) fn follow(&mut self, source: Option<Box<dyn OutputsSource>>) {
        self.source = source;
        self.told = None;
    }

    /// The outputs that have to be reported now, if any have.
    pub(crate) fn due(&mut self) -> Option<Vec<Output>> {
        if self.monitored {
            return None;
        }
        let outputs = self.source.as_mut()?.outputs()?;
        let known = |(told, at): &(Vec<Output>, Instant)| *told == outputs && at.elapsed() < AGAIN;
        (!self.told.as_ref().is_some_and(known)).then_some(outputs)
    }

    /// Notes a report. True if it says something else than the last one.
    pub(crate) fn told(&mut self, outputs: Vec<Output>) -> bool {
        let news = self.told.as_ref().is_none_or(|(told, _)| *told != outputs);
        self.told = Some((outputs, Instant::now()));
        news
    }

    /// Notes that nobody listens.
    pub(crate) const fn not_heard(&mut self) {
        self.monitored = true;
    }

    /// Something else was reported meanwhile: what the source says is to be said again, although it may
    /// be what it said last.
    pub(crate) fn overruled(&mut self) {
        self.told = None;
    }

    /// The trusted side knows of no report any more.
    pub(crate) fn forget(&mut self) {
        self.told = None;
        self.monitored = false;
    }
}

/// A report as it goes over the wire. Where there are more outputs than fit, the last place is taken by
/// one of which nothing is known: leaving one out would be to the keys' advantage.
pub(crate) fn stated(outputs: &[Output]) -> Vec<OutputReport> {
    let unknown = [Output::of(OutputKind::Unknown)];
    let (named, rest) = match outputs.len() > MAX_OUTPUTS {
        true => (&outputs[..MAX_OUTPUTS - 1], &unknown[..]),
        false => (outputs, &[][..]),
    };
    named.iter().chain(rest).map(output).collect()
}

fn output(output: &Output) -> OutputReport {
    OutputReport {
        kind: output.kind.code(),
        hdcp_version: output.hdcp.map_or(0, |hdcp| hdcp.version().code()),
        hdcp_stream_type: output.hdcp.map_or(0, |hdcp| hdcp.stream_type()),
        cgms_a: output.cgms_a.map_or(0, |state| state.code()),
        agc: output.agc,
        color_stripe: output.color_stripe,
        scms: output.scms,
        sound: output.sound.code(),
        picture: output.picture.map(std::num::NonZeroU32::get),
    }
}

#[cfg(test)]
mod tests;
