//! Sample entries of `stsd` (ISO/IEC 14496-12 section 8.5.2): codec, picture size, protection.

use core::ops::Range;

use crate::boxes::{Boxes, Mp4Box};
use crate::cursor::to_u64;
use crate::protection::ProtectionInfo;
use crate::{Expected, FourCc, MediaError, Protection, TrackKind, Unsupported};

/// Reserved bytes and data reference index, which every sample entry starts with.
const COMMON_FIELDS: usize = 8;
/// Fields of a visual sample entry, ISO/IEC 14496-12 section 12.1.3.
const VISUAL_FIELDS: usize = 78;
/// Width and height among them.
const VISUAL_SIZE: Range<usize> = 24..28;
/// Fields of an audio sample entry, ISO/IEC 14496-12 section 12.2.3.
const AUDIO_FIELDS: usize = 28;
/// What QuickTime's sound description adds in its version 1 and 2.
const QUICKTIME_1_FIELDS: usize = 16;
const QUICKTIME_2_FIELDS: usize = 36;
/// Text and metadata entries have strings of any length before their boxes; `sinf` is sought this far.
const LONGEST_FIELDS: usize = 1024;

/// Width and height in pixels, as the sample entry states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureSize {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

/// One way in which samples of a track are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleEntry {
    /// The codec: the entry's type, or what `frma` says it was before protection.
    pub codec: FourCc,
    /// Picture size, for video.
    pub picture: Option<PictureSize>,
    /// Protection, where the entry is a protected one.
    pub protection: Option<Protection>,
}

impl SampleEntry {
    pub(crate) fn parse(entry: &Mp4Box<'_>, kind: TrackKind) -> Result<Self, MediaError> {
        let picture = match (kind, entry.payload.get(VISUAL_SIZE)) {
            (TrackKind::Video, Some(&[w1, w0, h1, h0])) => Some(PictureSize {
                width: u16::from_be_bytes([w1, w0]),
                height: u16::from_be_bytes([h1, h0]),
            }),
            _ => None,
        };
        if !is_protected_type(entry.kind) {
            return Ok(Self {
                codec: entry.kind,
                picture,
                protection: None,
            });
        }
        // `encv` in an audio track: one of the two is wrong, and keys are given out by kind.
        let fits = match entry.kind {
            FourCc::ENCV => kind == TrackKind::Video,
            FourCc::ENCA => kind == TrackKind::Audio,
            _ => true,
        };
        if !fits {
            let found = u32::from_be_bytes(entry.kind.0).into();
            let expected = Expected::Words("the type that belongs to the track's handler");
            return Err(entry.invalid("sample entry type", found, expected));
        }
        let info = protection_of(entry)?;
        Ok(Self {
            codec: info.original,
            picture,
            protection: Some(info.protection),
        })
    }
}

/// The protection of a sample entry. Where there are several `sinf`, each describes the same samples for
/// readers of another kind (ISO/IEC 14496-12 section 8.12.1): schemes not known here are passed over.
pub(crate) fn protection_of(entry: &Mp4Box<'_>) -> Result<ProtectionInfo, MediaError> {
    let mut found: Option<ProtectionInfo> = None;
    let mut unknown = None;
    for child in entry_children(entry)?.1 {
        let child = child?;
        if child.kind != FourCc::SINF {
            continue;
        }
        match (ProtectionInfo::parse(&child), &found) {
            (Ok(info), None) => found = Some(info),
            (Ok(info), Some(first)) if info == *first => {}
            (Ok(_), Some(_)) => {
                let (what, offset) = (Unsupported::ContradictoryProtections, child.offset);
                return Err(MediaError::Unsupported { what, offset });
            }
            (Err(error @ MediaError::UnknownScheme { .. }), _) => unknown = Some(error),
            (Err(error), _) => return Err(error),
        }
    }
    found.ok_or_else(|| unknown.unwrap_or_else(|| entry.missing(FourCc::SINF)))
}

/// Whether a sample entry type says that `sinf` is inside: `encv`, `enca`, `enct`, `encs`, ...
pub(crate) fn is_protected_type(kind: FourCc) -> bool {
    kind.0.starts_with(b"enc")
}

/// Splits a protected sample entry into the fields of its kind and the boxes behind them.
pub(crate) fn entry_children<'a>(entry: &Mp4Box<'a>) -> Result<(&'a [u8], Boxes<'a>), MediaError> {
    let (first, alternatives) = match entry.kind {
        FourCc::ENCV => (VISUAL_FIELDS, 0..0),
        FourCc::ENCA => match entry.payload.get(COMMON_FIELDS..COMMON_FIELDS + 2) {
            // An ISO entry of version 1 has no further fields, a QuickTime one has.
            Some([0, 1]) => {
                let quicktime = AUDIO_FIELDS + QUICKTIME_1_FIELDS;
                (AUDIO_FIELDS, quicktime..quicktime + 1)
            }
            Some([0, 2]) => (AUDIO_FIELDS + QUICKTIME_2_FIELDS, 0..0),
            _ => (AUDIO_FIELDS, 0..0),
        },
        _ => (COMMON_FIELDS, COMMON_FIELDS..LONGEST_FIELDS),
    };
    let split = |at: usize| {
        let (fields, boxes) = entry.payload.split_at_checked(at)?;
        let before = entry.header().len().saturating_add(at);
        let offset = entry.offset.saturating_add(to_u64(before));
        Some((fields, Boxes::with_padding(boxes, offset)))
    };
    // Where the layout is not certain, the right one is that whose boxes fill the entry and hold `sinf`.
    // If none does, the first is parsed and the error is about that.
    core::iter::once(first)
        .chain(alternatives)
        .filter_map(split)
        .find(|(_, boxes)| holds_protection(boxes.clone()))
        .or_else(|| split(first))
        .ok_or(MediaError::Truncated {
            kind: entry.kind,
            offset: entry.offset,
            needed: to_u64(first),
            available: to_u64(entry.payload.len()),
        })
}

fn holds_protection(boxes: Boxes<'_>) -> bool {
    let mut found = false;
    for child in boxes {
        let Ok(child) = child else { return false };
        found |= child.kind == FourCc::SINF;
    }
    found
}

#[cfg(test)]
mod tests;
