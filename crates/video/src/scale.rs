//! Making a picture smaller: each sample is the mean of the area of the source that it covers, in
//! integers only, so that every build gives the same bits.
//!
//! The rule, for one plane and one direction, with `n` source samples and `m <= n` of the result:
//!
//! * Sample `i` of the result covers the source from edge `i` to edge `i + 1`, where edge `i` is
//!   `floor(65536 * (4 * i * n + s * (n - m)) / (4 * m))` in units of 1/65536 of a source sample,
//!   cut to `0..=65536 * n`. Edge 0 is the start and edge `m` the end of the source, whatever `s`.
//! * `s` is where the samples lie: 0 for luma and for chroma in the middle between luma samples, -1
//!   for chroma on the first of two of them (left or top), 1 on the second. So chroma keeps its place
//!   in relation to luma.
//! * A source sample weighs as much as the sample of the result covers of it, in each direction.
//! * The weighted sum is divided by the sum of the weights, rounded half up.

use alloc::vec::Vec;

use crate::refusal::Refusal;
use crate::sink::{Picture, Plane};

/// One source sample, in the units of edges.
const ONE: u64 = 1 << 16;

/// Where chroma samples lie (ITU-T H.264 figure E-1, `chroma_sample_loc_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChromaSiting {
    /// 0: on every second luma sample of a row, between two rows. Also what is meant where a stream
    /// says nothing.
    #[default]
    Left,
    /// 1: in the middle of four luma samples.
    Centre,
    /// 2: on the luma sample at the top left of four.
    TopLeft,
    /// 3: between the upper two of four luma samples.
    Top,
    /// 4: on the luma sample at the bottom left of four.
    BottomLeft,
    /// 5: between the lower two of four luma samples.
    Bottom,
}

impl ChromaSiting {
    /// By its number; those above 5 do not exist.
    pub(crate) fn from_location(location: u32) -> Self {
        match location {
            1 => Self::Centre,
            2 => Self::TopLeft,
            3 => Self::Top,
            4 => Self::BottomLeft,
            5 => Self::Bottom,
            _ => Self::Left,
        }
    }

    /// `s` of the module's rule, across and down.
    const fn shifts(self) -> (i64, i64) {
        match self {
            Self::Left => (-1, 0),
            Self::Centre => (0, 0),
            Self::TopLeft => (-1, -1),
            Self::Top => (0, -1),
            Self::BottomLeft => (-1, 1),
            Self::Bottom => (0, 1),
        }
    }
}

/// Makes pictures smaller, and keeps the memory for the next one.
#[derive(Debug, Default)]
pub struct Scaler {
    planes: [Vec<u8>; 3],
    columns: Vec<Window>,
    sums: Vec<u64>,
}

impl Scaler {
    /// The size in which a picture of `width` by `height` may be shown where `largest` luma samples
    /// are allowed: its own if that is no more, else the largest of even sides that keeps its shape
    /// as far as even sides can. `None` if not even two by two fit.
    ///
    /// The width is `sqrt(largest * width / height)` and the height that width times `height / width`,
    /// both rounded down to even numbers. Where that leaves less than 2 for one side, it is 2, and the
    /// other no more than `largest` has room for.
    #[must_use]
    pub fn fit(width: u32, height: u32, largest: u64) -> Option<(u32, u32)> {
        let (wide, high) = (u64::from(width), u64::from(height));
        if wide.saturating_mul(high) <= largest {
            return Some((width, height));
        }
        if largest < 4 {
            return None;
        }
        let even = |value: u64| value & !1;
        let across = even(largest.checked_mul(wide)?.checked_div(high)?.isqrt());
        let down = even(across.checked_mul(high)?.checked_div(wide)?).max(2);
        let across = across.min(even(largest.checked_div(down)?));
        let (across, down) = if across < 2 {
            (2, even(largest >> 1).min(high))
        } else {
            (across, down)
        };
        Some((u32::try_from(across).ok()?, u32::try_from(down).ok()?))
    }

    /// The picture in a size that is not larger than its own in any direction.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoDecoderMemory`] if there is no memory for it, [`Refusal::ContentRejected`] for a
    /// size that is larger, odd or nothing, or planes that are not what they say.
    pub fn scale<'a>(
        &'a mut self,
        picture: &Picture<'_>,
        width: u32,
        height: u32,
    ) -> Result<Picture<'a>, Refusal> {
        if (width | height) & 1 != 0 {
            return Err(Refusal::ContentRejected);
        }
        let chroma = picture.siting.shifts();
        let (half_width, half_height) = (width >> 1, height >> 1);
        let [luma, cb, cr] = &mut self.planes;
        let mut plane = |into, from, width, height, shifts| {
            scale_plane(
                into,
                from,
                (width, height),
                shifts,
                &mut self.columns,
                &mut self.sums,
            )
        };
        plane(luma, &picture.luma, width, height, (0, 0))?;
        plane(cb, &picture.cb, half_width, half_height, chroma)?;
        plane(cr, &picture.cr, half_width, half_height, chroma)?;
        let plane = |samples, width, height| Plane {
            samples,
            width,
            height,
        };
        Ok(Picture {
            time: picture.time,
            luma: plane(luma, width, height),
            cb: plane(cb, half_width, half_height),
            cr: plane(cr, half_width, half_height),
            siting: picture.siting,
        })
    }
}

/// The samples that one sample of the result covers in one direction.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// The first of them.
    first: usize,
    /// One after the last.
    end: usize,
    /// What is not covered of the first.
    before: u64,
    /// What is not covered of the last.
    after: u64,
    /// The sum of the weights.
    weight: u64,
}

impl Window {
    /// The window of sample `place` of `m`, of a source of `n`, as the module says.
    fn new(place: u32, m: u32, n: u32, shift: i64) -> Option<Self> {
        let end_of_source = u64::from(n).checked_mul(ONE)?;
        let edge = |place: u32| -> Option<u64> {
            if place == m {
                return Some(end_of_source);
            }
            let (place, m, n) = (i64::from(place), i64::from(m), i64::from(n));
            let quarters = place
                .checked_mul(n)?
                .checked_mul(4)?
                .checked_add(n.checked_sub(m)?.checked_mul(shift)?)?;
            let edge = quarters
                .checked_mul(i64::try_from(ONE).ok()?)?
                .checked_div_euclid(m.checked_mul(4)?)?;
            Some(u64::try_from(edge).unwrap_or(0).min(end_of_source))
        };
        let (from, to) = (
            if place == 0 { 0 } else { edge(place)? },
            edge(place.checked_add(1)?)?,
        );
        let first = from >> 16;
        let end = to.checked_add(ONE.checked_sub(1)?)? >> 16;
        Some(Self {
            first: usize::try_from(first).ok()?,
            end: usize::try_from(end).ok()?,
            before: from.checked_sub(first.checked_mul(ONE)?)?,
            after: end.checked_mul(ONE)?.checked_sub(to)?,
            weight: to.checked_sub(from).filter(|&weight| weight > 0)?,
        })
    }

    /// The weighted sum of a row's samples.
    ///
    /// It stays below 255 * 65536 * 16,880, the widest row there is: no wrapping happens.
    fn sum(&self, row: &[u8]) -> u64 {
        let covered = row.get(self.first..self.end).unwrap_or_default();
        let (Some(head), Some(tail)) = (covered.first(), covered.last()) else {
            return 0;
        };
        let whole = covered
            .iter()
            .fold(0_u64, |sum, &sample| sum.wrapping_add(sample.into()))
            .wrapping_mul(ONE);
        whole
            .wrapping_sub(u64::from(*head).wrapping_mul(self.before))
            .wrapping_sub(u64::from(*tail).wrapping_mul(self.after))
    }
}

/// Scales one plane.
///
/// The sums cannot wrap: a sample of the result covers at most a quarter of a picture of 2^25 samples
/// and its weights sum up to 2^32 a sample, so 255 times that is below 2^64.
fn scale_plane(
    into: &mut Vec<u8>,
    from: &Plane<'_>,
    (width, height): (u32, u32),
    (across, down): (i64, i64),
    columns: &mut Vec<Window>,
    sums: &mut Vec<u64>,
) -> Result<(), Refusal> {
    const WRONG: Refusal = Refusal::ContentRejected;
    let size = |value: u32| usize::try_from(value).map_err(|_| WRONG);
    let (stride, out_width) = (size(from.width)?, size(width)?);
    let area = stride.checked_mul(size(from.height)?).ok_or(WRONG)?;
    let out_area = out_width.checked_mul(size(height)?).ok_or(WRONG)?;
    if from.samples.len() != area || out_area == 0 || width > from.width || height > from.height {
        return Err(WRONG);
    }
    reserve(into, out_area)?;
    reserve(columns, out_width)?;
    reserve(sums, out_width)?;
    for place in 0..width {
        columns.push(Window::new(place, width, from.width, across).ok_or(WRONG)?);
    }
    for place in 0..height {
        let window = Window::new(place, height, from.height, down).ok_or(WRONG)?;
        sums.clear();
        sums.resize(out_width, 0);
        for (number, row) in from
            .samples
            .chunks_exact(stride)
            .enumerate()
            .take(window.end)
            .skip(window.first)
        {
            let mut weight = ONE;
            if number == window.first {
                weight = weight.wrapping_sub(window.before);
            }
            if number.wrapping_add(1) == window.end {
                weight = weight.wrapping_sub(window.after);
            }
            for (sum, column) in sums.iter_mut().zip(columns.iter()) {
                *sum = sum.wrapping_add(weight.wrapping_mul(column.sum(row)));
            }
        }
        for (sum, column) in sums.iter().zip(columns.iter()) {
            let weight = window.weight.wrapping_mul(column.weight);
            let mean = sum
                .wrapping_add(weight >> 1)
                .checked_div(weight)
                .ok_or(WRONG)?;
            into.push(u8::try_from(mean).map_err(|_| WRONG)?);
        }
    }
    Ok(())
}

/// Empties `list` and makes room for `count`; never are two blocks held for it.
fn reserve<T>(list: &mut Vec<T>, count: usize) -> Result<(), Refusal> {
    list.clear();
    if list.capacity() < count {
        *list = Vec::new();
    }
    list.try_reserve_exact(count)
        .map_err(|_| Refusal::NoDecoderMemory)
}

#[cfg(test)]
mod tests;
