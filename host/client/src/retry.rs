//! When to try again, and when to give up.
//!
//! Tried again is only what may be, which here is every exchange, since a service was built for it:
//!
//! | exchange | why the same bytes may go out again |
//! |---|---|
//! | `GET /v1/service-info`, `GET /v1/revocation-list` | they read |
//! | `POST /v1/license`, `/v1/provision`, `/v1/time` | a service keeps request ids and answers for ten minutes: the same bytes get the same answer and count once |
//!
//! A request that was answered is never sent again: what is asked after an answer (a newer challenge, keys
//! left out, a renewal) is a new request with an id of its own. Calls to the trusted side are not
//! repeated at all.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::{Cancel, HttpRequest, HttpResponse, Transport, TransportError};

/// How often and how long an exchange is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts of one exchange, the first included; at least one is made.
    pub attempts: u32,
    /// Pause before the second attempt. It doubles from attempt to attempt, and each pause is
    /// shortened by up to half, at random, so that many clients do not come back at once.
    pub first_pause: Duration,
    /// Time for all that one call of the client does over the network: every exchange it takes, all
    /// attempts and pauses together. Each attempt has an equal share of what is left.
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts within 25 seconds: the trusted side takes no time from an answer that comes
    /// later than 30 seconds after its request.
    fn default() -> Self {
        Self {
            attempts: 3,
            first_pause: Duration::from_millis(250),
            deadline: Duration::from_secs(25),
        }
    }
}

/// The time that one call of the client has, running.
#[derive(Clone, Copy)]
pub(crate) struct Budget<'a> {
    policy: RetryPolicy,
    start: Instant,
    cancel: &'a Cancel,
}

impl RetryPolicy {
    /// Starts the time.
    pub(crate) fn begin(self, cancel: &Cancel) -> Budget<'_> {
        Budget {
            policy: self,
            start: Instant::now(),
            cancel,
        }
    }
}

impl Budget<'_> {
    /// What is left of the time.
    pub(crate) fn left(&self) -> Duration {
        self.policy.deadline.saturating_sub(self.start.elapsed())
    }

    /// Attempts an exchange until it succeeds, fails for good, the time is over or the caller ends it.
    /// Each attempt carries the very same bytes.
    pub(crate) fn run(
        &self,
        transport: &dyn Transport,
        mut request: HttpRequest<'_>,
        check: impl Fn(HttpResponse) -> Result<Vec<u8>, TransportError>,
    ) -> Result<Vec<u8>, TransportError> {
        let cancelled = || TransportError::Cancelled {
            url: request.url.to_owned(),
        };
        let mut pause = self.policy.first_pause;
        let mut attempt = 1_u32;
        loop {
            if self.cancel.is_cancelled() {
                return Err(cancelled());
            }
            // A share of what is left: an attempt that stalls must leave time for the others.
            let shares = self.policy.attempts.saturating_sub(attempt);
            request.timeout = self.left() / shares.saturating_add(1);
            if request.timeout.is_zero() {
                return Err(TransportError::Timeout {
                    url: request.url.to_owned(),
                    what: "no time is left for an exchange".into(),
                });
            }
            let error = match transport.exchange(&request).and_then(&check) {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or_else(|| shortened(pause));
            if !error.is_transient() || attempt >= self.policy.attempts || wait >= self.left() {
                return Err(error);
            }
            if !self.cancel.pause(wait) {
                return Err(cancelled());
            }
            attempt += 1;
            pause = pause.saturating_mul(2);
        }
    }
}

/// Between half of `pause` and all of it.
fn shortened(pause: Duration) -> Duration {
    let half = pause / 2;
    half + share(half)
}

/// Between nothing and all of a duration, at random.
pub(crate) fn share(whole: Duration) -> Duration {
    // The standard library's only randomness, and enough to spread clients in time.
    let random = RandomState::new().hash_one(());
    let part = u32::try_from(random >> 32).unwrap_or(0);
    whole.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
