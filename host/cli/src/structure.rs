//! What a codec's samples must look like. A check of form only: it tells some wrong keys, and never
//! proves a right one.

use std::collections::BTreeMap;

use keybearer_media::{BoxNode, BoxTree, Detail, FourCc};

/// The form of each track's samples, as far as it is known.
#[derive(Default)]
pub(crate) struct Shapes(BTreeMap<u32, Shape>);

/// The form of a track's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// NAL units behind their lengths (ISO/IEC 14496-15 sections 5 and 8).
    Nal { length_size: usize },
    /// Open bitstream units (AV1 bitstream specification section 5.3).
    Obu,
    /// Raw data blocks of AAC (ISO/IEC 14496-3 section 4.4.2.1).
    Aac,
}

/// What a sample cannot look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("a NAL unit of {found} bytes where the sample has {left} left")]
    NalLength { found: usize, left: usize },
    #[error("a NAL unit begins with the forbidden bit")]
    NalHeader,
    #[error("a NAL unit holds 00 00 {0:02x}, which no encoder writes")]
    StartCode(u8),
    #[error("an open bitstream unit of {found} bytes where the sample has {left} left")]
    ObuLength { found: usize, left: usize },
    #[error("an open bitstream unit begins with a reserved bit")]
    ObuHeader,
    #[error("an AAC frame that ends where it begins")]
    EmptyFrame,
}

impl Shapes {
    /// Reads the decoder configurations of an initialisation segment's tracks. What cannot be read has
    /// no form that is known.
    pub(crate) fn of(init: &[u8]) -> Self {
        let mut shapes = BTreeMap::new();
        for node in BoxTree::new(init) {
            // What the reader took, the tree takes.
            let Ok(node) = node else { break };
            for track in node
                .children
                .iter()
                .filter(|child| child.kind == FourCc(*b"trak"))
            {
                if let (Some(id), Some(shape)) = (number(track), shape(track, init)) {
                    shapes.insert(id, shape);
                }
            }
        }
        Self(shapes)
    }

    /// Looks at a clear sample.
    pub(crate) fn check(&self, track: u32, sample: &[u8]) -> Result<(), Flaw> {
        match self.0.get(&track) {
            Some(Shape::Nal { length_size }) => nal_units(sample, *length_size),
            Some(Shape::Obu) => open_units(sample),
            Some(Shape::Aac) => aac_frame(sample),
            None => Ok(()),
        }
    }
}

/// How much of a sample was protected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protected {
    /// All of it, from its first byte on.
    Whole,
    /// So many bytes of its subsamples.
    Part(f64),
}

impl Shapes {
    /// Whether anything is known about a track's form.
    pub(crate) fn knows(&self, track: u32) -> bool {
        self.0.contains_key(&track)
    }

    /// How many flaws [`Self::check`] would find on average in such a sample if it were garbage.
    pub(crate) fn telling(&self, track: u32, size: usize, protected: Protected) -> f64 {
        /// A shorter sample has no whole cipher block, and may be clear.
        const BLOCK: usize = 16;
        match (self.0.get(&track), protected) {
            (_, Protected::Whole) if size < BLOCK => 0.0,
            // The lengths are garbage too, and hardly ever add up.
            (Some(Shape::Nal { .. }), Protected::Whole) => 1.0,
            // Four sequences of three bytes each: 00 00 00, 01, 02, and nearly all that go on from 03.
            (Some(Shape::Nal { .. }), Protected::Part(bytes)) => bytes * 4.0 / f64::from(1 << 24),
            // Two bits of the first header.
            (Some(Shape::Obu), Protected::Whole) => 0.75,
            // Three bits of the first byte.
            (Some(Shape::Aac), Protected::Whole) => 0.125,
            // What is looked at stands in the clear part.
            (Some(Shape::Obu | Shape::Aac), Protected::Part(_)) | (None, _) => 0.0,
        }
    }
}

fn number(track: &BoxNode) -> Option<u32> {
    track.children.iter().find_map(|child| match child.detail {
        Detail::Track { id } => Some(id),
        _ => None,
    })
}

/// The shape that all protected entries of a track agree on.
fn shape(track: &BoxNode, init: &[u8]) -> Option<Shape> {
    let path = [*b"mdia", *b"minf", *b"stbl", *b"stsd"];
    let stsd = path.iter().try_fold(track, |node, kind| {
        node.children
            .iter()
            .find(|child| child.kind == FourCc(*kind))
    })?;
    let mut shapes = stsd
        .children
        .iter()
        .filter(|entry| !entry.children.is_empty())
        .map(|entry| {
            entry.children.iter().find_map(|child| {
                let start = usize::try_from(child.offset).ok()?.checked_add(8)?;
                let end = usize::try_from(child.offset.checked_add(child.size)?).ok()?;
                configuration(child.kind, init.get(start..end)?)
            })
        });
    let first = shapes.next()??;
    shapes.all(|shape| shape == Some(first)).then_some(first)
}

/// The shape that a decoder configuration stands for.
fn configuration(kind: FourCc, body: &[u8]) -> Option<Shape> {
    // lengthSizeMinusOne, ISO/IEC 14496-15 sections 5.3.3.1 and 8.3.3.1
    let lengths = |at: usize| {
        Some(Shape::Nal {
            length_size: usize::from(body.get(at)? & 3) + 1,
        })
    };
    match &kind.0 {
        b"avcC" => lengths(4),
        b"hvcC" => lengths(21),
        b"av1C" => Some(Shape::Obu),
        b"esds" => audio_object(body)
            .filter(|kind| matches!(kind, 2 | 5 | 29))
            .map(|_| Shape::Aac),
        _ => None,
    }
}

/// The audio object type of an MPEG-4 elementary stream (ISO/IEC 14496-1 section 7.2.6,
/// ISO/IEC 14496-3 section 1.6.2.1): 2 is AAC LC; 5 and 29 add what stays inside its frames.
fn audio_object(esds: &[u8]) -> Option<u8> {
    let es = descriptor(3, esds.get(4..)?)?;
    let flags = es.get(2)?;
    if flags & 0xe0 != 0 {
        return None;
    }
    let decoder = descriptor(4, es.get(3..)?)?;
    if *decoder.first()? != 0x40 {
        return None;
    }
    Some(descriptor(5, decoder.get(13..)?)?.first()? >> 3)
}

/// The body of a descriptor: tag, length in groups of seven bits, body.
fn descriptor(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (found, mut rest) = bytes.split_first()?;
    let mut size = 0;
    for _ in 0..4 {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        size = size << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    (*found == tag).then(|| rest.get(..size))?
}

fn nal_units(sample: &[u8], length_size: usize) -> Result<(), Flaw> {
    let mut rest = sample;
    while !rest.is_empty() {
        let left = rest.len();
        let (length, behind) = rest.split_at_checked(length_size).ok_or(Flaw::NalLength {
            found: length_size,
            left,
        })?;
        let found = length
            .iter()
            .fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        let left = behind.len();
        let (unit, behind) = behind
            .split_at_checked(found)
            .ok_or(Flaw::NalLength { found, left })?;
        nal_unit(unit)?;
        rest = behind;
    }
    Ok(())
}

/// ISO/IEC 14496-10 section 7.4.1, ISO/IEC 23008-2 section 7.4.2: no start code can be inside, and
/// after 00 00 03 come 00 to 03. Zeros behind the unit, which some writers leave, are let pass.
fn nal_unit(unit: &[u8]) -> Result<(), Flaw> {
    if unit.first().is_some_and(|header| header & 0x80 != 0) {
        return Err(Flaw::NalHeader);
    }
    let end = unit
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut rest = &unit[..end];
    // Two zeros are rare, so that finding the next ones fast is nearly all of the work.
    let zeros = memchr::memmem::Finder::new(&[0, 0]);
    while let Some(at) = zeros.find(rest) {
        rest = &rest[at..];
        match rest {
            [0, 0, third @ 0..=2, ..] => return Err(Flaw::StartCode(*third)),
            [0, 0, 3, next, ..] if *next > 3 => return Err(Flaw::StartCode(3)),
            _ => rest = &rest[1..],
        }
    }
    Ok(())
}

fn open_units(sample: &[u8]) -> Result<(), Flaw> {
    let mut rest = sample;
    while let Some((header, behind)) = rest.split_first() {
        // obu_forbidden_bit and obu_reserved_1bit
        if header & 0x81 != 0 {
            return Err(Flaw::ObuHeader);
        }
        let extension = usize::from(header & 4 != 0);
        let mut behind = behind.get(extension..).unwrap_or_default();
        let mut found = behind.len();
        if header & 2 != 0 {
            found = 0;
            for group in 0..8 {
                let Some((byte, after)) = behind.split_first() else {
                    break;
                };
                behind = after;
                found |= usize::from(byte & 0x7f) << (7 * group);
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        let left = behind.len();
        rest = behind.get(found..).ok_or(Flaw::ObuLength { found, left })?;
    }
    Ok(())
}

/// A raw data block whose first element is its end (ID_END, 7) has nothing but alignment behind that.
fn aac_frame(sample: &[u8]) -> Result<(), Flaw> {
    match sample {
        [first, _, ..] if first >> 5 == 7 => Err(Flaw::EmptyFrame),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Flaw, aac_frame, nal_units, open_units};

    #[test]
    fn nal_units_fill_the_sample_and_hold_no_start_code() {
        assert_eq!(
            nal_units(&[0, 0, 0, 2, 0x65, 9, 0, 0, 0, 1, 0x61], 4),
            Ok(())
        );
        assert_eq!(
            nal_units(&[3, 0x65, 0, 0], 1),
            Ok(()),
            "zeros behind a unit"
        );
        assert_eq!(
            nal_units(&[5, 0x65, 0, 0, 3, 1], 1),
            Ok(()),
            "emulation prevention"
        );
        let refused = [
            (&[0, 5, 0x65, 9][..], Flaw::NalLength { found: 5, left: 2 }),
            (&[0, 1, 0x65, 9], Flaw::NalLength { found: 2, left: 1 }),
            (&[0, 1, 0xe5], Flaw::NalHeader),
            (&[0, 5, 0x65, 0, 0, 1, 9], Flaw::StartCode(1)),
            (&[0, 5, 0x65, 0, 0, 3, 9], Flaw::StartCode(3)),
        ];
        for (sample, flaw) in refused {
            assert_eq!(nal_units(sample, 2), Err(flaw), "{sample:02x?}");
        }
    }

    #[test]
    fn open_bitstream_units_fill_the_sample() {
        assert_eq!(open_units(&[0x12, 0, 0x32, 2, 7, 7]), Ok(()));
        assert_eq!(
            open_units(&[0x30, 7, 7]),
            Ok(()),
            "the last may go without a size"
        );
        assert_eq!(
            open_units(&[0x12, 1]),
            Err(Flaw::ObuLength { found: 1, left: 0 })
        );
        assert_eq!(open_units(&[0x92, 0]), Err(Flaw::ObuHeader));
    }

    #[test]
    fn an_aac_frame_does_not_end_where_it_begins() {
        assert_eq!(aac_frame(&[0x21, 0x10, 5]), Ok(()));
        assert_eq!(aac_frame(&[0xe0, 0x10, 5]), Err(Flaw::EmptyFrame));
    }
}
