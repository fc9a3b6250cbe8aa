//! When to try again, and when to give up.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use crate::{HttpRequest, HttpResponse, Transport, TransportError};

/// How often and how long an exchange is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least one is made.
    pub attempts: u32,
    /// Pause before the second attempt. It doubles from attempt to attempt, and each pause is
    /// shortened by up to half, at random, so that many clients do not come back at once.
    pub first_pause: Duration,
    /// Time for all attempts and pauses together. Each attempt has an equal share of what is left.
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

impl RetryPolicy {
    /// Attempts an exchange until it succeeds, fails for good, or the time is over. Each attempt
    /// carries the very same bytes.
    pub(crate) fn run(
        &self,
        transport: &dyn Transport,
        mut request: HttpRequest<'_>,
        check: impl Fn(HttpResponse) -> Result<Vec<u8>, TransportError>,
    ) -> Result<Vec<u8>, TransportError> {
        let start = Instant::now();
        let mut pause = self.first_pause;
        let mut attempt = 1_u32;
        loop {
            // A share of what is left: an attempt that stalls must leave time for the others.
            let shares = self.attempts.saturating_sub(attempt).saturating_add(1);
            request.timeout = self.deadline.saturating_sub(start.elapsed()) / shares;
            let error = match transport.exchange(&request).and_then(&check) {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let wait = error.retry_after().unwrap_or_else(|| shortened(pause));
            let left = self.deadline.saturating_sub(start.elapsed());
            if !error.is_transient() || attempt >= self.attempts || wait >= left {
                return Err(error);
            }
            thread::sleep(wait);
            attempt += 1;
            pause = pause.saturating_mul(2);
        }
    }
}

/// Between half of `pause` and all of it.
fn shortened(pause: Duration) -> Duration {
    // The standard library's only randomness, and enough to spread clients in time.
    let random = RandomState::new().hash_one(());
    let half = pause / 2;
    let part = u32::try_from(random >> 32).unwrap_or(0);
    half + half.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
