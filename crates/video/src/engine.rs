//! The H.264 decoder behind everything, from one IDR picture to the next. The only file that gives it
//! bytes.

use alloc::vec::Vec;

use rusty_h264_decoder::Decoder;

use crate::bits::{Bits, Read};
use crate::nal::{Nal, annex_b};
use crate::references::References;
use crate::refusal::Refusal;
use crate::sets::{Sets, Stored};
use crate::slice::PictureHeader;
use crate::sps::Sps;

/// A decoder that knows one sequence parameter set and no picture before its IDR picture.
///
/// A new one is made for each IDR picture: so no reference picture, number or parameter set outlives
/// its sequence, and memory is free before it is taken again.
pub(crate) struct Engine {
    decoder: Decoder,
    sequence: Stored<Sps>,
    references: References,
    /// The same after the picture that has begun.
    after: Option<References>,
    /// The picture of this unit, once all of it has been decoded.
    picture: Option<Samples>,
}

/// A decoded picture as it is shown: rows without padding.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// Width in luma samples.
    pub(crate) width: u32,
    /// Height in luma samples.
    pub(crate) height: u32,
    /// Y, Cb and Cr.
    pub(crate) planes: [Vec<u8>; 3],
    /// `PicOrderCnt`: its place in presentation order, since the last IDR picture.
    pub(crate) order: i32,
}

impl Engine {
    /// A decoder for the sequence that `sequence` describes.
    pub(crate) fn new(sequence: &Stored<Sps>, sets: &Sets) -> Read<Self> {
        let mut engine = Self {
            decoder: Decoder::new(),
            sequence: sequence.clone(),
            references: References::new(&sequence.set),
            after: None,
            picture: None,
        };
        engine.feed(&annex_b(Nal::SPS, &whole_picture(sequence)))?;
        for picture in sets.of_sequence(sequence.set.id) {
            engine.parameters(&picture.payload)?;
        }
        Ok(engine)
    }

    /// The sequence being decoded.
    pub(crate) fn sequence(&self) -> &Stored<Sps> {
        &self.sequence
    }

    /// Takes a picture parameter set.
    pub(crate) fn parameters(&mut self, payload: &[u8]) -> Read<()> {
        self.feed(&annex_b(Nal::PPS, payload))
    }

    /// Begins a picture, before its first slice.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] if reference pictures before it are missing, or if more would be
    /// kept after it than memory was reckoned for.
    pub(crate) fn begin(&mut self, picture: &PictureHeader) -> Read<()> {
        self.picture = None;
        if !picture.idr && self.references.miss(picture) {
            return Err(Refusal::ContentRejected);
        }
        let mut after = self.references.clone();
        after.keep(picture)?;
        self.after = Some(after);
        Ok(())
    }

    /// Whether there is a picture to predict from.
    pub(crate) fn predicts(&self) -> bool {
        !self.references.is_empty()
    }

    /// Decodes a slice of the picture that has begun.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] for what the decoder refuses, and for a slice behind the last
    /// macroblock.
    pub(crate) fn slice(&mut self, nal: &Nal<'_>) -> Read<()> {
        if self.picture.is_some() {
            return Err(Refusal::ContentRejected);
        }
        self.feed(&nal.annex_b()?)
    }

    /// Ends the picture and takes its samples.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] if macroblocks are missing.
    pub(crate) fn end(&mut self) -> Read<Samples> {
        self.references = self.after.take().ok_or(Refusal::ContentRejected)?;
        let mut samples = self.picture.take().ok_or(Refusal::ContentRejected)?;
        samples.crop(&self.sequence.set)?;
        Ok(samples)
    }

    fn feed(&mut self, unit: &[u8]) -> Read<()> {
        let decoded = self.decoder.decode(unit);
        if let Some(frame) = decoded.map_err(|_| Refusal::ContentRejected)? {
            self.picture = Some(Samples {
                width: 0,
                height: 0,
                planes: [frame.y, frame.u, frame.v],
                order: self.decoder.last_poc(),
            });
        }
        Ok(())
    }
}

/// The sequence parameter set without its cropping and all that follows: the decoder does not cut on
/// the left and at the top.
fn whole_picture(sequence: &Stored<Sps>) -> Vec<u8> {
    let mut source = Bits::new(&sequence.payload);
    let before = (0..sequence.set.bits_before_cropping).map(|_| source.flag().unwrap_or(false));
    let mut payload = Vec::new();
    // No cropping, no usability information, the stop bit.
    for (place, bit) in before.chain([false, false, true]).enumerate() {
        let mask = 0x80_u8.wrapping_shr(u32::from(place.to_le_bytes()[0] & 7));
        match payload.last_mut() {
            Some(byte) if mask != 0x80 => *byte |= if bit { mask } else { 0 },
            _ => payload.push(if bit { mask } else { 0 }),
        }
    }
    payload
}

impl Samples {
    /// Cuts the whole picture that the decoder gives to what is shown of it.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] if it is not the picture that the set describes: what lies behind
    /// reads it by that size.
    fn crop(&mut self, sps: &Sps) -> Read<()> {
        let whole = (sps.columns.saturating_mul(16), sps.rows.saturating_mul(16));
        for (plane, shift) in self.planes.iter_mut().zip([0, 1, 1]) {
            let size = |value: u32| usize::try_from(value.wrapping_shr(shift)).unwrap_or(0);
            let (stride, rows) = (size(whole.0), size(whole.1));
            if plane.len() != stride.saturating_mul(rows) {
                return Err(Refusal::ContentRejected);
            }
            if (sps.width, sps.height) == whole {
                continue;
            }
            let (left, top) = (size(sps.left), size(sps.top));
            let (width, height) = (size(sps.width), size(sps.height));
            // Each row moves to the front or stays; the window lies within the picture.
            for row in 0..height {
                let from = top
                    .saturating_add(row)
                    .saturating_mul(stride)
                    .saturating_add(left);
                plane.copy_within(from..from.saturating_add(width), row.saturating_mul(width));
            }
            plane.truncate(width.saturating_mul(height));
        }
        (self.width, self.height) = (sps.width, sps.height);
        Ok(())
    }
}
