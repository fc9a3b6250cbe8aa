//! Which pictures stay for reference (ITU-T H.264 clause 8.2.5, for frames): a copy of the decoder's
//! own bookkeeping, kept because the decoder has no bound of its own. A stream that turns the sliding
//! window off and drops nothing makes it keep every picture.

use alloc::vec::Vec;

use crate::bits::Read;
use crate::refusal::Refusal;
use crate::slice::{Marking, Operation, PictureHeader};
use crate::sps::Sps;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    /// By its `frame_num`.
    Short,
    /// By its `LongTermFrameIdx`.
    Long(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reference {
    frame_num: u32,
    term: Term,
}

/// The reference frames, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct References {
    kept: Vec<Reference>,
    /// `max_num_ref_frames`.
    most: usize,
    /// `MaxFrameNum`.
    numbers: u32,
    /// Numbers may be left out.
    gaps_allowed: bool,
    /// `PrevRefFrameNum`.
    previous: Option<u32>,
}

impl References {
    pub(crate) fn new(sps: &Sps) -> Self {
        Self {
            kept: Vec::new(),
            most: usize::try_from(sps.references).unwrap_or(0),
            numbers: 1_u32.wrapping_shl(sps.frame_num_bits),
            gaps_allowed: sps.gaps_allowed,
            previous: None,
        }
    }

    /// Whether nothing can be predicted from.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Takes note that the next picture has begun: numbers that it leaves out become frames of their
    /// own where the sequence allows that, and are a loss where it does not.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] after a loss, and if more frames are kept than the set allows.
    pub(crate) fn begin(&mut self, picture: &PictureHeader) -> Read<()> {
        let Some(previous) = self.previous.filter(|_| !picture.idr) else {
            return Ok(());
        };
        let missing = self.distance(previous, picture.frame_num).saturating_sub(1);
        if missing == 0 {
            return Ok(());
        }
        if !self.gaps_allowed {
            return Err(Refusal::ContentRejected);
        }
        let most = u32::try_from(self.most).unwrap_or(0).max(1);
        // Those before the last `most` would be pushed out again.
        for back in (1..=missing.min(most)).rev() {
            if !self.kept.iter().any(|frame| frame.term == Term::Short) {
                // The decoder copies the latest: with none, it makes none.
                return Err(Refusal::ContentRejected);
            }
            let frame_num = self.before(picture.frame_num, back);
            self.slide();
            self.keep(frame_num, Term::Short);
            self.bounded()?;
        }
        Ok(())
    }

    /// Takes note that a picture has been decoded.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] if more frames are kept than the set allows.
    pub(crate) fn end(&mut self, picture: &PictureHeader) -> Read<()> {
        let frame_num = picture.frame_num;
        let mut reset = false;
        match &picture.marking {
            Marking::None => return Ok(()),
            Marking::Idr { long_term } => {
                self.kept.clear();
                let term = if *long_term {
                    Term::Long(0)
                } else {
                    Term::Short
                };
                self.keep(frame_num, term);
            }
            Marking::Window => {
                self.slide();
                self.keep(frame_num, Term::Short);
            }
            Marking::Operations(operations) => {
                reset = picture.resets();
                for operation in operations {
                    self.apply(*operation, frame_num);
                }
                let own = if reset { 0 } else { frame_num };
                self.keep(own, Term::Short);
                for operation in operations {
                    if let Operation::KeepThis { index } = *operation {
                        self.drop_where(|frame| frame.term == Term::Long(index));
                        self.lengthen(own, index);
                    }
                }
            }
        }
        self.previous = Some(if reset { 0 } else { frame_num });
        self.bounded()
    }

    /// One operation on the frames before the current one.
    fn apply(&mut self, operation: Operation, frame_num: u32) {
        match operation {
            Operation::DropShort { difference } => {
                let named = self.before(frame_num, difference.saturating_add(1));
                self.drop_where(|frame| frame.term == Term::Short && frame.frame_num == named);
            }
            Operation::DropLong { index } => {
                self.drop_where(|frame| frame.term == Term::Long(index));
            }
            Operation::Keep { difference, index } => {
                let named = self.before(frame_num, difference.saturating_add(1));
                if self.is_short(named) {
                    self.drop_where(|frame| frame.term == Term::Long(index));
                    self.lengthen(named, index);
                }
            }
            Operation::Bound { count } => {
                self.drop_where(|frame| matches!(frame.term, Term::Long(index) if index >= count));
            }
            Operation::Reset => self.kept.clear(),
            // Once the current picture is kept.
            Operation::KeepThis { .. } => {}
        }
    }

    /// The sliding window (clause 8.2.5.3): room for one more, the oldest short-term frame first.
    fn slide(&mut self) {
        while self.most > 0 && self.kept.len() >= self.most {
            let Some(oldest) = self.kept.iter().position(|frame| frame.term == Term::Short) else {
                break;
            };
            self.kept.remove(oldest);
        }
    }

    fn keep(&mut self, frame_num: u32, term: Term) {
        self.kept.push(Reference { frame_num, term });
    }

    fn is_short(&self, frame_num: u32) -> bool {
        self.kept
            .iter()
            .any(|frame| frame.term == Term::Short && frame.frame_num == frame_num)
    }

    fn lengthen(&mut self, frame_num: u32, index: u32) {
        let newest = self
            .kept
            .iter_mut()
            .rev()
            .find(|frame| frame.term == Term::Short && frame.frame_num == frame_num);
        if let Some(frame) = newest {
            frame.term = Term::Long(index);
        }
    }

    fn drop_where(&mut self, gone: impl Fn(&Reference) -> bool) {
        self.kept.retain(|frame| !gone(frame));
    }

    /// No more frames than the set allows, and none twice: the decoder tells short-term frames apart
    /// by their number alone.
    fn bounded(&self) -> Read<()> {
        let twice = self.kept.iter().enumerate().any(|(place, frame)| {
            self.kept
                .iter()
                .skip(place.saturating_add(1))
                .any(|other| other == frame)
        });
        if twice || self.kept.len() > self.most.max(1) {
            return Err(Refusal::ContentRejected);
        }
        Ok(())
    }

    /// How far `to` is ahead of `from`.
    fn distance(&self, from: u32, to: u32) -> u32 {
        to.wrapping_sub(from) & self.numbers.wrapping_sub(1)
    }

    /// The number `back` before `frame_num`.
    fn before(&self, frame_num: u32, back: u32) -> u32 {
        frame_num.wrapping_sub(back) & self.numbers.wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests;
