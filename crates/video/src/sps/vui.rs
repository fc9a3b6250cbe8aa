//! Video usability information (ITU-T H.264 annex E): two of its fields matter here, and they stand
//! behind most of the others.

use crate::bits::{Bits, Read};
use crate::refusal::Refusal;
use crate::scale::ChromaSiting;

/// What decoding and scaling take from it.
#[derive(Debug, Default)]
pub(super) struct Usability {
    /// `max_num_reorder_frames`, where it is stated.
    pub(super) reorder: Option<u32>,
    /// `chroma_sample_loc_type_top_field`; left and centred where it is not stated.
    pub(super) siting: ChromaSiting,
}

impl Usability {
    /// Reads `vui_parameters_present_flag` and what it announces.
    pub(super) fn parse(bits: &mut Bits<'_>) -> Read<Self> {
        let mut usability = Self::default();
        if !bits.flag()? {
            return Ok(usability);
        }
        // Sample aspect ratio; 255 states it in full.
        if bits.flag()? && bits.unsigned(8)? == 255 {
            bits.skip(32)?;
        }
        // Overscan.
        if bits.flag()? {
            bits.skip(1)?;
        }
        // Video format and range, colour description.
        if bits.flag()? {
            bits.skip(4)?;
            if bits.flag()? {
                bits.skip(24)?;
            }
        }
        if bits.flag()? {
            usability.siting = ChromaSiting::from_location(bits.exp_golomb(5)?);
            bits.exp_golomb(5)?;
        }
        // Timing.
        if bits.flag()? {
            bits.skip(65)?;
        }
        let (of_units, of_slices) = (hypothetical_decoder(bits)?, hypothetical_decoder(bits)?);
        if of_units || of_slices {
            bits.skip(1)?;
        }
        // pic_struct_present_flag
        bits.skip(1)?;
        if bits.flag()? {
            bits.skip(1)?;
            for most in [16, 16, 16, 16] {
                bits.exp_golomb(most)?;
            }
            let reorder = bits.exp_golomb(16)?;
            let buffered = bits.exp_golomb(16)?;
            if reorder > buffered {
                return Err(Refusal::ContentRejected);
            }
            usability.reorder = Some(reorder);
        }
        Ok(usability)
    }
}

/// Passes over parameters of the hypothetical reference decoder (clause E.1.2); whether there are any.
fn hypothetical_decoder(bits: &mut Bits<'_>) -> Read<bool> {
    let present = bits.flag()?;
    if present {
        let buffers = bits.exp_golomb(31)?;
        bits.skip(8)?;
        for _ in 0..=buffers {
            bits.exp_golomb(u32::MAX)?;
            bits.exp_golomb(u32::MAX)?;
            bits.skip(1)?;
        }
        bits.skip(20)?;
    }
    Ok(present)
}
