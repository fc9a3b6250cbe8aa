//! A large fragment in pieces. Read, decrypted and written one after the other they stay in a
//! processor's cache, which a whole fragment of such a size falls out of at every step.

use core::ops::Range;

use crate::limits::PIECE_SAMPLES;
use crate::{Sample, TrackFragment};

/// What is to come of a fragment that is handed out in pieces. Places count from the end of its `moof`.
#[derive(Debug)]
pub(crate) struct Division {
    tracks: Vec<TrackFragment>,
    /// For each of them the first sample that is to come.
    next: Vec<usize>,
    /// Where the next piece begins.
    at: usize,
    /// Where the fragment ends.
    end: usize,
}

impl Division {
    /// Divides a fragment of these tables, whose media data have `end` bytes. `None` where samples of a
    /// track do not lie one behind the other: then no place may be free of them all.
    pub(crate) fn new(tracks: Vec<TrackFragment>, end: usize) -> Option<Self> {
        let in_order = tracks.iter().all(|track| {
            let pairs = track.samples.windows(2);
            pairs.map(<[_; 2]>::try_from).all(|pair| {
                pair.is_ok_and(|[first, second]| first.range().end <= second.range().start)
            })
        });
        in_order.then(|| Self {
            next: vec![0; tracks.len()],
            tracks,
            at: 0,
            end,
        })
    }

    /// Whether all pieces were taken.
    pub(crate) fn is_over(&self) -> bool {
        self.at >= self.end
    }

    /// The next piece: where it is, and its samples. It has so many `bytes` at most, unless one sample
    /// has more.
    pub(crate) fn next_piece(&mut self, bytes: usize) -> (Range<usize>, Vec<TrackFragment>) {
        let start = self.at;
        let end = self.cut(start.saturating_add(bytes));
        let mut parts = Vec::new();
        for (track, next) in self.tracks.iter().zip(&mut self.next) {
            let rest = track.samples.get(*next..).unwrap_or_default();
            let count = match self.end.checked_sub(end) {
                Some(1..) => rest.partition_point(|sample| sample.range().start < end),
                // Samples without a byte may lie at the very end.
                _ => rest.len(),
            };
            let behind = next.saturating_add(count);
            if count > 0 {
                parts.push(track.part(*next..behind, start));
            }
            *next = behind;
        }
        self.at = end;
        (start..end, parts)
    }

    /// The place behind a piece that should end at `wanted`: one at which no sample is cut.
    fn cut(&self, wanted: usize) -> usize {
        let rests = || {
            let tracks = self.tracks.iter().zip(&self.next);
            tracks.map(|(track, next)| track.samples.get(*next..).unwrap_or_default())
        };
        let mut cut = wanted.min(self.end);
        for sample in rests().filter_map(|rest| rest.get(PIECE_SAMPLES)) {
            cut = cut.min(sample.range().start);
        }
        // Something is taken each time, whatever lies there.
        cut = cut.max(self.at.saturating_add(1));
        let firsts = rests().filter_map(<[_]>::first);
        let first = firsts.map(|sample| sample.range().start).min();
        // No two samples share a byte, so one of all at most is across the place. It comes with the
        // next piece, unless it is the first of this.
        for rest in rests() {
            let before = rest.partition_point(|sample| sample.range().start < cut);
            let last = before.checked_sub(1).and_then(|last| rest.get(last));
            if let Some(range) = last.map(Sample::range).filter(|range| range.end > cut) {
                let can_wait = first.is_some_and(|first| first < range.start);
                cut = if can_wait { range.start } else { range.end };
            }
        }
        cut.min(self.end)
    }
}

#[cfg(test)]
mod tests;
