//! Picture parameter sets (ITU-T H.264 clauses 7.3.2.2 and 7.4.2.2).

use crate::bits::{Bits, Read};
use crate::refusal::{Refusal, Unsupported};
use crate::sps::skip_scaling_lists;

/// What slice headers depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pps {
    /// `pic_parameter_set_id`.
    pub(crate) id: u8,
    /// The sequence parameter set it belongs to.
    pub(crate) sps: u8,
    /// Arithmetic instead of variable-length coding.
    pub(crate) cabac: bool,
    /// Slices of frames state the order of the bottom field as well.
    pub(crate) bottom_order: bool,
    /// Entries of the two reference lists where a slice does not say otherwise.
    pub(crate) list_entries: [u32; 2],
    /// P slices carry weights.
    pub(crate) weighted: bool,
    /// B slices carry weights.
    pub(crate) stated_weights: bool,
    /// Slices control the deblocking filter.
    pub(crate) deblocking_control: bool,
    /// `26 + pic_init_qp_minus26`.
    pub(crate) quantiser: i32,
}

impl Pps {
    /// Reads a set that belongs to a sequence of 4:2:0, which is all that this room decodes.
    ///
    /// # Errors
    ///
    /// As [`Sps::parse`](crate::sps::Sps::parse).
    pub(crate) fn parse(payload: &[u8]) -> Read<Self> {
        let mut bits = Bits::new(payload);
        let id = u8::try_from(bits.exp_golomb(255)?).map_err(|_| Refusal::ContentRejected)?;
        let sps = u8::try_from(bits.exp_golomb(31)?).map_err(|_| Refusal::ContentRejected)?;
        let cabac = bits.flag()?;
        let bottom_order = bits.flag()?;
        if bits.exp_golomb(7)? != 0 {
            return Err(Refusal::UnsupportedCodec(Unsupported::SliceGroups));
        }
        let list_entries = [
            bits.exp_golomb(31)?.saturating_add(1),
            bits.exp_golomb(31)?.saturating_add(1),
        ];
        let weighted = bits.flag()?;
        let weighted_bi = bits.unsigned(2)?;
        if weighted_bi == 3 {
            return Err(Refusal::ContentRejected);
        }
        let quantiser = bits.signed_exp_golomb(26)?.saturating_add(26);
        // pic_init_qs_minus26
        bits.signed_exp_golomb(26)?;
        let chroma = bits.signed_exp_golomb(12)?;
        let deblocking_control = bits.flag()?;
        // constrained_intra_pred_flag
        bits.flag()?;
        // redundant_pic_cnt_present_flag: each slice would say whether it is there twice.
        if bits.flag()? {
            return Err(Refusal::UnsupportedCodec(Unsupported::RedundantPictures));
        }
        if bits.more() {
            let transform_8x8 = bits.flag()?;
            if bits.flag()? {
                skip_scaling_lists(&mut bits, if transform_8x8 { 8 } else { 6 })?;
            }
            // second_chroma_qp_index_offset: the decoder uses the first for both planes.
            if bits.signed_exp_golomb(12)? != chroma {
                return Err(Refusal::UnsupportedCodec(Unsupported::ChromaQuantiser));
            }
        }
        Ok(Self {
            id,
            sps,
            cabac,
            bottom_order,
            list_entries,
            weighted,
            stated_weights: weighted_bi == 1,
            deblocking_control,
            quantiser,
        })
    }
}
