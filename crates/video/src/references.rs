//! Which frames stay for reference (ITU-T H.264 clause 8.2.5, for frames and short terms): a copy of
//! the decoder's own bookkeeping, kept because its bound is not the one that memory was reckoned by.
//! A stream that turns the sliding window off and drops nothing makes it keep 16 frames or more,
//! whatever the parameter set says.

use alloc::vec::Vec;

use crate::bits::Read;
use crate::refusal::Refusal;
use crate::slice::{Marking, PictureHeader};
use crate::sps::Sps;

/// The reference frames.
#[derive(Clone, Debug)]
pub(crate) struct References {
    /// `frame_num` of each, oldest first.
    kept: Vec<u32>,
    /// `max_num_ref_frames`.
    most: usize,
    /// `MaxFrameNum`.
    numbers: u32,
    /// `PrevRefFrameNum`.
    previous: Option<u32>,
}

impl References {
    pub(crate) fn new(sps: &Sps) -> Self {
        Self {
            kept: Vec::new(),
            most: usize::try_from(sps.references).unwrap_or(0),
            numbers: 1_u32.wrapping_shl(sps.frame_num_bits),
            previous: None,
        }
    }

    /// Whether nothing can be predicted from.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether reference frames are missing between the last one and `picture`.
    pub(crate) fn miss(&self, picture: &PictureHeader) -> bool {
        self.previous
            .is_some_and(|previous| self.before(picture.frame_num, previous) > 1)
    }

    /// Takes note that a picture has been decoded.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] if more frames are kept than the parameter set allows, or two by
    /// the same number.
    pub(crate) fn keep(&mut self, picture: &PictureHeader) -> Read<()> {
        let frame_num = picture.frame_num;
        match &picture.marking {
            Marking::None => return Ok(()),
            Marking::Idr => self.kept.clear(),
            Marking::Window => {
                // The oldest goes, of as many as there may be.
                if self.kept.len() >= self.most.max(1) {
                    self.kept.remove(0);
                }
            }
            Marking::Drop(differences) => {
                for difference in differences {
                    let named = self.before(frame_num, difference.saturating_add(1));
                    self.kept.retain(|&kept| kept != named);
                }
            }
        }
        if self.kept.contains(&frame_num) || self.kept.len() >= self.most.max(1) {
            return Err(Refusal::ContentRejected);
        }
        self.kept.push(frame_num);
        self.previous = Some(frame_num);
        Ok(())
    }

    /// The number `back` before `frame_num`, which is also how far `frame_num` is ahead of `back`.
    fn before(&self, frame_num: u32, back: u32) -> u32 {
        frame_num.wrapping_sub(back) & self.numbers.wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests;
