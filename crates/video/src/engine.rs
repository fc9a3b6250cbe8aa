//! The H.264 decoder behind everything, from one IDR picture to the next. The only file that gives it
//! bytes.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use rust_h264::decoder::{ChromaFormat, Decoder, Frame};
use rust_h264::nal::{NalUnit, NalUnitType};

use crate::bits::Read;
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
}

impl Engine {
    /// A decoder for the sequence that `sequence` describes.
    pub(crate) fn new(sequence: &Stored<Sps>, sets: &Sets) -> Read<Self> {
        let mut engine = Self {
            decoder: Decoder::new(),
            sequence: sequence.clone(),
            references: References::new(&sequence.set),
        };
        engine.feed(0, NalUnitType::Sps, &sequence.payload)?;
        for picture in sets.of_sequence(sequence.set.id) {
            engine.feed(0, NalUnitType::Pps, &picture.payload)?;
        }
        Ok(engine)
    }

    /// The sequence being decoded.
    pub(crate) fn sequence(&self) -> &Stored<Sps> {
        &self.sequence
    }

    /// Takes a picture parameter set that came after the IDR picture.
    pub(crate) fn parameters(&mut self, picture: &[u8]) -> Read<()> {
        self.feed(0, NalUnitType::Pps, picture)
    }

    /// Begins a picture, before its first slice.
    pub(crate) fn begin(&mut self, picture: &PictureHeader) -> Read<()> {
        self.references.begin(picture)
    }

    /// Whether there is a picture to predict from.
    pub(crate) fn predicts(&self) -> bool {
        !self.references.is_empty()
    }

    /// Decodes a slice of the picture that has begun.
    pub(crate) fn slice(&mut self, picture: &PictureHeader, payload: &[u8]) -> Read<()> {
        let kind = if picture.idr {
            NalUnitType::SliceIdr
        } else {
            NalUnitType::Slice
        };
        self.feed(u8::from(picture.reference), kind, payload)
    }

    /// Ends the picture and takes its samples.
    pub(crate) fn end(&mut self, picture: &PictureHeader) -> Read<Frame> {
        self.references.end(picture)?;
        let frame = self.decoder.flush().ok_or(Refusal::ContentRejected)?;
        self.checked(frame)
    }

    fn feed(&mut self, reference: u8, kind: NalUnitType, payload: &[u8]) -> Read<()> {
        let unit = NalUnit {
            nal_ref_idc: reference,
            nal_unit_type: kind,
            rbsp: Cow::Borrowed(payload),
        };
        match self.decoder.decode_nal(&unit) {
            Ok(None) => Ok(()),
            // Pictures are taken by `end` alone.
            Ok(Some(_)) | Err(_) => Err(Refusal::ContentRejected),
        }
    }

    /// The frame, if it is what the parameter set says: what lies behind reads it by that size.
    fn checked(&self, frame: Frame) -> Read<Frame> {
        let area = |width: u32, height: u32| {
            usize::try_from(width)
                .ok()?
                .checked_mul(usize::try_from(height).ok()?)
        };
        let sps = &self.sequence.set;
        let (width, height) = (sps.width, sps.height);
        let fits = |plane: &Vec<u8>, width, height| Some(plane.len()) == area(width, height);
        if (frame.width, frame.height) == (width, height)
            && frame.bit_depth == 8
            && frame.chroma_format == ChromaFormat::Yuv420
            && fits(&frame.y, width, height)
            && fits(&frame.u, width >> 1, height >> 1)
            && fits(&frame.v, width >> 1, height >> 1)
        {
            Ok(frame)
        } else {
            Err(Refusal::ContentRejected)
        }
    }
}
