//! Sequence parameter sets (ITU-T H.264 clauses 7.3.2.1 and 7.4.2.1), as far as decoding depends on
//! them, every field within the range that the standard gives it.

mod vui;

use crate::bits::{Bits, Read};
use crate::level::{MAX_FRAMES, max_dpb_frames};
use crate::refusal::{Refusal, Unsupported};
use crate::scale::ChromaSiting;

/// The most macroblocks a picture has on a side at any level: the square root of 8 * MaxFS, level 6.2.
const MAX_SIDE: u32 = 1_055;

/// `MaxFS` of level 6.2, the most macroblocks of a picture at any level.
const MAX_MACROBLOCKS: u32 = 139_264;

/// A sequence that this room can decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sps {
    /// `seq_parameter_set_id`.
    pub(crate) id: u8,
    /// Bits of `frame_num`.
    pub(crate) frame_num_bits: u32,
    /// How picture order is coded.
    pub(crate) order: OrderCoding,
    /// `max_num_ref_frames`: how many frames stay for reference.
    pub(crate) references: u32,
    /// Width in macroblocks.
    pub(crate) columns: u32,
    /// Height of a frame in macroblocks.
    pub(crate) rows: u32,
    /// No slice says whether it belongs to a field.
    pub(crate) frames_only: bool,
    /// Baseline, which has no B slices.
    pub(crate) baseline: bool,
    /// Columns of luma samples on the left that are not shown.
    pub(crate) left: u32,
    /// Rows of luma samples at the top that are not shown.
    pub(crate) top: u32,
    /// Width shown, in luma samples.
    pub(crate) width: u32,
    /// Height shown, in luma samples.
    pub(crate) height: u32,
    /// How many frames may come before one that is shown earlier.
    pub(crate) reorder: u32,
    /// Where the chroma samples lie.
    pub(crate) siting: ChromaSiting,
    /// Bits in front of `frame_cropping_flag`.
    pub(crate) bits_before_cropping: usize,
}

/// `pic_order_cnt_type` and what the slice header needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderCoding {
    /// Type 0: that many bits of `pic_order_cnt_lsb`.
    Bits(u32),
    /// Type 2: output order is decoding order.
    Decoding,
}

impl Sps {
    /// Reads a set.
    ///
    /// # Errors
    ///
    /// [`Refusal::ContentRejected`] for what the standard does not allow,
    /// [`Refusal::UnsupportedCodec`] for what it allows and the decoder lacks.
    pub(crate) fn parse(payload: &[u8]) -> Read<Self> {
        let mut bits = Bits::new(payload);
        let profile = Profile::parse(&mut bits)?;
        let id = profile.id;
        let tools = if profile.has_tools() {
            Tools::parse(&mut bits)?
        } else {
            Tools::default()
        };
        let frame_num_bits = bits.exp_golomb(12)?.saturating_add(4);
        let order = OrderCoding::parse(&mut bits)?;
        let references = bits.exp_golomb(MAX_FRAMES)?;
        // gaps_in_frame_num_value_allowed_flag: frames that were left out count as lost.
        bits.flag()?;
        let columns = bits
            .exp_golomb(MAX_SIDE.saturating_sub(1))?
            .saturating_add(1);
        let units = bits
            .exp_golomb(MAX_SIDE.saturating_sub(1))?
            .saturating_add(1);
        let frames_only = bits.flag()?;
        // Without MBAFF each picture may still turn out to be a field; most are frames.
        if !frames_only && bits.flag()? {
            return Err(Refusal::UnsupportedCodec(Unsupported::Interlaced));
        }
        let direct_8x8_inference = bits.flag()?;
        if !frames_only && !direct_8x8_inference {
            return Err(Refusal::ContentRejected);
        }
        let rows = if frames_only {
            units
        } else {
            units.saturating_mul(2)
        };
        let macroblocks = columns.saturating_mul(rows);
        if macroblocks > MAX_MACROBLOCKS {
            return Err(Refusal::ContentRejected);
        }
        let bits_before_cropping = bits.position();
        let window = Window::parse(&mut bits, columns, rows, frames_only)?;
        // Only once the syntax has been followed this far: a refusal names the reason that is most
        // use to whoever made the stream.
        tools.supported()?;
        let most = max_dpb_frames(
            profile.level,
            profile.constraint_set3,
            profile.idc,
            macroblocks,
        )
        .ok_or(Refusal::UnsupportedCodec(Unsupported::Level))?;
        let usability = vui::Usability::parse(&mut bits)?;
        if references > most {
            return Err(Refusal::ContentRejected);
        }
        let reorder = match usability.reorder {
            Some(stated) if stated > most => return Err(Refusal::ContentRejected),
            Some(stated) => stated,
            // What is inferred where nothing is stated (clause E.2.1).
            None if order == OrderCoding::Decoding || profile.intra_only() => 0,
            None => most,
        };
        Ok(Self {
            id,
            frame_num_bits,
            order,
            references,
            columns,
            rows,
            frames_only,
            baseline: profile.idc == 66,
            left: window.left,
            top: window.top,
            width: window.width,
            height: window.height,
            reorder,
            siting: usability.siting,
            bits_before_cropping,
        })
    }

    /// Macroblocks of a frame.
    pub(crate) fn macroblocks(&self) -> u32 {
        self.columns.saturating_mul(self.rows)
    }
}

/// The fields in front, which all profiles share.
struct Profile {
    idc: u8,
    constraint_set3: bool,
    level: u8,
    id: u8,
}

impl Profile {
    fn parse(bits: &mut Bits<'_>) -> Read<Self> {
        let mut byte = || -> Read<u8> {
            u8::try_from(bits.unsigned(8)?).map_err(|_| Refusal::ContentRejected)
        };
        let (idc, constraints, level) = (byte()?, byte()?, byte()?);
        // Baseline, Main, High, High 10, High 4:2:2, High 4:4:4 Predictive: what of the last three
        // is not decoded shows in their tools. All others have syntax of their own.
        if !matches!(idc, 66 | 77 | 100 | 110 | 122 | 244) {
            return Err(Refusal::UnsupportedCodec(Unsupported::Profile));
        }
        let id = u8::try_from(bits.exp_golomb(31)?).map_err(|_| Refusal::ContentRejected)?;
        Ok(Self {
            idc,
            constraint_set3: constraints & 0x10 != 0,
            level,
            id,
        })
    }

    fn has_tools(&self) -> bool {
        !matches!(self.idc, 66 | 77)
    }

    /// The intra profiles: constraint_set3_flag from High on.
    fn intra_only(&self) -> bool {
        self.has_tools() && self.constraint_set3
    }
}

/// What High and its relatives state on top.
struct Tools {
    chroma_format: u32,
    depth: u32,
    chroma_depth: u32,
    lossless: bool,
}

impl Default for Tools {
    /// What holds where they are not stated.
    fn default() -> Self {
        Self {
            chroma_format: 1,
            depth: 0,
            chroma_depth: 0,
            lossless: false,
        }
    }
}

impl Tools {
    fn parse(bits: &mut Bits<'_>) -> Read<Self> {
        let chroma_format = bits.exp_golomb(3)?;
        if chroma_format == 3 {
            // separate_colour_plane_flag
            bits.flag()?;
        }
        let depth = bits.exp_golomb(6)?;
        let chroma_depth = bits.exp_golomb(6)?;
        let lossless = bits.flag()?;
        if bits.flag()? {
            skip_scaling_lists(bits, if chroma_format == 3 { 12 } else { 8 })?;
        }
        Ok(Self {
            chroma_format,
            depth,
            chroma_depth,
            lossless,
        })
    }

    fn supported(&self) -> Read<()> {
        let lacks = |what| Err(Refusal::UnsupportedCodec(what));
        if self.chroma_format != 1 {
            return lacks(Unsupported::ChromaFormat);
        }
        if self.depth != 0 || self.chroma_depth != 0 {
            return lacks(Unsupported::BitDepth);
        }
        if self.lossless {
            return lacks(Unsupported::Lossless);
        }
        Ok(())
    }
}

impl OrderCoding {
    fn parse(bits: &mut Bits<'_>) -> Read<Self> {
        Ok(match bits.exp_golomb(2)? {
            0 => Self::Bits(bits.exp_golomb(12)?.saturating_add(4)),
            1 => return Err(Refusal::UnsupportedCodec(Unsupported::PictureOrder)),
            _ => Self::Decoding,
        })
    }
}

/// Passes over scaling lists, six of 16 values and the rest of 64 (clause 7.3.2.1.1.1).
pub(crate) fn skip_scaling_lists(bits: &mut Bits<'_>, count: u32) -> Read<()> {
    for list in 0..count {
        if !bits.flag()? {
            continue;
        }
        let mut last = 8_i32;
        for _ in 0..if list < 6 { 16 } else { 64 } {
            let delta = bits.signed_exp_golomb(128)?;
            last = last.saturating_add(delta) & 0xff;
            // Zero ends the list: the rest repeats the value before.
            if last == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// The cropping rectangle (clause 7.4.2.1.1), in luma samples.
struct Window {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Window {
    /// Of 4:2:0, so that a unit of cropping is two samples wide, and two or four high.
    fn parse(bits: &mut Bits<'_>, columns: u32, rows: u32, frames_only: bool) -> Read<Self> {
        let mut window = Self {
            left: 0,
            top: 0,
            width: columns.saturating_mul(16),
            height: rows.saturating_mul(16),
        };
        if !bits.flag()? {
            return Ok(window);
        }
        let mut cut = |size: &mut u32, unit: u32| -> Read<u32> {
            let cut = bits
                .exp_golomb(MAX_SIDE.saturating_mul(16))?
                .saturating_mul(unit);
            *size = size
                .checked_sub(cut)
                .filter(|&left| left > 0)
                .ok_or(Refusal::ContentRejected)?;
            Ok(cut)
        };
        let unit = if frames_only { 2 } else { 4 };
        window.left = cut(&mut window.width, 2)?;
        cut(&mut window.width, 2)?;
        window.top = cut(&mut window.height, unit)?;
        cut(&mut window.height, unit)?;
        Ok(window)
    }
}

#[cfg(test)]
mod tests;
