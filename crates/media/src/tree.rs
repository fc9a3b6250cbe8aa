//! The boxes of a file as a tree of plain data, for showing: what is there, where, and what it says about
//! protection. Tolerant where [`MediaReader`](crate::MediaReader) is strict: a box that cannot be
//! understood is shown as such, so that a broken file can be looked at.

use std::io::Read;

use crate::auxiliary::senc_sample_count;
use crate::boxes::{BoxHeader, BoxSize, Boxes, LONG_HEADER, Mp4Box, SHORT_HEADER};
use crate::cursor::{Cursor, to_u64};
use crate::fragment::sequence_number;
use crate::layout::{RunHeader, TrackFragmentHeader};
use crate::movie::{description_boxes, handler, timescale, track_id};
use crate::protection::{original_format, scheme_type};
use crate::sample_entry::{entry_children, is_protected_type};
use crate::{FourCc, MediaError, Pssh, TrackEncryption};

/// Boxes larger than this are shown without their content. `mdat` always is.
const MAX_BOX_BYTES: u64 = 4 << 20;
/// Most boxes in one top-level box: bounds the memory for a tree of empty ones.
const MAX_NODES: usize = 50_000;
/// Deepest nesting. Real files stay below ten.
const MAX_DEPTH: usize = 16;

/// One box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxNode {
    /// Its type.
    pub kind: FourCc,
    /// Where it starts in the input.
    pub offset: u64,
    /// Its size in bytes, header included.
    pub size: u64,
    /// What it says.
    pub detail: Detail,
    /// The boxes in it.
    pub children: Vec<BoxNode>,
}

/// What a box says, as far as it concerns protection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing of interest here.
    None,
    /// It cannot be understood; the words say why.
    Malformed(String),
    /// `tkhd`: number of the track.
    Track {
        /// `track_ID`.
        id: u32,
    },
    /// `mdhd`: units of the track's times in one second.
    Timescale(u32),
    /// `hdlr`: handler type.
    Handler(FourCc),
    /// `frma`: sample entry type before protection.
    OriginalFormat(FourCc),
    /// `schm`: scheme, known or not, and its version.
    Scheme {
        /// `scheme_type`.
        scheme: FourCc,
        /// `scheme_version`, major in the upper and minor in the lower 16 bits.
        version: u32,
    },
    /// `tenc`.
    TrackEncryption(TrackEncryption),
    /// `pssh`.
    Pssh(Pssh),
    /// `mfhd`: number of the fragment.
    Sequence(u32),
    /// `tfhd`: track, and sample entry (from 1) if it is named.
    TrackFragment {
        /// `track_ID`.
        track_id: u32,
        /// `sample_description_index`.
        description: Option<u32>,
    },
    /// `trun`.
    Run {
        /// `sample_count`.
        samples: u32,
        /// `data_offset`.
        data_offset: Option<i32>,
    },
    /// `senc`.
    SampleEncryption {
        /// `sample_count`.
        samples: u32,
        /// Whether samples have subsample tables.
        subsamples: bool,
    },
    /// `sgpd`, `sbgp` or `csgp`: what the groups are about (`seig`: keys).
    Grouping(FourCc),
}

/// Iterates over the top-level boxes of an input. Ends after the first error.
#[derive(Debug)]
pub struct BoxTree<R> {
    source: R,
    position: u64,
    done: bool,
}

impl<R: Read> BoxTree<R> {
    /// Starts at the beginning of a file, a segment, or bare `pssh` boxes.
    pub fn new(source: R) -> Self {
        Self {
            source,
            position: 0,
            done: false,
        }
    }

    fn read(&mut self, count: u64, into: &mut Vec<u8>) -> Result<u64, MediaError> {
        let got = to_u64(self.source.by_ref().take(count).read_to_end(into)?);
        self.position = self.position.saturating_add(got);
        Ok(got)
    }

    fn next_node(&mut self) -> Result<Option<BoxNode>, MediaError> {
        let offset = self.position;
        let mut bytes = Vec::new();
        self.read(to_u64(SHORT_HEADER), &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes
            .first_chunk()
            .is_some_and(|first| BoxHeader::is_long(*first))
        {
            self.read(to_u64(LONG_HEADER - SHORT_HEADER), &mut bytes)?;
        }
        let header = BoxHeader::parse(&bytes, offset)?;
        let kind = header.kind;
        let left = match header.size {
            BoxSize::Bytes(size) => size.saturating_sub(to_u64(header.header)),
            BoxSize::ToEndOfFile => u64::MAX,
        };
        if kind == FourCc::MDAT || left > MAX_BOX_BYTES {
            let mut sink = std::io::sink();
            let got = std::io::copy(&mut self.source.by_ref().take(left), &mut sink)?;
            self.position = self.position.saturating_add(got);
        } else {
            self.read(left, &mut bytes)?;
        }
        let size = self.position.saturating_sub(offset);
        if let BoxSize::Bytes(needed) = header.size
            && needed != size
        {
            return Err(MediaError::Truncated {
                kind,
                offset,
                needed,
                available: size,
            });
        }
        if to_u64(bytes.len()) != size {
            let (detail, children) = (Detail::None, Vec::new());
            return Ok(Some(BoxNode {
                kind,
                offset,
                size,
                detail,
                children,
            }));
        }
        let mut room = MAX_NODES;
        node(
            &Mp4Box::whole(&bytes, offset)?,
            FourCc::FILE,
            MAX_DEPTH,
            &mut room,
        )
        .map(Some)
    }
}

impl<R: Read> Iterator for BoxTree<R> {
    type Item = Result<BoxNode, MediaError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.next_node().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

fn node(
    found: &Mp4Box<'_>,
    parent: FourCc,
    depth: usize,
    room: &mut usize,
) -> Result<BoxNode, MediaError> {
    let too_large = |field, limit| MediaError::TooLarge {
        kind: found.kind,
        offset: found.offset,
        field,
        found: to_u64(limit).saturating_add(1),
        limit: to_u64(limit),
    };
    *room = room
        .checked_sub(1)
        .ok_or_else(|| too_large("number of boxes", MAX_NODES))?;
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| too_large("depth", MAX_DEPTH))?;
    let mut children = Vec::new();
    let mut detail = detail(found).unwrap_or_else(|e| Detail::Malformed(e.to_string()));
    match boxes_in(found, parent) {
        Err(problem) => detail = Detail::Malformed(problem.to_string()),
        Ok(boxes) => {
            for child in boxes {
                match child {
                    Ok(child) => children.push(node(&child, found.kind, depth, room)?),
                    Err(problem) => detail = Detail::Malformed(problem.to_string()),
                }
            }
        }
    }
    let size = to_u64(found.bytes.len());
    Ok(BoxNode {
        kind: found.kind,
        offset: found.offset,
        size,
        detail,
        children,
    })
}

/// The boxes inside a box that is known to hold any.
fn boxes_in<'a>(found: &Mp4Box<'a>, parent: FourCc) -> Result<Boxes<'a>, MediaError> {
    match found.kind {
        FourCc::MOOV
        | FourCc::TRAK
        | FourCc::EDTS
        | FourCc::MDIA
        | FourCc::MINF
        | FourCc::DINF
        | FourCc::STBL
        | FourCc::MVEX
        | FourCc::MOOF
        | FourCc::TRAF
        | FourCc::MFRA
        | FourCc::SINF
        | FourCc::SCHI => Ok(found.children()),
        FourCc::STSD => Ok(description_boxes(found)?.1),
        kind if parent == FourCc::STSD && is_protected_type(kind) => Ok(entry_children(found)?.1),
        _ => Ok(Boxes::new(&[], found.offset)),
    }
}

fn detail(found: &Mp4Box<'_>) -> Result<Detail, MediaError> {
    Ok(match found.kind {
        FourCc::TKHD => Detail::Track {
            id: track_id(found)?,
        },
        FourCc::MDHD => Detail::Timescale(timescale(found)?),
        FourCc::HDLR => Detail::Handler(handler(found)?),
        FourCc::FRMA => Detail::OriginalFormat(original_format(found)?),
        FourCc::SCHM => {
            let (scheme, version) = scheme_type(found)?;
            Detail::Scheme { scheme, version }
        }
        FourCc::TENC => Detail::TrackEncryption(TrackEncryption::parse(found)?),
        FourCc::PSSH => Detail::Pssh(Pssh::parse(found)?),
        FourCc::MFHD => Detail::Sequence(sequence_number(found)?),
        FourCc::TFHD => {
            let TrackFragmentHeader {
                track_id,
                description,
                ..
            } = TrackFragmentHeader::parse(found)?;
            Detail::TrackFragment {
                track_id,
                description,
            }
        }
        FourCc::TRUN => {
            let RunHeader {
                count, data_offset, ..
            } = RunHeader::parse(found)?;
            Detail::Run {
                samples: count,
                data_offset,
            }
        }
        FourCc::SENC => {
            let (samples, subsamples) = senc_sample_count(found)?;
            Detail::SampleEncryption {
                samples,
                subsamples,
            }
        }
        FourCc::SGPD | FourCc::SBGP | FourCc::CSGP => {
            let mut cursor = Cursor::new(found);
            cursor.version_and_flags()?;
            Detail::Grouping(cursor.fourcc()?)
        }
        _ => Detail::None,
    })
}

#[cfg(test)]
mod tests;
