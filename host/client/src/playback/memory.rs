//! Media data in memory that the trusted side sees as well.

use keybearer_media::{FragmentMemory, NoMemory};
use keybearer_tee::SharedMemory;

/// What [`crate::SampleDecryptor::memory`] gave, and this process' own memory where more is needed than
/// that has: a batch that lies there takes its way to the trusted side as one without shared memory does.
pub(super) struct MediaMemory {
    shared: Option<Box<dyn SharedMemory>>,
    own: Vec<u8>,
}

impl MediaMemory {
    pub(super) fn new(shared: Option<Box<dyn SharedMemory>>) -> Self {
        Self {
            shared,
            own: Vec::new(),
        }
    }
}

impl FragmentMemory for MediaMemory {
    fn bytes(&self) -> &[u8] {
        self.shared
            .as_ref()
            .map_or(&self.own, |shared| shared.bytes())
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.shared {
            Some(shared) => shared.bytes_mut(),
            None => &mut self.own,
        }
    }

    fn grow(&mut self, len: usize, keep: usize) -> Result<(), NoMemory> {
        if len <= self.bytes().len() {
            return Ok(());
        }
        if let Some(shared) = &self.shared {
            let kept = shared.bytes().get(..keep).ok_or(NoMemory)?;
            self.own.grow(len, 0)?;
            if let Some(place) = self.own.get_mut(..keep) {
                place.copy_from_slice(kept);
            }
            self.shared = None;
            return Ok(());
        }
        self.own.grow(len, keep)
    }
}

#[cfg(test)]
mod tests;
