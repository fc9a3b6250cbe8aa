//! Slice headers (ITU-T H.264 clauses 7.3.3 and 7.4.3): the whole header is read, because the decoder
//! behind takes memory and time by what stands in it.

use alloc::vec::Vec;

use crate::bits::{Bits, Read};
use crate::nal::Nal;
use crate::pps::Pps;
use crate::refusal::{Refusal, Unsupported};
use crate::sps::{OrderCoding, Sps};

/// The most entries that a reference list of a frame has (clause 7.4.2.2), and its modifications.
const MAX_ENTRIES: u32 = 32;

/// The most pictures that one header drops: all that there can be, and some named twice.
const MAX_DROPS: usize = 32;

/// The bytes of a slice NAL unit that hold the longest header that is accepted: about 200 bytes of
/// list modifications, 900 of weights, 200 of marking, and emulation prevention on top.
pub(crate) const HEADER_BYTES: usize = 2_048;

/// What a slice says about its picture and about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Address of its first macroblock; of a pair of them in MBAFF frames.
    pub(crate) first: u32,
    /// How its macroblocks are predicted.
    pub(crate) kind: Kind,
    /// Whether the filter is off, or stops at the slice, and its two offsets.
    pub(crate) deblocking: (u32, i32, i32),
    /// What all slices of its picture have in common.
    pub(crate) picture: PictureHeader,
}

/// What makes slices belong to one picture (clause 7.4.1.2.4), and what they must repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PictureHeader {
    /// An IDR picture: nothing before it is needed from here on.
    pub(crate) idr: bool,
    /// Later pictures may refer to it.
    pub(crate) reference: bool,
    /// The picture parameter set.
    pub(crate) pps: u8,
    /// `frame_num`.
    pub(crate) frame_num: u32,
    /// What the reference pictures become after it.
    pub(crate) marking: Marking,
    /// `idr_pic_id` and the fields of picture order.
    order: (u32, u32, i32),
}

/// `slice_type`, as far as it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// From reference pictures.
    P,
    /// From two lists of them.
    B,
    /// From its own picture.
    I,
}

/// `dec_ref_pic_marking` (clauses 7.3.3.3 and 8.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Marking {
    /// Not a reference picture: nothing changes.
    None,
    /// An IDR picture: all others go.
    Idr,
    /// The oldest goes.
    Window,
    /// The short-term frames that many before this one go, one after another:
    /// `difference_of_pic_nums_minus1` of `memory_management_control_operation` 1.
    Drop(Vec<u32>),
}

/// The identifier of the picture parameter set, which the rest of the header depends on.
pub(crate) fn picture_set(payload: &[u8]) -> Read<u8> {
    let mut bits = Bits::new(payload);
    bits.exp_golomb(u32::MAX)?;
    bits.exp_golomb(9)?;
    u8::try_from(bits.exp_golomb(255)?).map_err(|_| Refusal::ContentRejected)
}

impl Header {
    /// Reads the header of a slice NAL unit under its parameter sets. `payload` need not hold more
    /// than the header.
    pub(crate) fn parse(payload: &[u8], nal: &Nal<'_>, sps: &Sps, pps: &Pps) -> Read<Self> {
        let mut bits = Bits::new(payload);
        let idr = nal.kind == Nal::IDR;
        let reference = nal.ref_idc != 0;
        if idr && !reference {
            return Err(Refusal::ContentRejected);
        }
        let first = bits.exp_golomb(sps.macroblocks().saturating_sub(1))?;
        let kind = Kind::parse(&mut bits)?;
        if idr && kind != Kind::I || sps.baseline && kind == Kind::B {
            return Err(Refusal::ContentRejected);
        }
        bits.exp_golomb(255)?;
        let frame_num = bits.unsigned(sps.frame_num_bits)?;
        if idr && frame_num != 0 {
            return Err(Refusal::ContentRejected);
        }
        if !sps.frames_only && bits.flag()? {
            return Err(Refusal::UnsupportedCodec(Unsupported::Interlaced));
        }
        let idr_id = if idr { bits.exp_golomb(65_535)? } else { 0 };
        let order = order(&mut bits, sps, pps)?;
        let entries = lists(&mut bits, kind, sps, pps)?;
        match kind {
            Kind::P if pps.weighted => weights(&mut bits, entries)?,
            Kind::B if pps.stated_weights => {
                return Err(Refusal::UnsupportedCodec(Unsupported::Weights));
            }
            _ => {}
        }
        let marking = match (idr, reference) {
            (true, _) => {
                // no_output_of_prior_pics_flag: prior pictures are always shown
                bits.flag()?;
                if bits.flag()? {
                    return Err(Refusal::UnsupportedCodec(Unsupported::LongTerm));
                }
                Marking::Idr
            }
            (false, true) => marking(&mut bits, sps)?,
            (false, false) => Marking::None,
        };
        if pps.cabac && kind != Kind::I {
            bits.exp_golomb(2)?;
        }
        let quantiser = bits.signed_exp_golomb(102)?.saturating_add(pps.quantiser);
        if !(0..=51).contains(&quantiser) {
            return Err(Refusal::ContentRejected);
        }
        let mut deblocking = (0, 0, 0);
        if pps.deblocking_control {
            deblocking.0 = bits.exp_golomb(2)?;
            if deblocking.0 != 1 {
                deblocking.1 = bits.signed_exp_golomb(6)?;
                deblocking.2 = bits.signed_exp_golomb(6)?;
            }
        }
        Ok(Self {
            first,
            kind,
            deblocking,
            picture: PictureHeader {
                idr,
                reference,
                pps: pps.id,
                frame_num,
                marking,
                order: (idr_id, order.0, order.1),
            },
        })
    }
}

#[cfg(test)]
impl PictureHeader {
    /// A picture as far as reference marking sees it.
    pub(crate) fn of(frame_num: u32, marking: Marking) -> Self {
        Self {
            idr: marking == Marking::Idr,
            reference: marking != Marking::None,
            pps: 0,
            frame_num,
            marking,
            order: (0, 0, 0),
        }
    }
}

impl Kind {
    fn parse(bits: &mut Bits<'_>) -> Read<Self> {
        // 5 to 9 promise the same type for the whole picture.
        Ok(match bits.exp_golomb(9)?.checked_rem(5) {
            Some(0) => Self::P,
            Some(1) => Self::B,
            Some(2) => Self::I,
            _ => return Err(Refusal::UnsupportedCodec(Unsupported::SwitchingPictures)),
        })
    }
}

/// The fields of picture order: the low bits, and how far off the bottom field is.
fn order(bits: &mut Bits<'_>, sps: &Sps, pps: &Pps) -> Read<(u32, i32)> {
    Ok(match sps.order {
        OrderCoding::Bits(count) => {
            let low = bits.unsigned(count)?;
            let bottom = if pps.bottom_order {
                bits.signed_exp_golomb(u32::MAX >> 1)?
            } else {
                0
            };
            (low, bottom)
        }
        OrderCoding::Decoding => (0, 0),
    })
}

/// The lengths of the reference lists, and their modifications, which are passed over.
fn lists(bits: &mut Bits<'_>, kind: Kind, sps: &Sps, pps: &Pps) -> Read<[u32; 2]> {
    if kind == Kind::B {
        // direct_spatial_mv_pred_flag
        bits.flag()?;
    }
    let count: usize = match kind {
        Kind::I => return Ok([0; 2]),
        Kind::P => 1,
        Kind::B => 2,
    };
    let mut entries = pps.list_entries;
    if bits.flag()? {
        for list in entries.iter_mut().take(count) {
            *list = bits
                .exp_golomb(MAX_ENTRIES.saturating_sub(1))?
                .saturating_add(1);
        }
    }
    for &list in entries.iter().take(count) {
        // A frame has at most 16 entries; a set may state 32 as its default for fields.
        if list > MAX_ENTRIES >> 1 {
            return Err(Refusal::ContentRejected);
        }
        if bits.flag()? {
            modifications(bits, sps, list)?;
        }
    }
    Ok(entries)
}

/// `ref_pic_list_modification` of one list: at most one more operation than it has entries.
fn modifications(bits: &mut Bits<'_>, sps: &Sps, entries: u32) -> Read<()> {
    let numbers = 1_u32.wrapping_shl(sps.frame_num_bits);
    for _ in 0..=entries {
        match bits.exp_golomb(3)? {
            0 | 1 => bits.exp_golomb(numbers.saturating_sub(1))?,
            2 => bits.exp_golomb(MAX_ENTRIES)?,
            _ => return Ok(()),
        };
    }
    Err(Refusal::ContentRejected)
}

/// `pred_weight_table` of a P slice.
fn weights(bits: &mut Bits<'_>, entries: [u32; 2]) -> Read<()> {
    bits.exp_golomb(7)?;
    bits.exp_golomb(7)?;
    let [entries, _] = entries;
    for _ in 0..entries {
        for values in [2, 4] {
            if bits.flag()? {
                for _ in 0..values {
                    bits.signed_exp_golomb(128)?;
                }
            }
        }
    }
    Ok(())
}

/// `dec_ref_pic_marking` of a reference picture that is not an IDR picture.
fn marking(bits: &mut Bits<'_>, sps: &Sps) -> Read<Marking> {
    if !bits.flag()? {
        return Ok(Marking::Window);
    }
    let numbers = 1_u32.wrapping_shl(sps.frame_num_bits).saturating_sub(1);
    let mut drop = Vec::new();
    while drop.len() <= MAX_DROPS {
        match bits.exp_golomb(6)? {
            0 => return Ok(Marking::Drop(drop)),
            1 => drop.push(bits.exp_golomb(numbers)?),
            // No long-term picture is kept: a bound of none changes nothing.
            4 if bits.exp_golomb(16)? == 0 => {}
            5 => return Err(Refusal::UnsupportedCodec(Unsupported::Reset)),
            _ => return Err(Refusal::UnsupportedCodec(Unsupported::LongTerm)),
        }
    }
    Err(Refusal::ContentRejected)
}
