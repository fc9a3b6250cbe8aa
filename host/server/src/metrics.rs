//! Numbers for monitoring, in the Prometheus text format.
//!
//! They start at zero with the process, as Prometheus expects of counters; what must outlast a
//! restart is counted in the store. Labels come from closed sets, never from a request.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keybearer_license::DenialReason;

use crate::names::{Named, words};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    ServiceInfo,
    Provision,
    License,
    Time,
    RevocationList,
}

/// Why a request was turned away without a sealed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    Malformed,
    WrongService,
    NotTrusted,
    NotSealedHere,
    BodyTimeout,
    BodyTooLarge,
    BodyCut,
    ContentType,
    Overloaded,
    Internal,
}

/// A request id that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// The same request: it got the same answer.
    Repeat,
    /// Another request under the same id.
    Conflict,
}

words! {
    Endpoint, "endpoint":
        ServiceInfo = "service-info", Provision = "provision", License = "license", Time = "time",
        RevocationList = "revocation-list";
    Rejection, "rejection":
        Malformed = "malformed", WrongService = "wrong-service", NotTrusted = "not-trusted",
        NotSealedHere = "not-sealed-here", BodyTimeout = "body-timeout",
        BodyTooLarge = "body-too-large", BodyCut = "body-cut", ContentType = "content-type",
        Overloaded = "overloaded", Internal = "internal";
    Replay, "replay":
        Repeat = "repeat", Conflict = "conflict";
}

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// One counter for each value of a closed set.
struct Counters<T>(Vec<(T, AtomicU64)>);

impl<T: Named> Counters<T> {
    fn new() -> Self {
        Self(
            T::all()
                .iter()
                .map(|&value| (value, AtomicU64::new(0)))
                .collect(),
        )
    }

    fn add(&self, value: T) {
        if let Some((_, counter)) = self.0.iter().find(|(of, _)| *of == value) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write(&self, text: &mut String, name: &str, help: &str, label: &str) {
        head(text, name, help, "counter");
        for (value, counter) in &self.0 {
            let count = counter.load(Ordering::Relaxed);
            line(
                text,
                format_args!("{name}{{{label}=\"{}\"}} {count}", value.word()),
            );
        }
    }
}

/// How long requests took.
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Histogram {
    fn new() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            count: AtomicU64::new(0),
            microseconds: AtomicU64::new(0),
        }
    }

    fn observe(&self, took: Duration) {
        for (bound, bucket) in BUCKETS.iter().zip(&self.buckets) {
            if took.as_secs_f64() <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    fn write(&self, text: &mut String, name: &str, help: &str) {
        head(text, name, help, "histogram");
        for (bound, bucket) in BUCKETS.iter().zip(&self.buckets) {
            let count = bucket.load(Ordering::Relaxed);
            line(
                text,
                format_args!("{name}_bucket{{le=\"{bound}\"}} {count}"),
            );
        }
        let count = self.count.load(Ordering::Relaxed);
        let sum = Duration::from_micros(self.microseconds.load(Ordering::Relaxed)).as_secs_f64();
        line(text, format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        line(text, format_args!("{name}_sum {sum}"));
        line(text, format_args!("{name}_count {count}"));
    }
}

/// Every number the server shows.
pub(crate) struct Metrics {
    requests: Counters<Endpoint>,
    rejected: Counters<Rejection>,
    denials: Counters<DenialReason>,
    replays: Counters<Replay>,
    licenses: AtomicU64,
    provisions: AtomicU64,
    seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            requests: Counters::new(),
            rejected: Counters::new(),
            denials: Counters::new(),
            replays: Counters::new(),
            licenses: AtomicU64::new(0),
            provisions: AtomicU64::new(0),
            seconds: Histogram::new(),
        }
    }

    pub(crate) fn request(&self, endpoint: Endpoint) {
        self.requests.add(endpoint);
    }

    pub(crate) fn took(&self, duration: Duration) {
        self.seconds.observe(duration);
    }

    pub(crate) fn rejected(&self, rejection: Rejection) {
        self.rejected.add(rejection);
    }

    pub(crate) fn denied(&self, reason: DenialReason) {
        self.denials.add(reason);
    }

    pub(crate) fn replayed(&self, replay: Replay) {
        self.replays.add(replay);
    }

    pub(crate) fn licensed(&self) {
        self.licenses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn provisioned(&self) {
        self.provisions.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.requests.write(
            &mut text,
            "keybearer_requests_total",
            "Requests received, repeats included.",
            "endpoint",
        );
        self.rejected.write(
            &mut text,
            "keybearer_rejected_total",
            "Requests turned away without a sealed answer.",
            "code",
        );
        self.denials.write(
            &mut text,
            "keybearer_denials_total",
            "Sealed denials, repeats not included.",
            "reason",
        );
        self.replays.write(
            &mut text,
            "keybearer_replays_total",
            "Request ids seen before: the same request again, or another under its id.",
            "kind",
        );
        for (name, help, counter) in [
            (
                "keybearer_licenses_total",
                "Licences issued or renewed, repeats not included.",
                &self.licenses,
            ),
            (
                "keybearer_provisions_total",
                "Devices certified, repeats not included.",
                &self.provisions,
            ),
        ] {
            head(&mut text, name, help, "counter");
            line(
                &mut text,
                format_args!("{name} {}", counter.load(Ordering::Relaxed)),
            );
        }
        self.seconds.write(
            &mut text,
            "keybearer_request_seconds",
            "Time from a message's last byte to its answer.",
        );
        text
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    line(text, format_args!("# HELP {name} {help}"));
    line(text, format_args!("# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests;
