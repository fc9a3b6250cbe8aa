//! Keys that the outputs stop: those alone, while all others play on.
//!
//! A player drops the picture of a track whose key may not be used now and goes on with the rest; so does
//! this, where it was told what the outputs are. What could not be decrypted is nobody's clear file, so that
//! nothing stands under the output's name at the end; the command says which key was stopped when, by which
//! rule, and what would have done.

use std::collections::BTreeMap;
use std::time::Duration;

use keybearer_client::{
    ClientError, KeyId, SampleDecryptor, TrackBatch,
    explain::{kid, standing},
};
use keybearer_media::{BatchLimit, Pssh};
use keybearer_tee::SharedMemory;
use serde_json::{Value, json};

use super::contradiction::{Contradicted, Contradiction};
use crate::checked::{CheckError, Checked};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outputs::Simulator;
use crate::sizes::counted;
use crate::terminal::Terminal;

/// How each key has fared.
pub(super) struct Stops {
    terminal: Terminal,
    keys: BTreeMap<KeyId, Course>,
}

/// How a key has fared.
#[derive(Default)]
struct Course {
    played: usize,
    stopped: usize,
    stops: Vec<Stop>,
}

/// A stretch of the film in which a key was stopped.
struct Stop {
    from: Duration,
    /// `None`: until its end.
    until: Option<Duration>,
    why: String,
    largest_picture: Option<u32>,
}

/// What a play with stops came to.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct Verdict {
    /// The first stop, and how many more there were.
    what: String,
    /// One line each.
    stops: Vec<String>,
    /// For `--json`.
    report: Value,
}

impl From<Verdict> for Failure {
    fn from(verdict: Verdict) -> Self {
        let mut failure = Self::new(Exit::Restricted, verdict.what)
            .details(verdict.report)
            .hint(
                "keybearer explain --policy shows what a profile asks of outputs; a track with a key for a \
                 smaller picture may play",
            );
        failure.causes = verdict.stops;
        failure
    }
}

impl Stops {
    pub(super) const fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            keys: BTreeMap::new(),
        }
    }

    /// Samples of a track were not decrypted; true if that is for the outputs.
    pub(super) fn stopped(
        &mut self,
        track: u32,
        at: Duration,
        samples: usize,
        error: &ClientError,
    ) -> bool {
        let ClientError::KeyNotUsable {
            key_id,
            status,
            reasons,
            largest_picture,
        } = error
        else {
            return false;
        };
        if !error.is_restricted_by_outputs() {
            return false;
        }
        let course = self.keys.entry(*key_id).or_default();
        course.stopped += samples;
        if course.stops.last().is_none_or(|stop| stop.until.is_some()) {
            let stop = Stop {
                from: at,
                until: None,
                why: standing(*status, reasons, *largest_picture),
                largest_picture: *largest_picture,
            };
            let said = said(key_id, &stop);
            self.terminal.warn(format!("track {track}: {said}"));
            course.stops.push(stop);
        }
        true
    }

    /// Samples of a track were decrypted.
    pub(super) fn played(&mut self, track: u32, at: Duration, samples: usize, key_id: &KeyId) {
        let course = self.keys.entry(*key_id).or_default();
        course.played += samples;
        if let Some(stop) = course.stops.last_mut()
            && stop.until.is_none()
        {
            stop.until = Some(at);
            let (key, seconds) = (kid(key_id), at.as_secs_f64());
            self.terminal.say(format!(
                "track {track}: key {key} goes on at {seconds:.3} s"
            ));
        }
    }

    /// What the stops come to, if there were any.
    pub(super) fn verdict(&self) -> Result<(), Verdict> {
        let lines = self.keys.iter().flat_map(|(key_id, course)| {
            let stops = course.stops.iter();
            stops.map(|stop| said(key_id, stop))
        });
        let mut stops: Vec<String> = lines.collect();
        if stops.is_empty() {
            return Ok(());
        }
        let stopped = self.keys.values().filter(|key| !key.stops.is_empty());
        let stopped = stopped.count();
        let others = counted((self.keys.len() - stopped) as u64, "other key");
        let first = match stopped {
            1 => stops.remove(0),
            several => format!("{several} keys were stopped by the outputs"),
        };
        let keys = self.keys.iter().map(|(key_id, course)| course.json(key_id));
        Err(Verdict {
            what: format!("{first}; {others} played on"),
            stops,
            report: json!({ "keys": keys.collect::<Vec<_>>() }),
        })
    }
}

fn said(key_id: &KeyId, stop: &Stop) -> String {
    let (key, from, why) = (kid(key_id), stop.from.as_secs_f64(), &stop.why);
    let until = match stop.until {
        Some(until) => format!(" until {:.3} s", until.as_secs_f64()),
        None => String::new(),
    };
    format!("key {key} was stopped at {from:.3} s{until}: {why}")
}

impl Course {
    fn json(&self, key_id: &KeyId) -> Value {
        let stops = self.stops.iter().map(|stop| {
            json!({
                "from_seconds": stop.from.as_secs_f64(),
                "until_seconds": stop.until.map(|until| until.as_secs_f64()),
                "why": stop.why,
                "largest_picture": stop.largest_picture,
            })
        });
        json!({
            "key_id": kid(key_id),
            "decrypted_samples": self.played,
            "stopped_samples": self.stopped,
            "stops": stops.collect::<Vec<_>>(),
        })
    }
}

/// Decrypts while a simulator says what the outputs are.
pub(super) struct Stopping<'a> {
    pub(super) inner: Checked<Contradicted<'a>>,
    simulator: Option<Simulator>,
    stops: Stops,
    /// Where each track's next sample begins, by its number.
    ends: BTreeMap<u32, Duration>,
}

/// Why a play ended, or came to no clear file.
#[derive(Debug, thiserror::Error)]
pub(super) enum StopError {
    /// Keys were stopped, the others played on to the end.
    #[error(transparent)]
    Stopped(Verdict),
    /// Everything else.
    #[error(transparent)]
    Inner(CheckError<Contradiction>),
}

impl From<StopError> for Failure {
    fn from(error: StopError) -> Self {
        match error {
            StopError::Inner(error) => error.into(),
            StopError::Stopped(verdict) => verdict.into(),
        }
    }
}

impl<'a> Stopping<'a> {
    /// Without a simulator nothing is said of outputs, and a key that demands something of them is an
    /// error as any other.
    pub(super) const fn new(
        inner: Checked<Contradicted<'a>>,
        simulator: Option<Simulator>,
        terminal: Terminal,
    ) -> Self {
        Self {
            inner,
            simulator,
            stops: Stops::new(terminal),
            ends: BTreeMap::new(),
        }
    }

    /// Where in the film a batch begins.
    fn time(&mut self, batch: &TrackBatch<'_>) -> Duration {
        let fragment = batch.batch.fragment();
        let start = batch.batch.range().start;
        let samples = fragment.samples().iter();
        let before = samples.take_while(|sample| sample.range().start < start);
        let before: u64 = before.map(|sample| u64::from(sample.duration)).sum();
        let lasts = batch.batch.samples().iter();
        let lasts: u64 = lasts.map(|sample| u64::from(sample.duration)).sum();
        let at = match fragment.decode_time {
            Some(first) => seconds(first.saturating_add(before), fragment.timescale),
            None => self.ends.get(&batch.track.id).copied().unwrap_or_default(),
        };
        let end = at.saturating_add(seconds(lasts, fragment.timescale));
        self.ends.insert(batch.track.id, end);
        at
    }
}

/// A time in the units of a track.
fn seconds(units: u64, timescale: u32) -> Duration {
    let scale = u64::from(timescale.max(1));
    let (whole, rest) = (units / scale, units % scale);
    // Below the timescale, which has 32 bits, the product has 62 at most.
    Duration::from_secs(whole).saturating_add(Duration::from_nanos(rest * 1_000_000_000 / scale))
}

impl SampleDecryptor for Stopping<'_> {
    type Error = StopError;

    fn limit(&self) -> BatchLimit {
        self.inner.limit()
    }

    fn begin(&mut self, init: &[u8]) -> Result<(), StopError> {
        self.inner.begin(init).map_err(StopError::Inner)
    }

    fn go_on(&mut self) -> Result<(), StopError> {
        self.inner.go_on().map_err(StopError::Inner)
    }

    fn end(&mut self) -> Result<(), StopError> {
        self.inner.end().map_err(StopError::Inner)?;
        self.stops.verdict().map_err(StopError::Stopped)
    }

    fn prepare(&mut self, key_ids: &[KeyId], pssh: &[Pssh]) -> Result<(), StopError> {
        self.inner.prepare(key_ids, pssh).map_err(StopError::Inner)
    }

    fn decrypt(&mut self, batch: &TrackBatch<'_>, data: &mut [u8]) -> Result<(), StopError> {
        if self.simulator.is_none() {
            return self.inner.decrypt(batch, data).map_err(StopError::Inner);
        }
        let at = self.time(batch);
        if let Some(simulator) = &self.simulator {
            simulator.is_at(at);
        }
        let (track, samples) = (batch.track.id, batch.batch.samples().len());
        match self.inner.decrypt(batch, data) {
            Ok(()) => {
                let key_id = &batch.protection.kid;
                self.stops.played(track, at, samples, key_id);
                Ok(())
            }
            Err(CheckError::Inner(Contradiction::Other(error)))
                if self.stops.stopped(track, at, samples, &error) =>
            {
                Ok(())
            }
            Err(error) => Err(StopError::Inner(error)),
        }
    }

    fn memory(&mut self, len: usize) -> Option<Box<dyn SharedMemory>> {
        self.inner.memory(len)
    }

    fn recover(&mut self, error: &StopError) -> bool {
        match error {
            StopError::Inner(error) => self.inner.recover(error),
            StopError::Stopped(_) => false,
        }
    }
}
