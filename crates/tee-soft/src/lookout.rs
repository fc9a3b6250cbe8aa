//! Looking for a message before sleeping until it comes.
//!
//! To be woken takes longer than a short call does, above all on a processor that has gone to sleep as
//! well. So whoever waits for a peer that is at work looks for its message first, for a time that is about
//! what waking up would take. A peer that takes longer is not looked for: where calls come now and then,
//! as in playing, nobody ever looks, and no processor is kept busy by waiting.

use std::thread;
use std::time::{Duration, Instant};

/// For how long to look.
const LOOK: Duration = Duration::from_micros(200);

/// A wait shorter than this, waking up included, is one that looking would have found short.
const SHORT: Duration = Duration::from_micros(400);

/// Whether the next message is worth looking for.
#[derive(Debug)]
pub struct Lookout {
    /// There are processors for both sides.
    can: bool,
    /// The last message came soon.
    looks: bool,
}

impl Lookout {
    /// For one peer. To be made before a sandbox is closed: it asks how many processors there are.
    #[must_use]
    pub fn new() -> Self {
        let processors = thread::available_parallelism();
        Self::with(processors.is_ok_and(|processors| processors.get() > 1))
    }

    const fn with(can: bool) -> Self {
        Self { can, looks: false }
    }

    /// Looks, if that is worth it, until something `is_there`. Gives when the wait began, for
    /// [`Self::came`].
    pub fn look(&self, mut is_there: impl FnMut() -> bool) -> Instant {
        let begin = Instant::now();
        while self.looks && !is_there() && begin.elapsed() < LOOK {
            // The peer may have to share this very processor.
            thread::yield_now();
        }
        begin
    }

    /// Says that what was waited for since `begin` has come.
    pub fn came(&mut self, begin: Instant) {
        self.looks = self.can && begin.elapsed() < SHORT;
    }
}

impl Default for Lookout {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
