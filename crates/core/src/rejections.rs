//! Units in a row that a decoder rejected, key by key, for one session.
//!
//! Content protection has no integrity, and the host chooses the ciphertext: each unit that it
//! makes up tells it, by accepted or rejected, something about what it decrypts to. So a row of
//! rejections closes the key for the session. Only a unit that became a picture ends a row. A count
//! outlives the licence that it began under, or removing the licence would begin it anew.

use alloc::vec::Vec;

use keybearer_license::KeyId;
use keybearer_wire::Status;
use keybearer_wire::body::MAX_REJECTIONS;
use keybearer_wire::limits::MAX_KEYS_PER_SESSION;

/// What a decoder says of the units it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Units that are no content that decodes.
    pub(crate) rejected: u32,
    /// Units that became a picture.
    pub(crate) decoded: u32,
}

impl Report {
    /// So many units, all rejected.
    pub(crate) const fn rejected(units: u32) -> Self {
        Self {
            rejected: units,
            decoded: 0,
        }
    }
}

/// The rows of one session.
pub(crate) struct Rejections {
    /// Keys with at least one rejection in their row.
    rows: Vec<(KeyId, u32)>,
    /// There were more such keys than a session may hold: every other key counts as closed.
    overflown: bool,
}

impl Rejections {
    /// None yet, with the memory for all.
    ///
    /// # Errors
    /// [`Status::OutOfMemory`].
    pub(crate) fn new() -> Result<Self, Status> {
        let mut rows = Vec::new();
        rows.try_reserve_exact(MAX_KEYS_PER_SESSION)
            .map_err(|_| Status::OutOfMemory)?;
        Ok(Self {
            rows,
            overflown: false,
        })
    }

    /// Takes a report on units under `key` in. In which order they came is not known, so rejected
    /// ones count as the last of the row before and as the first of the next.
    pub(crate) fn note(&mut self, key: KeyId, report: Report) {
        let row = self.row(key).saturating_add(report.rejected);
        let row = if row < MAX_REJECTIONS && report.decoded > 0 {
            report.rejected
        } else {
            row
        };
        if let Some((_, held)) = self.rows.iter_mut().find(|(other, _)| *other == key) {
            *held = row;
            self.rows.retain(|(_, row)| *row > 0);
        } else if row == 0 || self.overflown {
            // Nothing to remember, or no room for it.
        } else if self.rows.len() < MAX_KEYS_PER_SESSION {
            self.rows.push((key, row));
        } else {
            self.overflown = true;
        }
    }

    /// The row of a key, if it closes the key.
    pub(crate) fn closed(&self, key: KeyId) -> Option<u32> {
        let row = self.row(key);
        (row >= MAX_REJECTIONS).then_some(row)
    }

    fn row(&self, key: KeyId) -> u32 {
        let held = self.rows.iter().find(|(other, _)| *other == key);
        match held {
            Some((_, row)) => *row,
            None if self.overflown => MAX_REJECTIONS,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests;
